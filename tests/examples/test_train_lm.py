"""The language model example: what it leaves behind, exact resumption, errors in one line."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax import nnx

import gradchain as gc

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

import train_lm  # noqa: E402
from lm import UserError, data, flags, optimizers, training  # noqa: E402
from lm.checkpoint import RunFolder  # noqa: E402

SMALL = ("--layers=1", "--width=16", "--heads=1", "--seq-len=16", "--batch=4")
RUN = (*SMALL, "--steps=20", "--eval-every=5")


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    """A folder of ten files that can be learned."""
    folder, chance = tmp_path_factory.mktemp("text"), random.Random(0)
    for i in range(10):
        lines = [
            f"def f{chance.randrange(9)}(x):\n    return x + {chance.randrange(9)}\n\n" for _ in range(20)
        ]
        (folder / f"part{i}.py").write_text("".join(lines))
    return folder


@pytest.fixture(scope="module")
def finished(text, tmp_path_factory) -> Path:
    """A run of 20 steps; tests read it and do not change it."""
    out = tmp_path_factory.mktemp("finished")
    assert train_lm.main([*RUN, f"--text={text}", f"--out={out}"]) == 0
    return out


def rows(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def arrays(out: Path, step: int) -> dict[str, np.ndarray]:
    restored = ocp.StandardCheckpointer().restore(out / "checkpoints" / str(step) / "default")
    return {name: np.asarray(x) for name, x in restored.items()}


def complaint(capsys, argv) -> str:
    """The one line on stderr of a command that must fail."""
    capsys.readouterr()
    try:
        code = train_lm.main(list(map(str, argv)))
    except SystemExit as stop:  # argparse
        code = stop.code
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert code not in (0, None)
    assert len(lines) == 1, captured.err
    return lines[0]


def test_a_run_learns_and_leaves_metrics_curves_and_checkpoints(finished):
    found = rows(finished)
    assert [row["step"] for row in found] == list(range(1, 21))
    assert [row["step"] for row in found if "validation_loss" in row] == [5, 10, 15, 20]
    assert found[-1]["validation_loss"] < found[4]["validation_loss"] < np.log(256)
    assert max(row["learning_rate"] for row in found) == pytest.approx(1e-2)
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


@pytest.mark.parametrize(
    "more", [(), ("--accumulate=2", "--ema=0.999", "--skip", "--optimizer=lion", "--lr=0.01")]
)
def test_a_run_that_is_stopped_and_resumed_ends_in_the_same_bits(more, text, finished, tmp_path, monkeypatch):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    argv = [*RUN, *more, f"--text={text}"]
    if more:
        assert train_lm.main([*argv, f"--out={whole}"]) == 0
    else:
        whole = finished
    real = data.Corpus.batch

    def interrupted(self, seed, index, *size):
        if index == (17 if more else 8):  # in the ninth step
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
    if more:  # the average, which lags behind by 1000 steps, is what is validated
        assert rows(whole)[-1]["validation_loss"] > rows(whole)[-1]["loss"] + 0.5
    for a, b in zip(rows(whole), rows(halves), strict=True):
        for name in ("step", "loss", "learning_rate", "grad_norm", "validation_loss"):
            assert a.get(name) == b.get(name), (a["step"], name)


def test_steps_with_a_gradient_that_is_not_finite_can_be_skipped(text, tmp_path):
    argv = [*RUN, f"--text={text}", f"--out={tmp_path}", "--skip"]
    assert train_lm.main([*argv, "--optimizer=sgd", "--lr=3e38", "--schedule=constant"]) == 0
    assert rows(tmp_path)[-1]["skipped"] > 0


def test_a_loss_that_is_not_finite_ends_the_run(text, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training, "train_step", nnx.jit(lambda *_: {"loss": np.float32("nan")}))
    assert "--skip" in complaint(capsys, [*RUN, f"--text={text}", f"--out={tmp_path}"])
    assert not RunFolder(tmp_path).steps()


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


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--text=/no/such/path"], "no such path"),
        (["--optimizer=adamwt"], "did you mean adamw"),
        (["--optimizer=scale_by_adam"], "not a whole optimizer"),
        (["--set", "b3=0.9"], "b3"),
        (["--set", "b2"], "NAME=VALUE"),
        (["--lr=fast"], "--lr"),
        (["--lr=-1"], "--lr"),
        (["--ema=1.5"], "--ema"),
        (["--steps=0"], "--steps"),
        (["--schedule=sawtooth"], "sawtooth"),
        (["--stepz=3"], "did you mean --steps"),
        (["--heads=3"], "--width 16"),
        (["--config=/no/such.json"], "cannot read"),
        (["--resume"], "--out"),
        ([f"--out={__file__}"], "cannot write there"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(flags, expected, text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert expected in complaint(capsys, [*RUN, f"--text={text}", *flags])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "expected"), [(b"", "is empty"), (b"x" * 50, "too short"), (b"x", "too short")]
)
def test_a_text_that_is_empty_or_too_short_is_one_line(content, expected, tmp_path, capsys):
    file = tmp_path / "text"
    file.write_bytes(content)
    assert expected in complaint(capsys, [*RUN, f"--text={file}", f"--out={tmp_path / 'out'}"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [("{", "not JSON"), ("[]", "no optimizer"), ('{"adm": {"learning_rate": 1}}', "did you mean")],
)
def test_a_config_that_is_wrong_is_one_line(content, expected, text, tmp_path, capsys):
    file = tmp_path / "optimizer.json"
    file.write_text(content)
    assert expected in complaint(
        capsys, [*RUN, f"--text={text}", f"--config={file}", f"--out={tmp_path / 'out'}"]
    )


def test_a_checkpoint_is_replaced_only_on_demand(text, tmp_path, capsys):
    argv = [*RUN, f"--text={text}", f"--out={tmp_path}"]
    assert train_lm.main(argv) == 0
    before = arrays(tmp_path, 20)
    assert "--overwrite" in complaint(capsys, [*argv, "--seed=1"])
    after = arrays(tmp_path, 20)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert train_lm.main([*argv, "--seed=1", "--overwrite"]) == 0
    assert any(not np.array_equal(x, before[name]) for name, x in arrays(tmp_path, 20).items())


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--width=32", "model.width is 16 there and 32 here"),
        ("--optimizer=lion", "another optimizer"),
        ("--lr=0.5", "init_value is 0.005 there and 0.25 here"),
        ("--steps=30", "decay_steps is 20 there and 30 here"),
        ("--ema=0.9", "is monitored there and average here"),
        ("--seed=1", "order.seed is 0 there and 1 here"),
        (f"--text={__file__}", "another text"),
    ],
)
def test_a_run_that_would_go_on_differently_is_not_resumed(flag, expected, finished, capsys):
    before = sorted(p.name for p in finished.rglob("*"))
    assert expected in complaint(capsys, ["--resume", f"--out={finished}", flag])
    assert sorted(p.name for p in finished.rglob("*")) == before


def test_there_must_be_a_readable_checkpoint_to_resume(finished, tmp_path, capsys):
    assert "no checkpoint" in complaint(capsys, ["--resume", f"--out={tmp_path}"])
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    for file in (tmp_path / "checkpoints" / "20" / "default").rglob("*"):
        if file.is_file():
            file.write_bytes(b"not a checkpoint")
    assert "checkpoints/20" in complaint(capsys, ["--resume", f"--out={tmp_path}"])


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


def test_whole_files_are_held_out_always_the_same(text):
    corpus, again = data.load(str(text)), data.load(str(text))
    kept, held = corpus.files
    assert kept + held == 10 and held >= 1
    assert corpus.fingerprint == again.fingerprint
    texts = [(text / f"part{i}.py").read_bytes() for i in range(10)]
    found = [(t in corpus.train.tobytes(), t in corpus.validation.tobytes()) for t in texts]
    assert sorted(found) == [(False, True)] * held + [(True, False)] * kept


def test_of_one_file_the_end_is_held_out(tmp_path):
    file = tmp_path / "one.txt"
    file.write_bytes(bytes(range(200)))
    corpus = data.load(str(file))
    assert corpus.train.tobytes() + corpus.validation.tobytes() == file.read_bytes()
    assert len(corpus.validation) == 20


def test_a_batch_depends_on_seed_and_index_alone(text):
    corpus = data.load(str(text))
    batch = corpus.batch(0, 3, 4, 16)
    assert batch.shape == (4, 17)
    np.testing.assert_array_equal(batch, corpus.batch(0, 3, 4, 16))
    assert not np.array_equal(batch, corpus.batch(0, 4, 4, 16))
    assert not np.array_equal(batch, corpus.batch(1, 3, 4, 16))


def test_without_a_path_the_standard_library_is_read():
    corpus = data.load(None)
    assert len(corpus.train) > 1e6
    assert 0.05 < len(corpus.validation) / len(corpus.train) < 0.15
    with pytest.raises(UserError, match="neither a file nor a folder"):
        data.load("/dev/null")
