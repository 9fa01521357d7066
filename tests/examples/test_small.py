"""Every small example runs in its short form, prints a table and writes a figure; wrong flags are said."""

import importlib
import sys

import pytest

SMALL = (
    *("batch_growth", "breast_cancer", "clip_recurrent", "compress", "digits_classifier", "early_stopping"),
    *("fine_tune", "keras_fit", "linear_autoencoder", "ppo", "regularisation", "theta_squared", "vae"),
)


@pytest.fixture(params=SMALL)
def example(request, monkeypatch):
    """A module of examples/, as the program that is run."""
    module = importlib.import_module(request.param)
    monkeypatch.setitem(sys.modules, "__main__", module)
    return module


@pytest.mark.slow
@pytest.mark.example
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras, while it saves
def test_short_form(example, tmp_path, capsys):
    example.main(["--short", "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "━" in shown and "figure:" in shown
    assert (tmp_path / f"{example.__name__}.png").read_bytes()[:4] == b"\x89PNG"


def test_says_how_it_is_run(example):
    first, *rest = example.__doc__.strip().splitlines()
    assert len(first) <= 110 and first.endswith(".")
    assert f"python examples/{example.__name__}.py" in "\n".join(rest)


def test_wrong_flags_are_said(example, capsys):
    with pytest.raises(SystemExit):
        example.main(["--seeds", "3", "--nothing"])
    assert "--nothing" in capsys.readouterr().err


def test_a_number_must_be_above_zero(capsys):
    theta = importlib.import_module("theta_squared")
    with pytest.raises(SystemExit):
        theta.main(["--steps", "-1"])
    assert "--steps -1: expected more than 0" in capsys.readouterr().err
