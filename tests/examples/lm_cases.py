"""What the tests of the language model example share: small runs, and what they leave behind."""

import json
import sys
from pathlib import Path

import numpy as np
import orbax.checkpoint as ocp

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
    restored = ocp.StandardCheckpointer().restore(out / "checkpoints" / str(step) / "default")
    return {name: np.asarray(x) for name, x in restored.items()}


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
