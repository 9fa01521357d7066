"""Tables of measurements as CSV files beside this module, in results/."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import gradchain as gc

RESULTS = Path(__file__).parent / "results"
RUNS = RESULTS / "quality"  # where runs.csv is, of single runs


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def write(name: str, rows: Iterable[Mapping[str, Any]], folder: Path = RESULTS) -> Path:
    """Write rows with the same keys to <name>.csv, numbers to six digits."""
    rows = list(rows)
    if not rows:
        raise ValueError(f"{name}: nothing was measured")
    return gc.writers.table(folder / f"{name}.csv", [{k: _text(v) for k, v in row.items()} for row in rows])


def read(name: str, folder: Path = RESULTS) -> list[dict[str, Any]]:
    """The rows of <name>.csv, numbers as numbers."""
    with (folder / f"{name}.csv").open(newline="") as file:
        return [{k: _number(v) for k, v in row.items()} for row in csv.DictReader(file)]


def runs(steps: int, folder: Path = RUNS) -> list[dict[str, Any]]:
    """The single training runs of this length that are kept in runs.csv."""
    found = read("runs", folder) if (folder / "runs.csv").exists() else []
    return [run for run in found if run["steps"] == steps]


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as aligned text."""
    rows = [{k: _text(v) for k, v in row.items()} for row in rows]
    width = {k: max(len(k), *(len(row[k]) for row in rows)) for k in rows[0]}
    lines = ["  ".join(k.rjust(width[k]) for k in rows[0])]
    return "\n".join([*lines, *("  ".join(row[k].rjust(width[k]) for k in row) for row in rows)])
