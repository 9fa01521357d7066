"""Plan: what becomes of each leaf of a state, decided from names, shapes and dtypes before any is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gradchain.checkpoint import ages
from gradchain.checkpoint.cells import Cell, counts, split
from gradchain.checkpoint.ensemble import Layout
from gradchain.checkpoint.errors import CheckpointError, misfit, show
from gradchain.checkpoint.report import LoadReport, Outcome
from gradchain.checkpoint.wishes import Wishes
from gradchain.core import tree
from gradchain.core.codec import Codec, field_of
from gradchain.core.transform import Transform
from gradchain.report.links import links, tunables


@dataclasses.dataclass(frozen=True)
class Saved:
    """What a checkpoint holds: arrays by path, of which shape and dtype suffice here."""

    arrays: Mapping[str, Any]
    codecs: Mapping[str, Codec | str] | None = None  # by path, where not exact; as text where not known here
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)  # by path, for the report
    optimizer: str = ""  # which one it was saved with, for messages
    guess: bool = True  # where codecs is None: what looks as the optimizer keeps it is taken for that


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

    layout: Layout
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


def plan(layout: Layout, saved: Saved, wishes: Wishes) -> Plan:
    """What becomes of each leaf that the optimizer keeps; errors for what does not fit."""
    found, names = layout.cells, tree.paths(layout.params)
    saved = dataclasses.replace(saved, arrays=layout.of_members(saved.arrays, wishes.who))
    steps = [_decide(cell, saved, wishes) for cell in found.values()]
    _same_kind(steps, saved, names, layout.tx, wishes)
    counters, ticking = counts(found), ages.ticking(layout.tx, layout.slots, steps)
    largest = tuple(p for s in steps for p in s.sources if p in counters)
    for i, step in enumerate(steps):
        if step.cell.path in ticking and not step.sources and largest and not wishes.anew(step.cell.path):
            note = "goes on from the largest count"
            steps[i] = dataclasses.replace(step, sources=largest, note=note, largest=True)
    layout, steps = ages.with_ages(layout, steps, saved)
    dropped = _leftovers(steps, layout.cells, saved, names, wishes)
    made = Plan(layout, tuple(steps), dropped)
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
    before = _before(cell, saved, wishes.who)
    wanted = (cell.whole,) if before is None else before.slots(cell.whole)
    sources = tuple(cell.path_of(part) for part in (before.parts if before is not None else ("",)))
    for source, slot in zip(sources, wanted, strict=True):
        if source not in saved.arrays:
            misfit(wishes.who, source, "missing", f"{show(slot)}, a part of {before}", _again(cell))
        if tuple(saved.arrays[source].shape) != tuple(slot.shape):
            advice = f"It was saved for another model: load it for that model's parameters{_or_anew(cell)}"
            if not slot.shape and cell.leaf is None:
                advice = (
                    "A state of jax.vmap(tx.init) goes with parameters that are stacked as its arrays are"
                )
            misfit(wishes.who, source, show(saved.arrays[source]), show(slot), advice)
    notes = [saved.notes.get(cell.path, "")]
    for source, slot in zip(sources, wanted, strict=True):
        notes.append(_cast(source, saved.arrays[source], slot, before is None, cell, wishes.who))
    if before != cell.codec:
        notes = [f"{_stored(before)} -> {_stored(cell.codec)}"]
    return Step(cell, sources, before, ", ".join(filter(None, notes)))


def _before(cell: Cell, saved: Saved, who: str) -> Codec | None:
    """How a leaf was kept: as the checkpoint says, in words that are understood here."""
    if saved.codecs is None:
        return _guess(cell, saved, who)
    said = saved.codecs.get(cell.path)
    if not isinstance(said, str):
        return said
    if said == repr(cell.codec):
        return cell.codec
    found = f"{show(saved.arrays[cell.path])}, kept by {said},"
    misfit(who, cell.path, found, "a codec of gradchain.codecs, or that of the optimizer", _again(cell))


def _guess(cell: Cell, saved: Saved, who: str) -> Codec | None:
    """How a leaf is kept of which nobody says: as the optimizer keeps it, if it looks so, or else exactly."""
    parts = {cell.path_of(part): slot for part, (_, slot) in cell.parts.items()}
    alike = all(p in saved.arrays and _alike(saved.arrays[p], slot) for p, slot in parts.items())
    if alike and (saved.guess or cell.codec is None or cell.codec.plain):
        return cell.codec
    x, whole = saved.arrays[cell.path], cell.whole
    small = x.dtype.itemsize == 1 or (whole.positive and x.dtype == jnp.float16)
    codes = alike or (small and jnp.issubdtype(whole.dtype, jnp.inexact))
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
        field_of(found[path].field if path in found else split(path, names)[0], part)
        for path, codec in (saved.codecs or {}).items()
        for part in getattr(codec, "parts", ())
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
    ours = [s for s in steps if not (s.cell.empty or wishes.anew(s.cell.path))]
    theirs = [path for path, x in saved.arrays.items() if x.shape]
    if theirs:
        ours = [s for s in ours if s.cell.whole.shape]
    theirs = theirs or list(saved.arrays)
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


def overridden(made: Plan, arrays: Mapping[str, Any]) -> Plan:
    """The plan with a note where a saved tunable stands before another number of the optimizer."""
    notes = {}
    for path, link, name in tunables(links(made.layout.tx, made.layout.params)):
        at, ours = f"{link.path}/hyperparams/{name}", link.hyperparams[name].value
        x = arrays.get(at)
        if x is None or isinstance(x, Tracer) or bool(np.all(np.asarray(x) == np.asarray(ours, x.dtype))):
            continue
        values = np.unique(np.asarray(x))
        theirs = ", ".join([*(f"{float(v):.6g}" for v in values[:3]), *(["..."] if values.size > 3 else [])])
        notes[at] = (
            f"{theirs} from the checkpoint; the optimizer says {ours:.6g}: "
            f"set_hyperparams(tx, state, {{{path!r}: {ours:.6g}}}) for that"
        )
    steps = [
        dataclasses.replace(s, note=", ".join(filter(None, (s.note, notes[s.cell.path]))))
        if s.cell.path in notes and s.sources
        else s
        for s in made.steps
    ]
    return dataclasses.replace(made, steps=tuple(steps))


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
