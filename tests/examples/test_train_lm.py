"""The language model example: what a run leaves behind, exact resumption, the optimizer it is given."""

import csv
import shutil
import signal
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from lm import data, flags, model, optimizers
from lm.checkpoint import RunFolder
from lm_cases import RUN, SMALL, arrays, rows, said, train_lm

import gradchain as gc

# With matrices of 4,096 numbers and more, which are stored in fewer bits.
WRAPPED = ("--accumulate=2", "--ema=0.999", "--skip", "--optimizer=lion", "--stored=log8", "--width=32")


def test_a_run_learns_and_leaves_metrics_curves_and_checkpoints(finished):
    found = rows(finished)
    assert [row["step"] for row in found] == list(range(1, 21))
    assert [row["step"] for row in found if "validation_loss" in row] == [5, 10, 15, 20]
    assert found[-1]["validation_loss"] < found[4]["validation_loss"] < np.log(256)
    assert max(row["learning_rate"] for row in found) == pytest.approx(6e-3)
    assert all(row["grad_norm"] > 0 for row in found)
    with (finished / "metrics.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [float(line["loss"]) for line in table] == [row["loss"] for row in found]
    assert (finished / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert RunFolder(finished).steps() == [15, 20]


def test_the_report_tells_the_optimizer_the_losses_and_where_the_curves_are(finished):
    shown = (finished.parent / "said").read_text("utf-8")
    for part in ("adamw(", "parameters", "validation loss", "bits per byte", "tokens/s", "wall time"):
        assert part in shown
    assert "continued by the model" in shown and str(finished / "curves.png") in shown.replace("\n", "")


def test_a_terminal_that_knows_ascii_alone_loses_nothing(finished, tmp_path, monkeypatch):
    """The picture and the report are there; what cannot be shown is a question mark."""
    out = tmp_path / "rün"
    shutil.copytree(finished, out)
    (out / "curves.png").unlink()
    monkeypatch.setattr(train_lm.training, "generate", lambda *_: ("def naïve", "\u2192 \U0001f600"))
    with open(tmp_path / "shown", "w", encoding="ascii") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        assert train_lm.main(["--resume", f"--out={out}"]) == 0  # it was finished: it reports again
    shown = (tmp_path / "shown").read_text("ascii")
    assert "na?ve" in shown and "validation loss" in shown and "r?n" in shown
    assert (out / "curves.png").exists()


@pytest.mark.parametrize("more", [(), pytest.param(WRAPPED, marks=[pytest.mark.slow, pytest.mark.example])])
def test_a_run_that_is_stopped_and_resumed_ends_in_the_same_bits(more, text, finished, tmp_path, monkeypatch):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    argv = [*RUN, *more, f"--text={text}", "--quiet"]
    if more:
        said([*argv, f"--out={whole}"])
    else:
        whole = finished
    real = data.Corpus.batch

    def interrupted(self, seed, index, *size):
        if index == (17 if more == WRAPPED else 8):  # in the ninth step
            signal.raise_signal(signal.SIGINT)
        return real(self, seed, index, *size)

    with monkeypatch.context() as patch:
        patch.setattr(data.Corpus, "batch", interrupted)
        stopped = said([*argv, f"--out={halves}"], 130)
    assert f"--resume --out {halves}" in stopped
    assert RunFolder(halves).steps()[-1] == len(rows(halves)) == 9
    with (halves / "metrics.jsonl").open("a") as file:  # as if the run had gone on without saving
        file.write('{"step": 10, "loss": 0.0}\n{"ste')
    lines = said(["--resume", f"--out={halves}", "--quiet"]).splitlines()
    assert [line.split()[0] for line in lines] == ["validation", "curves", "metrics", "checkpoint"]
    one, two = arrays(whole, 20), arrays(halves, 20)
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)
    if more == WRAPPED:  # the average, which lags behind by 1000 steps, is what is validated
        assert {x.dtype.name for x in one.values()} >= {"int8"}
        assert rows(whole)[-1]["validation_loss"] > rows(whole)[-1]["loss"] + 0.5
    for a, b in zip(rows(whole), rows(halves), strict=True):
        for name in ("step", "loss", "learning_rate", "grad_norm", "validation_loss"):
            assert a.get(name) == b.get(name), (a["step"], name)


def test_steps_with_a_gradient_that_is_not_finite_can_be_skipped(text, tmp_path):
    argv = [*SMALL, "--steps=8", f"--text={text}", f"--out={tmp_path}", "--skip", "--quiet"]
    said([*argv, "--optimizer=sgd", "--lr=3e38", "--schedule=constant"])
    assert rows(tmp_path)[-1]["skipped"] > 0


def test_a_config_file_says_all_about_the_optimizer_and_is_remembered(text, tmp_path):
    file, out = tmp_path / "optimizer.json", tmp_path / "out"
    file.write_text(
        '{"chain": [{"clip": {"max_delta": 0.5}}, {"adam": {"learning_rate": 0.003, "b2": 0.9}}]}'
    )
    argv = [*SMALL, "--steps=1", f"--text={text}", f"--out={out}", f"--config={file}", "--quiet"]
    said(argv)
    assert "b2=0.9" in str(gc.from_config(RunFolder(out).read_config()["optimizer"]))
    file.unlink()
    assert "validation" in said(["--resume", f"--out={out}", "--quiet"])  # it was finished: it reports again


def test_flags_become_the_config_of_an_optimizer():
    given = "--lr=0.5 --set b2=0.9 --set nesterov=true --weight-decay=0.1 --clip=2 --schedule=cosine"
    args = flags.complete(flags.parse([*given.split(), "--steps=9", "--accumulate=3"]), {})
    tx = gc.accumulate(
        gc.monitored(
            gc.chain(
                gc.clip_by_global_norm(2.0),
                gc.adamw(
                    gc.cosine_decay_schedule(0.5, 9),
                    b2=0.9,
                    weight_decay=0.1,
                    mask="**/kernel",
                    nesterov=True,
                ),
            )
        ),
        every=3,
    )
    assert optimizers.build(optimizers.config(args)) == tx


@pytest.mark.parametrize("schedule", optimizers.SCHEDULES)
def test_every_schedule_can_be_built_for_every_number_of_steps(schedule):
    for steps in (1, 2, 1000):
        argv = [f"--steps={steps}", f"--schedule={schedule}"]
        optimizers.build(optimizers.config(flags.complete(flags.parse(argv), {})))


@pytest.mark.parametrize("name", sorted(optimizers.optimizers()))
def test_every_listed_optimizer_can_be_built(name):
    optimizers.build(optimizers.config(flags.complete(flags.parse([f"--optimizer={name}"]), {})))


def test_the_optimizers_are_listed_with_their_papers(capsys):
    assert train_lm.main(["--list-optimizers"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert "arXiv:1711.05101" in lines["adamw"]
    assert {"adam", "lion", "sgd"} <= lines.keys()
    assert "scale_by_adam" not in lines


def test_the_model_sees_no_byte_that_comes_later():
    network = model.Transformer(model.ModelConfig(layers=1, width=16, heads=2), nnx.Rngs(0))
    network.head.kernel.set_value(jnp.ones((16, 256)).at[:8].set(-1.0))  # it starts at zero
    tokens = np.random.default_rng(0).integers(0, 256, (1, 12))
    changed = tokens.copy()
    changed[0, 7] += 1
    both = nnx.jit(type(network).__call__)(network, jnp.asarray(np.concatenate([tokens, changed % 256])))
    one, two = np.asarray(both)
    np.testing.assert_array_equal(one[:7], two[:7])
    assert np.all(np.any(one[7:] != two[7:], axis=-1))
