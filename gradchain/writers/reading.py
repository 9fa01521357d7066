"""read: the columns of a file that `csv` or `jsonl` wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gradchain.core import words
from gradchain.writers.files import STEP, rows_of_csv


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The columns of a CSV or JSON Lines file by name, all of one length; NaN where a step gave no number.

    Where a step was written twice, as by a run that went on from an earlier checkpoint, each name has its
    last value; steps come in order. A half line at the end is left out, and so are texts.
    """
    return columns(records(path), f"writers.read: {path}")


def records(path: str | os.PathLike) -> Iterable[Mapping[str, Any]]:
    """The rows of a CSV or JSON Lines file, as they stand there."""
    path = Path(path)
    return _json_lines(path) if path.suffix.lower() in (".jsonl", ".json", ".ndjson") else rows_of_csv(path)


def numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """What in a row is a number."""
    return {str(k): x for k, v in row.items() if (x := _number(v)) is not None}


def columns(rows: Iterable[Mapping[str, Any]], who: str) -> dict[str, np.ndarray]:
    """Rows of numbers by name as columns; rows without a step are numbered."""
    by_step: dict[int, dict[str, float]] = {}
    names: dict[str, None] = {}
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(f"{who}: row {i} is {words.show(row)}; expected a mapping of names to numbers")
        try:
            step = int(float(row.get(STEP, i)))
        except (TypeError, ValueError):
            raise ValueError(
                f"{who}: row {i} has the step {words.show(row.get(STEP))}; expected a number"
            ) from None
        found = {k: x for k, x in numbers(row).items() if k != STEP}
        names |= dict.fromkeys(found)
        by_step.setdefault(step, {}).update(found)
    steps = sorted(by_step)
    made = {name: np.array([by_step[t].get(name, np.nan) for t in steps]) for name in names}
    return {STEP: np.array(steps, dtype=np.int64), **made}


def _number(value: Any) -> float | None:
    """A cell as a number; None for an empty one and for a text."""
    try:
        return None if value is None or value == "" else float(value)
    except (TypeError, ValueError):
        return None


def _json_lines(path: Path):
    with path.open(encoding="utf-8") as file:
        for i, line in enumerate(file, 1):
            if not line.endswith("\n") or not line.strip():
                continue  # cut off by a crash, or empty
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}: line {i} is not JSON: {error}") from None
            if not isinstance(row, dict):
                raise ValueError(
                    f"{path}: line {i} is {words.show(row)}; expected a mapping of names to numbers"
                )
            yield row
