"""The quality benchmark: what it compares and keeps, and that the kept results say what is claimed."""

import math

import numpy as np
import pytest

from benchmarks import quality, results
from benchmarks.quality import ModelConfig, Setup, data

TINY = Setup(steps=50, batch=2, length=8, sizes=ModelConfig(layers=1, width=8, heads=2))
TEXT = b"def double(x):\n    return x + x\n" * 200


def run(name, seed, loss, worst=2.0):
    return {"name": name, "seed": seed, "steps": 50, "loss": loss, "validation": 2 * loss, "worst": worst} | {
        "parameter_bytes": 4.0,
        "state_bytes": 8.0,
    }


def test_variants_are_compared_by_seed():
    fp32 = [run("fp32", seed, loss) for seed, loss in enumerate((1.0, 1.2, 1.7))]
    other = [run("log8", seed, loss, math.nan) for seed, loss in ((2, 1.6), (0, 1.1))]
    base, log8 = quality.summary([*other, *fp32])
    sd = np.std([1.0, 1.2, 1.7], ddof=1)
    assert base["name"] == "fp32" and base["seeds"] == 3 and base["bytes"] == 12
    assert base["loss"] == pytest.approx(1.3) and base["sd"] == pytest.approx(sd) and base["sds"] == 0
    assert log8["loss"] == pytest.approx(1.35)
    assert log8["apart"] == pytest.approx(0.0) and log8["error"] == pytest.approx(0.1)
    assert log8["validation_error"] == pytest.approx(0.2) and log8["validation_sds"] == pytest.approx(0.0)
    assert math.isnan(log8["worst"]) and base["worst"] == 2.0


@pytest.fixture(scope="module")
def corpus():
    return data.cut("text", TEXT)


@pytest.mark.slow
def test_a_finished_run_is_kept_and_not_made_again(corpus, tmp_path, monkeypatch):
    names = ["fp32", "bf16 p, nothing"]
    full, narrow = quality.make_runs(names, [3], TINY, corpus, tmp_path)
    assert full["parameter_bytes"] == 4 and narrow["parameter_bytes"] == 2
    assert full["state_bytes"] == pytest.approx(8, abs=0.1)  # two moments and a few counters
    curves = [np.array(row["curve"].split(), float) for row in (full, narrow)]
    assert curves[0].shape == (quality.POINTS,) and curves[0][-1] < 0.9 * curves[0][0]
    np.testing.assert_allclose(curves[0], curves[1], atol=0.3)  # the same start and the same data
    assert np.any(curves[0] != curves[1])
    monkeypatch.setattr(quality, "train", None)  # calling it would fail
    kept = quality.make_runs(names, [3], TINY, corpus, tmp_path)
    assert [row["loss"] for row in kept] == pytest.approx([full["loss"], narrow["loss"]], rel=1e-5)
    assert [row["curve"] for row in kept] == [full["curve"], narrow["curve"]]
    with pytest.raises(SystemExit, match="another text"):
        quality.make_runs(names, [3], TINY, data.cut("text", TEXT[:-40]), tmp_path)


def test_kept_results_hold_what_is_claimed():
    """log8 and split weights are within a standard deviation of fp32's seeds; the controls are worse."""
    rows = {row["name"]: row for row in results.read("quality")}
    assert rows.keys() == quality.VARIANTS.keys()
    assert all(row["seeds"] >= 3 and row["steps"] >= 2000 for row in rows.values())
    for name in ("log8", "bf16 p, split_weights", "bf16 p, split_weights(8)", "bf16 p, split_weights, log8"):
        assert abs(rows[name]["sds"]) < 1 and abs(rows[name]["validation_sds"]) < 1, name
    controls = [name for name, variant in quality.VARIANTS.items() if variant.kind == "control"]
    assert len(controls) == 2
    for name in controls:  # a run that ended in NaN is worse too
        assert not rows[name]["sds"] <= 1 and not rows[name]["validation_sds"] <= 1, name


def test_kept_table_comes_from_the_kept_runs(tmp_path):
    steps = results.read("quality")[0]["steps"]
    made = results.write("quality", quality.summary(results.runs(steps)), tmp_path)
    assert made.read_text() == (results.RESULTS / "quality.csv").read_text()
