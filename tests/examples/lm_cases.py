"""What the tests of the language model example share: small runs, and what they leave behind."""

import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import orbax.checkpoint as ocp
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

import train_lm  # noqa: E402
import train_sharded  # noqa: E402, F401

SMALL = ("--layers=1", "--width=16", "--heads=1", "--seq-len=16", "--batch=4")
RUN = (*SMALL, "--steps=20", "--eval-every=5")


def rows(out: Path) -> list[dict]:
    """The metrics of a run."""
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def arrays(out: Path, step: int) -> dict[str, np.ndarray]:
    """A checkpoint, read without the example's code."""
    reader, path = ocp.PyTreeCheckpointer(), out / "checkpoints" / str(step) / "arrays"
    how = {
        name: ocp.RestoreArgs(restore_type=np.ndarray) for name in reader.metadata(path).item_metadata.tree
    }
    return reader.restore(path, restore_args=how)


@contextlib.contextmanager
def undrawn():
    """Runs within leave an empty picture, which takes no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_lm.report, "curves", lambda rows, path, optimizer: path.touch())
        yield


def said(argv, code=0, program=train_lm, draws=False) -> str:
    """What a command prints that must end with this code."""
    drawing = contextlib.nullcontext() if draws else undrawn()
    with drawing, contextlib.redirect_stdout(io.StringIO()) as out:
        assert program.main([*map(str, argv)]) == code, out.getvalue()
    return out.getvalue()


def complaint(capsys, argv, program=train_lm) -> str:
    """The one line on stderr of a command that must fail."""
    capsys.readouterr()
    try:
        code = program.main(list(map(str, argv)))
    except SystemExit as stop:  # argparse
        code = stop.code
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert code not in (0, None)
    assert len(lines) == 1, captured.err
    return lines[0]
