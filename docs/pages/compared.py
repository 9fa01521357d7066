"""What an algorithm is compared with, and how far from it it was."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, NamedTuple

from docs.pages.held import HELD, REASONS

KEPT = Path(__file__).with_name("deviations.json")
GOLDEN = Path(__file__).resolve().parent.parent.parent / "tests" / "golden"

FACTOR, ROUNDING = 100, 1e-13


class Row(NamedTuple):
    """One comparison."""

    by: str  # the implementation, with its version
    call: str
    difference: float  # the largest of a number
    deviation: float  # the largest, over the size of what is expected
    allowed: float  # of that
    note: str
    own: bool  # or of something that it is a part of


@functools.cache
def measured() -> dict[str, Any]:
    """What `docs.pages.deviations` wrote: by golden case, and by name of an algorithm."""
    return json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {"golden": {}, "tests": {}}


@functools.cache
def golden() -> list[dict[str, Any]]:
    """The records of the golden cases."""
    return [case for file in sorted(GOLDEN.glob("*.json")) for case in json.loads(file.read_text("utf-8"))]


def alike(found: float, recorded: float) -> bool:
    """Whether a deviation is still of the size that was recorded; compilers round differently."""
    low, high = sorted(max(x, ROUNDING) for x in (found, recorded))
    return high <= FACTOR * low


def rows(name: str) -> list[Row]:
    """The comparisons of an algorithm: those of its own name first, then of what it is a part of."""
    found, kept = [], measured()
    for case in golden():
        one = kept["golden"].get(case["name"])
        if one and name in one["of"]:
            by, own = _by(case["oracle"]["library"], case["oracle"]["version"]), name in case["config"]
            found.append(_row(by, case["oracle"]["call"], one, case.get("notes", ""), own))
    if name in HELD:
        one, held = kept["tests"][name], HELD[name]
        found.append(_row(_by(held.library, one["version"]), held.call, one))
    order = sorted(found, key=lambda row: (not row.own, row.by.startswith("NumPy"), row.call))
    return list(dict.fromkeys(order))


def _by(library: str, version: str) -> str:
    return f"NumPy {version}, from the paper" if library == "numpy" else f"{library} {version}"


def _row(by: str, call: str, one: dict[str, Any], note: str = "", own: bool = True) -> Row:
    bits = "" if one["dtype"] == "float64" else "in float32"
    said = "; ".join(part for part in (note, bits) if part)
    return Row(by, call, one["difference"], one["deviation"], one["allowed"], said, own)


def reason(name: str) -> str:
    """Why there is nothing to compare with."""
    return REASONS.get(name, "")
