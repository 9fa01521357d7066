"""The benchmark for NVIDIA cards, tried on the CPU with tiny shapes; no time is looked at here."""

import math
import shutil

import jax
import numpy as np
import pytest

from benchmarks import cards, figures, gpu, losses, results
from benchmarks.aot.shapes import SHAPES, abstract, size

TREE = {"tiny": lambda: {"kernel": abstract(40, 30), "bias": abstract(30)}}


@pytest.fixture(scope="module")
def said():
    """What a tiny run of two optimizers gives: lines and rows; and Muon, for which there is no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu, "LONG", 1e-4)
        patch.setattr(losses, "apart", lambda name: 1e-7)
        names = ("adamw", "accumulate(adamw, 8)")
        found = [*gpu.collect(TREE, names, 2, 1e6), *gpu.collect(TREE, ("muon",), 2, -1.0)]
    rows = [row for row in found if isinstance(row, dict)]
    return [line for line in found if isinstance(line, str)], rows


def test_every_library_is_measured_and_what_is_left_out_is_said(said):
    lines, rows = said
    assert [(row["name"], row["library"]) for row in rows] == [
        (f"{name}, tiny", library)
        for name in ("adamw", "accumulate(adamw, 8)")
        for library in ("gradchain", "optax")
    ]
    assert all(row["status"] == "measured" and 0 < row["low"] <= row["ms"] <= row["high"] for row in rows)
    assert [row["ratio"] for row in rows if row["library"] == "optax"] == [1.0, 1.0]
    assert any(line.startswith("left out: muon, tiny") for line in lines)


def test_the_bytes_that_must_move_come_from_the_slots(said):
    adamw, _, accumulated, _ = said[1]
    n = 40 * 30 + 30
    assert adamw["parameters"] == n
    assert adamw["must_gb"] * 1e9 == pytest.approx(28 * n, rel=0.02)  # and a few counters
    assert accumulated["must_gb"] * 1e9 == pytest.approx((36 + 7 * 12) / 8 * n, rel=0.02)
    assert adamw["gb_per_s"] == pytest.approx(adamw["must_gb"] / adamw["ms"] * 1e3)
    assert adamw["program_gb"] * 1e9 >= 16 * n  # gradients, parameters and two moments


def test_a_table_is_kept_and_drawn_with_rows_that_were_not_measured(said, tmp_path):
    missing = {**said[1][0], "status": "out of memory", "ms": math.nan, "low": math.nan, "high": math.nan}
    table = results.write("gpu_card", [*said[1], {**missing, "name": "adamw, 1.5B"}], tmp_path)
    assert figures.draw(table).read_bytes().startswith(b"\x89PNG")
    shutil.rmtree(tmp_path)


def full(*_):
    raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes")


class Step:
    """A contestant of no work."""

    floor, compile_seconds, program, version = 28.0, 0.1, 0.2, "1"

    def step(self, count):
        return 1e-3


def test_what_does_not_fit_is_a_row_and_the_others_are_measured_alone():
    seconds, found, wrong = gpu.measure({"gradchain": Step, "optax": full}, 1, 1)
    assert seconds == {"gradchain": [1e-3]} and not found["gradchain"]["together"]
    assert wrong == {"optax": "out of memory"}
    seconds, found, wrong = gpu.measure({"gradchain": Step, "optax": Step}, 1, 1)
    assert found["optax"]["together"] and not wrong

    def broken():
        raise TypeError("no such\nshape")

    assert gpu.measure({"soap": broken}, 1, 1)[2] == {"soap": "TypeError: no such shape"}


def test_a_row_without_memory_is_printed_and_does_not_end_the_run(monkeypatch, capsys):
    monkeypatch.setattr(gpu, "contestants", lambda *_: {"gradchain": full, "optax": Step})
    monkeypatch.setattr(losses, "apart", lambda name: 2 * losses.AGREE)
    assert gpu.main(["--tiny", "--platform=cpu", "--only", "adamw", "--repeats=1"]) is None
    shown = capsys.readouterr()
    assert "gradchain  out of memory" in shown.out and "1.000 ms" in shown.out
    monkeypatch.setattr(gpu, "contestants", lambda *_: {"gradchain": Step})
    gpu.main(["--tiny", "--platform=cpu", "--only", "adamw", "--repeats=1"])
    assert "losses differ from the CPU's by more than 0.0001: adamw, tiny" in capsys.readouterr().err


def test_without_a_card_it_says_so():
    with pytest.raises(SystemExit, match=r"no NVIDIA card: JAX shows cpu; pip install 'jax\[cuda13\]'"):
        gpu.main([])


def test_names_of_cards():
    assert cards.peak("NVIDIA H100 80GB HBM3") == 3350
    assert cards.peak("NVIDIA H100 PCIe") == 2000
    assert cards.peak("NVIDIA L40S") == 864 and cards.peak("NVIDIA L4") == 300
    assert math.isnan(cards.peak("cpu"))
    assert cards.slug("NVIDIA H100 80GB HBM3") == "h100-80gb-hbm3"
    assert cards.out_of_memory(MemoryError()) and not cards.out_of_memory(ValueError("shape"))
    assert cards.copied(2**12, repeats=1, inner=1) > 0
    assert math.isnan(cards.memory(jax.devices("cpu")[0], "bytes_in_use"))


def test_losses_are_compared_step_by_step():
    """Between two CPU devices they are the same; another learning rate is seen, and so is a NaN."""
    assert losses.apart("adamw", jax.devices()[1]) == 0
    lion, adamw = (losses.trajectory(name, jax.devices()[0]) for name in ("lion", "adamw"))
    assert lion.shape == (losses.STEPS,) and lion[-1] < 0.6 * lion[0]
    assert losses.difference(lion, adamw) > losses.AGREE
    assert losses.difference(np.array([1.0, np.nan]), np.ones(2)) == math.inf


def test_without_a_cpu_losses_are_not_compared(monkeypatch):
    def devices(platform=None):
        raise RuntimeError(f"unknown backend {platform}")

    monkeypatch.setattr(losses.jax, "devices", devices)
    assert math.isnan(losses.apart("lion", "a card"))


def test_the_shapes_are_those_of_gpt2():
    assert size(SHAPES["gpt2"]()) == 124_439_808 and size(SHAPES["gpt2-xl"]()) == 1_557_611_200
