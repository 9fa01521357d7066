"""Plan: what becomes of each leaf of a state, decided from names, shapes and dtypes before any is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from gradchain.checkpoint import ages
from gradchain.checkpoint.cells import Cell, cells, split
from gradchain.checkpoint.errors import CheckpointError, misfit, show
from gradchain.checkpoint.report import LoadReport, Outcome
from gradchain.core import select, tree
from gradchain.core.codec import Codec, field_of
from gradchain.core.transform import Transform


@dataclasses.dataclass(frozen=True)
class Saved:
    """What a checkpoint holds: arrays by path, of which shape and dtype suffice here."""

    arrays: Mapping[str, Any]
    codecs: Mapping[str, Codec] | None = None  # by path, of the leaves that are not exact; None: not known
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)  # by path, for the report
    optimizer: str = ""  # which one it was saved with, for messages


@dataclasses.dataclass(frozen=True)
class Step:
    """What becomes of one cell: made of saved arrays or, without any, as at the start."""

    cell: Cell
    sources: tuple[str, ...] = ()
    before: Codec | None = None  # the codec that the sources are kept by
    note: str = ""
    largest: bool = False  # the largest of the sources: a counter that goes on with the others


@dataclasses.dataclass(frozen=True)
class Plan:
    """All steps, and what is left over with the reasons."""

    tx: Transform
    params: Any
    slots: Any
    steps: tuple[Step, ...]
    dropped: tuple[Outcome, ...]

    @property
    def report(self) -> LoadReport:
        """The steps as what came of them."""
        done = [
            Outcome(
                "loaded" if s.sources and not s.largest else "initialised", s.cell.path, s.cell.field, s.note
            )
            for s in self.steps
            if not s.cell.empty
        ]
        return LoadReport((*done, *self.dropped))


@dataclasses.dataclass(frozen=True)
class Wishes:
    """How a state is to be loaded, and what messages call it."""

    initialise: Any = ()
    strict: bool = False
    who: str = "load_state"

    def anew(self, path: str) -> bool:
        """Whether a leaf is to start anew whatever was saved."""
        given = self.initialise
        patterns = [given] if isinstance(given, str) or hasattr(given, "search") else given
        return any(select.matches(pattern, path) for pattern in patterns)


def plan(tx: Transform, params: Any, saved: Saved, wishes: Wishes) -> Plan:
    """What becomes of each leaf that `tx` keeps; errors for what does not fit."""
    slots = tx.slots(params)
    found = cells(slots, params)
    steps = [_decide(cell, saved, wishes) for cell in found.values()]
    _same_kind(steps, saved, tree.paths(params), tx, wishes)
    counts = tuple(p for s in steps for p in s.sources if p.endswith("/count"))
    clocks = ages.ticking(tx, slots, steps)
    for i, step in enumerate(steps):
        if step.cell.path in clocks and not step.sources and counts and not wishes.anew(step.cell.path):
            note = "goes on from the largest count"
            steps[i] = dataclasses.replace(step, sources=counts, note=note, largest=True)
    slots, steps = ages.with_ages(tx, params, slots, steps, saved)
    found = {step.cell.path: step.cell for step in steps}
    dropped = _leftovers(steps, found, saved, tree.paths(params), wishes)
    made = Plan(tx, params, slots, tuple(steps), dropped)
    if wishes.strict:
        _complete(made.report, wishes.who)
    return made


def _decide(cell: Cell, saved: Saved, wishes: Wishes) -> Step:
    if cell.empty:
        return Step(cell)
    if wishes.anew(cell.path):
        return Step(cell, note="as asked")
    if cell.path not in saved.arrays:
        return Step(cell, note=saved.notes.get(cell.path) or _why_missing(cell, saved))
    before = _guess(cell, saved, wishes.who) if saved.codecs is None else saved.codecs.get(cell.path)
    wanted = (cell.whole,) if before is None else before.slots(cell.whole)
    sources = tuple(cell.path_of(part) for part in (before.parts if before is not None else ("",)))
    for source, slot in zip(sources, wanted, strict=True):
        if source not in saved.arrays:
            misfit(wishes.who, source, "missing", f"{show(slot)}, a part of {before}", _again(cell))
        if tuple(saved.arrays[source].shape) != tuple(slot.shape):
            advice = f"It was saved for another model: load it for that model's parameters{_or_anew(cell)}"
            misfit(wishes.who, source, show(saved.arrays[source]), show(slot), advice)
    notes = [saved.notes.get(cell.path, "")]
    for source, slot in zip(sources, wanted, strict=True):
        notes.append(_cast(source, saved.arrays[source], slot, before is None, cell, wishes.who))
    if before != cell.codec:
        notes = [f"{_stored(before)} -> {_stored(cell.codec)}"]
    return Step(cell, sources, before, ", ".join(filter(None, notes)))


def _guess(cell: Cell, saved: Saved, who: str) -> Codec | None:
    """How a leaf is kept of which nobody says: as the optimizer keeps it, if it looks so, or else exactly."""
    parts = {cell.path_of(part): slot for part, (_, slot) in cell.parts.items()}
    if all(p in saved.arrays and _alike(saved.arrays[p], slot) for p, slot in parts.items()):
        return cell.codec
    x, whole = saved.arrays[cell.path], cell.whole
    codes = jnp.issubdtype(whole.dtype, jnp.inexact) and (
        x.dtype.itemsize == 1 or (whole.positive and x.dtype == jnp.float16)
    )
    if codes:
        advice = "These may be the codes of a codec: pass saved_by=the optimizer that it was saved with"
        misfit(who, cell.path, show(x), show(cell.parts[""][1]), advice)
    return None


def _alike(x: Any, slot: Any) -> bool:
    return tuple(x.shape) == tuple(slot.shape) and x.dtype == slot.dtype


def _cast(path: str, x: Any, slot: Any, exact: bool, cell: Cell, who: str) -> str:
    """A note where a float has another width; an error for any other difference of dtypes."""
    if x.dtype == slot.dtype:
        return ""
    kinds = (jnp.floating, jnp.complexfloating)
    if exact and any(jnp.issubdtype(x.dtype, k) and jnp.issubdtype(slot.dtype, k) for k in kinds):
        return f"{jnp.dtype(x.dtype).name} -> {jnp.dtype(slot.dtype).name}"
    misfit(who, path, show(x), show(slot), _again(cell))


def _again(cell: Cell) -> str:
    return f"Pass saved_by=the optimizer that it was saved with{_or_anew(cell)}"


def _or_anew(cell: Cell) -> str:
    return f", or initialise={('**/' + cell.leaf if cell.leaf else cell.path)!r} to start anew there"


def _stored(codec: Codec | None) -> str:
    return "exact" if codec is None else codec.name


def _link(path: str) -> str:
    return path.rpartition("/")[0]


def _why_missing(cell: Cell, saved: Saved) -> str:
    if any(_within(path, cell.field) for path in saved.arrays):
        return "no such leaf in the checkpoint"
    if any(_within(path, _link(cell.field)) for path in saved.arrays):
        return "no such field in the checkpoint"
    return "no such link in the checkpoint"


def _within(path: str, start: str) -> bool:
    return path == start or path.startswith(f"{start}/")


def _leftovers(steps, found: Mapping[str, Cell], saved: Saved, names, wishes: Wishes) -> tuple[Outcome, ...]:
    used = {path for step in steps for path in step.sources}
    used |= {c.path_of(part) for c in found.values() if c.empty or wishes.anew(c.path) for part in c.parts}
    fields = {cell.field for cell in found.values()}
    # Fields in which a codec kept its further parts hold scalars for the leaves that it left exact.
    extra = {
        field_of(split(path, names)[0], part)
        for path, codec in (saved.codecs or {}).items()
        for part in codec.parts
        if part
    }
    dropped = []
    for path, x in saved.arrays.items():
        field = split(path, names)[0]
        if path in used or (field in extra and not x.shape):
            continue
        if field not in fields:  # perhaps of a leaf that the parameters do not have
            field = next((f for f in fields if _within(path, f)), field)
        if field in fields:
            why = "no such leaf in the optimizer"
        elif any(_link(field) == _link(f) for f in fields):
            why = "no such field in the optimizer"
        else:
            why = "no such link in the optimizer"
        dropped.append(Outcome("dropped", path, _shorter(field, fields), why))
    return tuple(dropped)


def _shorter(field: str, fields: set[str]) -> str:
    """A field by which leftovers are grouped: link and field, if a leaf of another model follows."""
    return field if field in fields else "/".join(field.split("/")[:2])


def _same_kind(steps, saved: Saved, names, tx: Transform, wishes: Wishes) -> None:
    """Raise where nothing fits that is kept per leaf: it is of another model, or of another optimizer."""
    ours = [s for s in steps if s.cell.whole.shape and not wishes.anew(s.cell.path)]
    theirs = [path for path, x in saved.arrays.items() if x.shape]
    if not ours or not theirs or any(s.sources for s in ours):
        return
    fields = {s.cell.field for s in ours}
    path = next((p for p in theirs if any(_within(p, f) for f in fields)), None)
    if path is not None:
        wanted = next(s.cell for s in ours if _within(path, s.cell.field))
        what, advice = "of another model", "Load it for the parameters it was saved with"
    else:
        path, wanted = theirs[0], ours[0].cell
        what = f"of another optimizer{f', {saved.optimizer}' if saved.optimizer else ''}"
        advice = f"Load it with that one, or begin with {tx.name}'s tx.init(params)"
    raise CheckpointError(
        f"{wishes.who}: nothing fits; the checkpoint is {what}: it holds {path!r} "
        f"({show(saved.arrays[path])}) and {len(theirs) - 1} more arrays; expected {wanted.path!r} "
        f"({show(wanted.whole)}) and {len(ours) - 1} more. {advice}"
    )


def _complete(report: LoadReport, who: str) -> None:
    odd = [o for o in report.outcomes if o.kind != "loaded"]
    if not odd:
        return
    listed = "".join(f"\n  {o.kind}: {o.path} ({o.note})" for o in odd[:20])
    more = f"\n  and {len(odd) - 20} more" if len(odd) > 20 else ""
    raise CheckpointError(
        f"{who}: strict=True, and {len(odd)} of {len(report.outcomes)} leaves are not alike; "
        f"leave out strict to go on with these{listed}{more}"
    )
