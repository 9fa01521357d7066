"""The language model example: a mistake is one line, and nothing is lost by it."""

import numpy as np
import pytest
from flax import nnx
from lm import training
from lm.checkpoint import RunFolder
from lm_cases import RUN, complaint


def test_a_loss_that_is_not_finite_ends_the_run(text, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training, "train_step", nnx.jit(lambda *_: {"loss": np.float32("nan")}))
    assert "--skip" in complaint(capsys, [*RUN, f"--text={text}", f"--out={tmp_path}"])
    assert not RunFolder(tmp_path).steps()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--text=/no/such/path"], "no such path"),
        (["--optimizer=adamwt"], "did you mean adamw"),
        (["--optimizer=scale_by_adam"], "not a whole optimizer"),
        (["--set", "b3=0.9"], "b3"),
        (["--set", "b2"], "NAME=VALUE"),
        (["--set", "b2=0.9", "--set", "b2=0.5"], "b2 stands twice"),
        (["--set", 'mu_dtype={"a": 1, "a": 2}'], "'a' stands twice"),
        (["--lr=fast"], "--lr"),
        (["--lr=-1"], "--lr"),
        (["--ema=1.5"], "--ema"),
        (["--steps=0"], "--steps"),
        (["--schedule=sawtooth"], "sawtooth"),
        (["--stepz=3"], "did you mean --steps"),
        (["--heads=3"], "--width 16"),
        (["--config=/no/such.json"], "cannot read"),
        (["--resume"], "--out"),
        (["--out="], "--out: no name is given"),
        (["--text="], "--text: no name is given"),
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
    [
        ("{", "not JSON"),
        ("[]", "no optimizer"),
        ('{"adm": {"learning_rate": 1}}', "did you mean"),
        ('{"adam": {"learning_rate": 1, "b2": 0.9, "b2": 0.5}}', "the key 'b2' stands twice"),
        ('{"a":' * 100_000, "nested too deep"),
    ],
)
def test_a_config_that_is_wrong_is_one_line(content, expected, text, tmp_path, capsys):
    file = tmp_path / "optimizer.json"
    file.write_text(content)
    assert expected in complaint(
        capsys, [*RUN, f"--text={text}", f"--config={file}", f"--out={tmp_path / 'out'}"]
    )


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--width=32", "model.width is 16 there and 32 here"),
        ("--optimizer=lion", "another optimizer"),
        ("--lr=0.5", "init_value is 0.002 there and 0.167 here"),
        ("--steps=30", "leave out --steps,"),
        ("--ema=0.9", "is monitored there and average here"),
        ("--seed=1", "order.seed is 0 there and 1 here"),
        (f"--text={__file__}", "another text"),
    ],
)
def test_a_run_that_would_go_on_differently_is_not_resumed(flag, expected, finished, capsys):
    before = sorted(p.name for p in finished.rglob("*"))
    assert expected in complaint(capsys, ["--resume", f"--out={finished}", flag])
    assert sorted(p.name for p in finished.rglob("*")) == before


def test_there_must_be_a_checkpoint_to_resume(tmp_path, capsys):
    assert "no checkpoint" in complaint(capsys, ["--resume", f"--out={tmp_path}"])
