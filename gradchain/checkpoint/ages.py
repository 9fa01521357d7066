"""Clocks and ages in a plan: counters that go on with the run, and leaves that begin in the middle of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gradchain.checkpoint.cells import Cell, cells, clocks
from gradchain.core import ages, hyper
from gradchain.core.link import BORN, Link
from gradchain.core.transform import Transform
from gradchain.report.links import links

if TYPE_CHECKING:
    from gradchain.checkpoint.plan import Saved, Step


def ticking(tx: Transform, slots: Mapping, steps: Sequence[Step]) -> set[str]:
    """The counters that go on with the run where none was saved.

    Those that noise is made from, those that schedules read, and those of links whose leaves go on.
    """
    loaded = {_link(step.cell) for step in steps if step.sources and step.cell.leaf}
    found = clocks(slots)
    for place in links(tx):
        if place.way is not None and isinstance(place.body, Link):
            if any(map(hyper.is_schedule, place.hyperparams.values())):
                found |= {f"{place.path}/{name}" for name in ("count", place.body.clock)}
            if place.body.ages and place.path in loaded:
                found.add(f"{place.path}/count")
    return found


def with_ages(
    tx: Transform, params: Any, slots: Any, steps: list[Step], saved: Saved
) -> tuple[Any, list[Step]]:
    """Slots and steps with a start for each leaf that begins in the middle of a run, or once did.

    A leaf begins where none of its arrays in a link was saved while the link's count goes on.
    """
    counts = {_link(s.cell): s for s in steps if s.cell.field.endswith("/count") and s.sources}
    late: dict[str, Step] = {}
    for place in links(tx, params):
        if not (place.path in counts and isinstance(place.body, Link) and place.body.ages):
            continue
        mine: dict[str, list[Step]] = {}
        for step in steps:
            if step.cell.leaf and not step.cell.empty and _link(step.cell) == place.path:
                mine.setdefault(step.cell.leaf, []).append(step)
        for leaf, own in mine.items():
            name = f"{place.path}/{BORN}/{leaf}"
            arrays = [s for s in own if s.cell.whole.shape] or own  # others hold a place
            if not any(s.sources for s in arrays):
                note = "begins at the count of its link"
                late[name] = dataclasses.replace(counts[place.path], note=note, largest=True)
            elif name in saved.arrays:
                late[name] = dataclasses.replace(counts[place.path], sources=(name,), note="", largest=False)
    if not late:
        return slots, steps
    slots = ages.among(slots, late)
    planned = {step.cell.path: step for step in steps} | late
    return slots, [dataclasses.replace(planned[p], cell=c) for p, c in cells(slots, params).items()]


def _link(cell: Cell) -> str:
    return cell.field.rpartition("/")[0]
