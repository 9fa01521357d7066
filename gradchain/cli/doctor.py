"""The command doctor: what a run's recorded numbers say is wrong with it."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from gradchain.cli import output
from gradchain.cli.given import UsageError
from gradchain.config.given import FORMS, optimizer
from gradchain.core import words
from gradchain.doctor.diagnose import diagnose
from gradchain.writers.reading import numbers, records


def add_to(commands: Any) -> None:
    """The parser of the command."""
    one = commands.add_parser("doctor", help="what looks wrong in a run, from the numbers that it recorded")
    one.add_argument(
        "history", metavar="RUN", help="a .jsonl or .csv with one row for each step, or their folder"
    )
    one.add_argument("--optimizer", metavar="OPTIMIZER", help=f"what it was run with: {FORMS}")
    one.add_argument("--steps", type=int, metavar="N", help="of the whole run")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what is found; 1 if it is more than notes."""
    tx = optimizer(args.optimizer) if args.optimizer else None
    found = diagnose(history=history(Path(args.history)), tx=tx, steps=args.steps)
    if args.json:
        output.as_json(dataclasses.asdict(found))
    else:
        print(found)
    return 1 if any(finding.severity != "note" for finding in found.findings) else 0


def history(path: Path) -> list[dict[str, float]]:
    """The rows of a file of JSON lines or CSV, numbers alone; of a folder its newest such file."""
    if path.is_dir():
        files = [f for kind in ("*.jsonl", "*.csv") for f in path.glob(kind)]
        if not files:
            raise UsageError(f"{path}: no .jsonl or .csv in this folder")
        path = max(files, key=lambda f: f.stat().st_mtime)
    try:
        found = [numbers(row) for row in records(path)]
    except ValueError as error:
        raise UsageError(words.plain(str(error))) from None
    if not any(found):
        raise UsageError(f"{path}: no numbers in it; expected a row of named numbers for each step")
    return found
