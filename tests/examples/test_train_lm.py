"""The language model example: what a run leaves behind, exact resumption, the optimizer it is given."""

import csv
import os
import signal
import subprocess
import sys
import time

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from lm import data, flags, model, optimizers
from lm.checkpoint import RunFolder
from lm_cases import EXAMPLES, RUN, SMALL, arrays, rows, train_lm

import gradchain as gc

WRAPPED = ("--accumulate=2", "--ema=0.999", "--skip", "--optimizer=lion")
STORED = ("--stored=log8", "--width=64")  # matrices of 4,096 numbers and more


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


def test_the_report_tells_the_optimizer_the_losses_and_where_the_curves_are(text, tmp_path, capsys):
    assert train_lm.main([*RUN, f"--text={text}", f"--out={tmp_path}"]) == 0
    shown = capsys.readouterr().out
    for part in ("adamw(", "parameters", "validation loss", "bits per byte", "tokens/s", "wall time"):
        assert part in shown
    assert str(tmp_path / "curves.png") in shown.replace("\n", "")


def test_quiet_prints_only_where_the_results_are(text, tmp_path, capsys):
    assert train_lm.main([*RUN, f"--text={text}", f"--out={tmp_path}", "--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["validation", "curves", "metrics", "checkpoint"]


@pytest.mark.parametrize("more", [(), WRAPPED, STORED])
def test_a_run_that_is_stopped_and_resumed_ends_in_the_same_bits(more, text, finished, tmp_path, monkeypatch):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    argv = [*RUN, *more, f"--text={text}"]
    if more:
        assert train_lm.main([*argv, f"--out={whole}"]) == 0
    else:
        whole = finished
    real = data.Corpus.batch

    def interrupted(self, seed, index, *size):
        if index == (17 if more == WRAPPED else 8):  # in the ninth step
            signal.raise_signal(signal.SIGINT)
        return real(self, seed, index, *size)

    with monkeypatch.context() as patch:
        patch.setattr(data.Corpus, "batch", interrupted)
        assert train_lm.main([*argv, f"--out={halves}"]) == 130
    assert RunFolder(halves).steps()[-1] == len(rows(halves)) == 9
    with (halves / "metrics.jsonl").open("a") as file:  # as if the run had gone on without saving
        file.write('{"step": 10, "loss": 0.0}\n')
    assert train_lm.main(["--resume", f"--out={halves}"]) == 0
    one, two = arrays(whole, 20), arrays(halves, 20)
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)
    assert more != STORED or {x.dtype.name for x in one.values()} >= {"int8", "uint8"}
    if more == WRAPPED:  # the average, which lags behind by 1000 steps, is what is validated
        assert rows(whole)[-1]["validation_loss"] > rows(whole)[-1]["loss"] + 0.5
    for a, b in zip(rows(whole), rows(halves), strict=True):
        for name in ("step", "loss", "learning_rate", "grad_norm", "validation_loss"):
            assert a.get(name) == b.get(name), (a["step"], name)


def test_steps_with_a_gradient_that_is_not_finite_can_be_skipped(text, tmp_path):
    argv = [*RUN, f"--text={text}", f"--out={tmp_path}", "--skip"]
    assert train_lm.main([*argv, "--optimizer=sgd", "--lr=3e38", "--schedule=constant"]) == 0
    assert rows(tmp_path)[-1]["skipped"] > 0


def test_a_config_file_says_all_about_the_optimizer_and_is_remembered(text, tmp_path, capsys):
    file, out = tmp_path / "optimizer.json", tmp_path / "out"
    file.write_text(
        '{"chain": [{"clip": {"max_delta": 0.5}}, {"adam": {"learning_rate": 0.003, "b2": 0.9}}]}'
    )
    argv = [*SMALL, "--steps=2", f"--text={text}", f"--out={out}", f"--config={file}"]
    assert train_lm.main(argv) == 0
    assert "b2=0.9" in capsys.readouterr().out
    file.unlink()
    assert train_lm.main(["--resume", f"--out={out}"]) == 0  # it was finished: it reports again


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


@pytest.mark.parametrize("name", sorted(optimizers.optimizers()))
def test_every_listed_optimizer_can_be_built_for_every_schedule(name):
    for schedule in optimizers.SCHEDULES:
        for steps in (1, 2, 1000):
            argv = [f"--optimizer={name}", f"--steps={steps}", f"--schedule={schedule}"]
            optimizers.build(optimizers.config(flags.complete(flags.parse(argv), {})))


def test_the_optimizers_are_listed_with_their_papers(capsys):
    assert train_lm.main(["--list-optimizers"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert "arXiv:1711.05101" in lines["adamw"]
    assert {"adam", "lion", "sgd"} <= lines.keys()
    assert "scale_by_adam" not in lines


def test_ctrl_c_saves_and_tells_how_to_go_on(text, tmp_path):
    argv = [*SMALL, "--steps=100000", f"--text={text}", f"--out={tmp_path}"]
    command = [sys.executable, str(EXAMPLES / "train_lm.py"), *argv]
    environment = os.environ | {"PYTHONPATH": str(EXAMPLES.parent)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        limit = time.monotonic() + 300
        while process.poll() is None and not (tmp_path / "metrics.jsonl").exists():
            assert time.monotonic() < limit
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130, err
    assert err.split() == ["stopping", "after", "this", "step;", "once", "more", "to", "stop", "at", "once"]
    assert f"--resume --out {tmp_path}" in out.replace("\n", "")
    assert RunFolder(tmp_path).steps()[-1] == rows(tmp_path)[-1]["step"]


def test_the_model_sees_no_byte_that_comes_later():
    network = model.Transformer(model.ModelConfig(layers=2, width=16, heads=2), nnx.Rngs(0))
    network.head.kernel.set_value(jnp.ones((16, 256)).at[:8].set(-1.0))  # it starts at zero
    tokens = np.random.default_rng(0).integers(0, 256, (1, 12))
    changed = tokens.copy()
    changed[0, 7] += 1
    one, two = network(jnp.asarray(tokens)), network(jnp.asarray(changed % 256))
    np.testing.assert_array_equal(one[:, :7], two[:, :7])
    assert jnp.all(jnp.any(one[:, 7:] != two[:, 7:], axis=-1))
