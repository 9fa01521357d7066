"""from_torch: the state of a torch optimizer as that of the same optimizer here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.checkpoint.cells import Cell, cells
from gradchain.checkpoint.ensemble import Layout
from gradchain.checkpoint.errors import CheckpointError, whole_number
from gradchain.checkpoint.fill import fill
from gradchain.checkpoint.given import needs_leaves
from gradchain.checkpoint.imported import CLOCKS
from gradchain.checkpoint.plan import Saved, overridden, plan
from gradchain.checkpoint.report import LoadReport
from gradchain.checkpoint.torch_checks import Seen, agreed, remarks, scaled, seen
from gradchain.checkpoint.torch_dicts import NUMBERS, WHO, Parameter, axes_of, read, turning
from gradchain.checkpoint.torch_factors import factors
from gradchain.checkpoint.torch_rules import RULES, check_form, momentum_rate, named
from gradchain.checkpoint.wishes import Wishes
from gradchain.core import hyper, tree
from gradchain.core.link import BORN, Link
from gradchain.core.states import state_class
from gradchain.core.transform import Transform
from gradchain.report.links import links


def from_torch(
    tx: Transform,
    params: Any,
    state: Any,
    names: Any = None,
    *,
    transpose: Any = None,
    initialise: Any = (),
    strict: bool = False,
    step: int | None = None,
) -> tuple[dict[str, Any], LoadReport]:
    """The state of `tx` from the `state_dict()` of the same optimizer in torch, and a report.

    `names`: torch's names in order, [n for n, _ in model.named_parameters()], or {name or id: path here, or
    None}; not needed where the state_dict has names. `state` may be several; `names` is then a list for each.
    `transpose`: the leaves that turn from [out, in, ...] to [..., in, out], a selection or {path: axes or
    bool}; others go by their shapes. Counters and ages of leaves come from torch's `step`; SGD and Muon keep
    none: `step` is then the number of steps, which schedules need. Another rule than torch's is an error;
    other numbers are remarks of the report, and errors with strict=True. The rest is as in `load_state`.
    """
    if not isinstance(tx, Transform):
        raise CheckpointError(
            f"{WHO}: tx is a {type(tx).__name__}; expected an optimizer of gradchain, in its own form"
        )
    needs_leaves(WHO, params)
    step = None if step is None else whole_number(f"{WHO}: step", step, 0)
    slots = tx.slots(params)
    found = cells(slots, params)
    wishes = Wishes(initialise, strict, WHO).over(params, found)
    theirs = read(state, names, params)
    taken = _Taken(tx, params, slots, found, wishes, theirs, turning(transpose, params), step)
    taken.arrays()
    taken.nothing_else()
    taken.counters()
    said = remarks(taken.places, taken.now)
    if strict and said:
        raise CheckpointError(
            f"{WHO}: strict=True, and the optimizer differs from torch's; leave out strict to go on with "
            "these:" + "".join(f"\n  {text}" for text in said)
        )
    taken.hyperparameters()
    left = {
        f"torch/{p.name}/{key}": x
        for p in theirs
        for key, x in p.held.items()
        if (p.name, key) not in taken.used
    }
    kinds = " and ".join(sorted({f"torch's {named(p)}" for p in theirs})) or "an optimizer of torch"
    saved = Saved(taken.made | left, {}, taken.notes(found), kinds)
    planned = overridden(plan(Layout(tx, params, slots, found), saved, wishes), taken.made)
    return fill(planned, taken.made), dataclasses.replace(planned.report, remarks=said)


@dataclasses.dataclass
class _Taken:
    """What the links take, link by link."""

    tx: Transform
    params: Any
    slots: Any
    found: Mapping[str, Cell]
    wishes: Wishes
    theirs: list[Parameter]
    turns: Mapping[str, Any]
    step: int | None  # as the caller says it
    made: dict[str, Any] = dataclasses.field(default_factory=dict)
    used: set[tuple[str, str]] = dataclasses.field(default_factory=set)  # (torch's name, torch's array)

    def __post_init__(self):
        self.at = {p.path: p for p in self.theirs if p.path is not None}
        self.shapes = {
            path: tuple(x.shape)
            for path, x in zip(tree.paths(self.params), jax.tree.leaves(self.params), strict=True)
        }
        self.places: list[Seen] = seen(links(self.tx, self.params), self.at)

    @property
    def now(self) -> int | None:
        """The step of the run: as the caller says, or the largest of torch's."""
        steps = [p.step for p in self.theirs if p.step is not None]
        return self.step if self.step is not None else max(steps, default=None)

    def arrays(self) -> None:
        """What links keep of each leaf."""
        for i, place in enumerate(self.places):
            if (rule := RULES.get(place.name)) is None:
                continue
            for p in place.parameters:
                keys = [k for k in rule.fields.values() if k in p.held and (p.name, k) not in self.used]
                mine = {field: _at(place.path, field, p.path) for field in rule.fields}
                if p.kind not in rule.kinds or not keys:
                    continue
                self.used |= {(p.name, key) for key in (*keys, *NUMBERS)}
                if not all(self.wishes.anew(path) for path in mine.values() if path in self.found):
                    made = self._leaf(i, p, {f: mine[f] for f, k in rule.fields.items() if k in keys}, mine)
                    self.made |= {mine[field]: x for field, x in made.items()}

    def _leaf(self, i: int, p: Parameter, known: Mapping[str, str], mine: Mapping[str, str]):
        """The fields of one leaf in a link, of which torch has those that are known."""
        place = self.places[i]
        check_form(place.path, place.name, place.args, p)
        axes = axes_of(p, self.shapes[p.path or ""], self.turns[p.path or ""])
        if p.kind == "Adafactor":
            cells_of = {field: self.found[path] for field, path in mine.items()}
            # In parts the norms are links of their own.
            made = factors(
                cells_of, p, axes, place.args.get("per_leaf", place.name == "scale_by_factored_rms")
            )
        else:
            factor, theirs = self._factor(i, place, p), RULES[place.name].fields
            made = {f: p.held[theirs[f]] if factor == 1 else factor * p.held[theirs[f]] for f in known}
            made = {f: np.transpose(x, axes) for f, x in made.items()}
        for field, x in made.items():
            _real(mine[field], x, self.found[mine[field]], p)
        if p.kind == "Muon":
            _oriented(mine["mu"], self.found[mine["mu"]], axes, p)
        return made

    def _factor(self, i: int, place: Seen, p: Parameter) -> float:
        """What an array of torch is multiplied by for a link."""
        if place.name not in ("trace", "ema"):
            return 1
        first = next((j for j, x in enumerate(self.places) if x.name in SOURCES and p in x.parameters), 0)
        return scaled(self.places[first:i], p, place.path) / momentum_rate(place.name, place.args, p)

    def nothing_else(self) -> None:
        """Raise where nothing of what torch keeps of a leaf fits what the rule keeps of it here."""
        others = {x.path for x in self.places if x.follows}
        for p in self.theirs:
            arrays = [key for key in p.held if key not in NUMBERS]
            mine = [c for c in self.found.values() if c.leaf == p.path and c.whole.shape and not c.empty]
            mine = [
                c for c in mine if c.field.rpartition("/")[0] not in others and not self.wishes.anew(c.path)
            ]
            if p.path is None or not arrays or not mine or any((p.name, key) in self.used for key in arrays):
                continue
            raise CheckpointError(
                f"{WHO}: nothing fits that torch's {named(p)} keeps of {p.path!r}: "
                f"{', '.join(map(repr, arrays))}; expected what {mine[0].path!r} is of. Pass the optimizer "
                f"here that is the same, or initialise={'**/' + p.path!r} to start anew there"
            )

    def counters(self) -> None:
        """The counters of links, and the leaves that are younger than their link."""
        for place in self.places:
            entry = place.entry(self.slots)
            if "count" not in getattr(entry, "_fields", ()):
                continue
            mine = [
                p
                for p in place.parameters
                if any(_at(place.path, f, p.path) in self.made for f in entry._fields)
            ]
            steps = {p.path: p.step for p in mine if p.step is not None}
            last = max(steps.values(), default=self.step)
            if not mine:
                clock = state_class(entry).__name__ in CLOCKS or place.scheduled
                last = self.now if clock else None
            if last is None:
                self._needs_count(place)
                continue
            self.made[f"{place.path}/count"] = np.asarray(last, np.int32)
            if isinstance(place.body, Link) and place.body.ages:
                born = {path: last - n for path, n in steps.items() if n < last}
                self.made |= {
                    _at(place.path, BORN, path): np.asarray(n, np.int32) for path, n in born.items()
                }

    def _needs_count(self, place: Seen) -> None:
        if not place.scheduled or self.wishes.anew(f"{place.path}/count"):
            return
        kinds = sorted({named(p) for p in self.theirs})
        raise CheckpointError(
            f"{WHO}: {place.path + '/count'!r} is the step of a schedule, and torch's {' and '.join(kinds)} "
            "has kept none; expected the number of steps so far. Pass step=, such as the last_epoch of a "
            "scheduler of torch that was stepped with the optimizer"
        )

    def hyperparameters(self) -> None:
        """Numbers that links keep in the state: learning rates, and what is tunable."""
        for place in self.places:
            for name in getattr(place.entry(self.slots), "hyperparams", ()):
                values = place.theirs(name, self.now or 0)
                if (value := agreed(values)) is not None:
                    self.made[f"{place.path}/hyperparams/{name}"] = np.asarray(value, hyper.float_type())

    def notes(self, found: Mapping[str, Cell]) -> dict[str, str]:
        """Why leaves begin anew."""
        absent = {p.path for p in self.theirs if p.shape is None}
        notes = {}
        for path, cell in found.items():
            if path in self.made:
                continue
            if cell.leaf in absent:
                notes[path] = "torch has made no step of it"
            elif cell.leaf is not None and cell.leaf not in self.at:
                notes[path] = "no parameter of torch"
            else:
                notes[path] = "torch keeps no such thing"
        return notes


SOURCES = ("scale_by_rms", "scale_by_stddev")  # what torch's RMSprop sums up comes after these


def _at(path: str, field: str, leaf: str | None) -> str:
    return f"{path}/{field}/{leaf}" if leaf else f"{path}/{field}"


def _real(path: str, x: np.ndarray, cell: Cell, p: Parameter) -> None:
    """Raise for what no float of any width holds."""
    if jnp.issubdtype(x.dtype, jnp.complexfloating) and not jnp.issubdtype(
        cell.whole.dtype, jnp.complexfloating
    ):
        raise CheckpointError(
            f"{WHO}: torch's {named(p)} takes the complex {p.path!r} for pairs of real numbers with a square "
            f"for each; expected one for both in {path!r}, |g|^2. Start anew with "
            f"initialise={'**/' + (p.path or '')!r}"
        )
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise CheckpointError(
            f"{WHO}: torch's array for {path!r} is {x.dtype}{list(x.shape)}; expected floats. Codes of 8 "
            "bits are of no class of torch.optim: decode them first"
        )


def _oriented(path: str, cell: Cell, axes: tuple[int, ...], p: Parameter) -> None:
    """Raise where the columns here, the outputs, are not the first axis of torch's matrix."""
    leaf: Any = cell.whole.leaf
    if [axes[i] for i in leaf.axes.cols] != [0]:
        letters = "".join("c" if axis == 0 else "r" for axis in axes)
        raise CheckpointError(
            f"{WHO}: torch's Muon scales {p.path!r} by its outputs over its inputs, [out, in] there; "
            f"{path!r} has the columns {leaf.axes.cols} for outputs; expected {(axes.index(0),)}. Use "
            f"with_axes(tx, {{{p.path!r}: {letters!r}}})"
        )
