"""from_optax: the state of an Optax optimizer as that of the same optimizer here."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.checkpoint.cells import Cell, cells
from gradchain.checkpoint.ensemble import Layout
from gradchain.checkpoint.errors import CheckpointError
from gradchain.checkpoint.fill import fill
from gradchain.checkpoint.given import needs_leaves
from gradchain.checkpoint.plan import Saved, overridden, plan
from gradchain.checkpoint.report import LoadReport
from gradchain.checkpoint.wishes import Wishes
from gradchain.core import tree
from gradchain.core.inside import opens
from gradchain.core.states import state_class
from gradchain.core.transform import Transform
from gradchain.math.numerics import safe_divide
from gradchain.report import held
from gradchain.report.links import links

# Where a class of Optax has another name than ours.
INJECT = ("InjectStatefulHyperparamsState", "InjectHyperparamsState")
SAME: dict[str, tuple[str, ...]] = {
    "AccumulateState": ("MultiStepsState",),
    "AccumulateChosenState": ("MultiStepsState",),
    "SkipState": ("ApplyIfFiniteState",),
    "ScaleByLearningRateState": ("ScaleByScheduleState",),
    "ConditionalState": ("ConditionallyMaskState", "ConditionallyTransformState"),
    "InjectedState": INJECT,
    "InjectedSchedulesState": INJECT,
    "AdemamixState": ("ScaleByAdemamixState",),
    "SimplifiedAdemamixState": ("ScaleBySimplifiedAdEMAMixState",),
    "OptimisticGradientState": ("ScaleByOptimisticGradientState",),
    "ScaleByMuonState": ("MuonState",),
}
CLOCKS = (
    "ScaleByLearningRateState",
    "ScaleByScheduleState",
    "HyperState",
    "InjectedState",
    "InjectedSchedulesState",
)  # their count is that of the steps
LARGEST = "the largest count of Optax's state"


@dataclasses.dataclass(frozen=True)
class Unit:
    """A NamedTuple of Optax's state: where it is, of which class, in which groups of a partition."""

    path: str
    name: str
    fields: tuple[str, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        words = self.path.split("/")
        return tuple(b for a, b in itertools.pairwise(words) if a == "inner_states")


@opens
def from_optax(
    tx: Transform, params: Any, state: Any, *, initialise: Any = (), strict: bool = False
) -> tuple[dict[str, Any], LoadReport]:
    """The state of `tx` from that of the same optimizer in Optax, and a report; the run goes on as it was.

    Links take what they know by the class and the field names of Optax's state (ScaleByAdamState: count, mu,
    nu), in order, through chains, masks, `partition`, `inject_hyperparams`, `MultiSteps` and
    `apply_if_finite`. Counters that Optax does not keep are set to its largest; Adafactor's factors are
    turned to the rows and columns of the leaf's axes. `state` may be that of an nnx.Optimizer or a
    TrainState; the other arguments are those of `load_state`.
    """
    needs_leaves("from_optax", params)
    theirs = held.arrays(state)
    arrays = dict(zip(tree.paths(theirs), jax.tree.leaves(theirs), strict=True))
    slots = tx.slots(params)
    used: dict[str, str] = {}  # Optax's path -> ours
    made: dict[str, Any] = {}
    notes: dict[str, str] = {}
    ours = dict(held.entries(slots))
    units = list(_units(theirs))
    found = cells(slots, params)
    wishes = Wishes(initialise, strict, "from_optax").over(params, found)
    _of_optax(tx, found, theirs, arrays, wishes)
    steps = [x for path, x in arrays.items() if path.split("/")[-1] == "count" and _is_count(x)]
    injected = _injected(arrays)
    for path, entry in ours.items():
        unit = _match(path, entry, units)
        name = state_class(entry).__name__
        if unit is not None:
            units.remove(unit)
            taken = _fields(arrays, unit)
            used |= {f"{unit.path}/{p}".strip("/"): path for p in taken}
            made |= {f"{path}/{p}": x for p, x in _ours(name, taken, path, tx, found, params, notes).items()}
        if "count" in entry._fields and f"{path}/count" not in made and steps and (unit or name in CLOCKS):
            made[f"{path}/count"] = functools.reduce(jnp.maximum, steps).astype(jnp.int32)
            notes[f"{path}/count"] = LARGEST
        for key in getattr(entry, "hyperparams", ()):
            if key in injected:
                made[f"{path}/hyperparams/{key}"] = arrays[injected[key]]
                used[injected[key]] = path
    notes |= {path: "Optax keeps no such thing" for path in found if path not in made}
    left = {f"optax/{path}": x for path, x in arrays.items() if path not in used}
    saved = Saved(made | left, {}, notes, "an Optax optimizer")
    planned = overridden(plan(Layout(tx, params, slots, found), saved, wishes), made)
    return fill(planned, made), planned.report


def _is_count(x: Any) -> bool:
    return not x.shape and jnp.issubdtype(x.dtype, jnp.integer)


def _of_optax(tx: Transform, found: Mapping[str, Cell], state: Any, arrays: Mapping, wishes: Wishes) -> None:
    """Raise where the state keeps nothing for a leaf, and the optimizer does."""
    for path, x in arrays.items():
        if not hasattr(x, "dtype") or not hasattr(x, "shape"):
            raise CheckpointError(
                f"from_optax: {path or 'the state'!r} is {x!r:.80}; expected an Optax optimizer's state. "
                "Read a file with what wrote it first; a checkpoint of gradchain with gradchain.load"
            )
    ours = [c for c in found.values() if c.whole.shape and not wishes.anew(c.path)]
    if (ours and not any(x.shape for x in arrays.values())) or (found and state is None):
        held_by = type(state).__name__ if arrays else f"{state!r:.80}"
        wanted = next(iter([c.path for c in ours] or found))
        raise CheckpointError(
            f"from_optax: nothing fits; the state ({held_by}) keeps no array for a parameter; expected that "
            f"of the same optimizer as {tx.name}, with {wanted!r}. It is of another optimizer: pass that "
            "one's state, or begin with tx.init(params)"
        )


def _units(state: Any) -> Iterator[Unit]:
    for path, node in held.entries(state):
        if type(node).__name__.endswith("State"):
            yield Unit(path, type(node).__name__, node._fields)


def _match(path: str, entry: Any, units: list[Unit]) -> Unit | None:
    """The first state of Optax of the entry's class, in its group of a partition if Optax has groups."""
    name = state_class(entry).__name__
    group = tuple(path.split("/")[:-1])
    grouped = any(unit.groups == group for unit in units)
    for unit in units:
        if unit.name in (name, *SAME.get(name, ())) and (unit.groups == group or not grouped):
            return unit
    return None


def _fields(arrays: Mapping[str, Any], unit: Unit) -> dict[str, Any]:
    """The arrays of a unit by field and leaf, without those of states within it."""
    start = f"{unit.path}/" if unit.path else ""
    inner = tuple(f"{field}/" for field in unit.fields if field.startswith("inner_"))
    found = {p.removeprefix(start): x for p, x in arrays.items() if p.startswith(start)}
    own = {p: x for p, x in found.items() if p.split("/")[0] in unit.fields}
    return {p: x for p, x in own.items() if not p.startswith(inner)}


def _injected(arrays: Mapping[str, Any]) -> dict[str, str]:
    """Where `inject_hyperparams` keeps the value of each hyperparameter."""
    words = {path: path.split("/") for path in arrays}
    return {w[-1]: path for path, w in words.items() if len(w) > 1 and w[-2] == "hyperparams"}


def _ours(name: str, taken: Mapping[str, Any], path: str, tx, found: Mapping[str, Cell], params, notes):
    """The fields of one entry as this library defines them."""
    if name in ("AccumulateState", "AccumulateChosenState"):
        args = next(link.recipe.args for link in links(tx) if link.path == path)
        summed = args["mean"] and not args["running_mean"]
        n = taken["mini_step"] if summed else 1  # theirs is the mean of the microbatches so far, ours the sum
        return {p: x * n if p.startswith("acc_grads/") else x for p, x in taken.items()}
    if name == "InjectedState":  # plain schedules are functions of its count
        return {p: x for p, x in taken.items() if not p.startswith("hyperparams_states/")}
    if name == "SkipState":
        names = {"skipped": "total_notfinite", "consecutive": "notfinite_count"}
        return {ours: taken[p] for ours, p in names.items()} | {"last_skipped": ~taken["last_finite"]}
    if name == "SimplifiedAdemamixState":
        return {"count" if p == "t" else p: x for p, x in taken.items()}
    if name == "OptimisticGradientState":
        first = taken["is_initial_step"]  # all that is asked of the count
        kept = {p: x for p, x in taken.items() if p != "is_initial_step"}
        return kept | {"count": jnp.where(first, 0, 1).astype(jnp.int32)}
    debiased = any(link.recipe.args.get("debias_first") for link in links(tx) if link.path == path)
    if name == "ScaleByAmsgradState" and not debiased:
        for p in taken:
            if p.startswith("nu_max/"):
                notes[f"{path}/{p}"] = "Optax's maximum is over bias-corrected moments"
    if name != "FactoredState":
        return dict(taken)
    made = {"count": taken["count"]}
    for leaf in tree.paths(params):
        if f"{path}/v/{leaf}" in found and f"v/{leaf}" in taken:
            cell = {field: found[f"{path}/{field}/{leaf}"] for field in ("v_row", "v_col", "v")}
            factors, turned = _factors(cell, {field: taken[f"{field}/{leaf}"] for field in cell})
            made |= {f"{field}/{leaf}": x for field, x in factors.items()}
            if turned:
                notes |= {f"{path}/{field}/{leaf}": "from Optax's factors along other axes" for field in cell}
    return made


def _factors(ours: Mapping[str, Cell], theirs: Mapping[str, Array]) -> tuple[dict[str, Array], bool]:
    """Adafactor's moments of one leaf along our axes, and whether they had to be multiplied out for that.

    Optax takes the two longest axes, d0 the longest: v_row is the mean over d0, v_col that over d1.
    """
    slot = ours["v"].whole
    leaf: Any = slot.leaf
    shape, rank = leaf.shape, len(leaf.shape)
    cols, rows = (
        tuple(i for i in range(rank) if i not in ours[field].whole.axes) for field in ("v_row", "v_col")
    )
    shapes = {field: cell.whole.shape for field, cell in ours.items()}
    nothing = jnp.zeros((), slot.dtype)
    d1, d0 = sorted(range(rank), key=lambda i: (shape[i], i))[-2:] if rank > 1 else (0, 0)
    factored = rank > 1 and theirs["v"].shape != shape
    if not factored and shapes["v"] == shape:
        return {"v": theirs["v"], "v_row": nothing, "v_col": nothing}, False
    if factored and shapes["v"] != shape and {(d0,), (d1,)} == {rows, cols}:
        row, col = ("v_row", "v_col") if (d0,) == cols else ("v_col", "v_row")
        return {"v_row": theirs[row], "v_col": theirs[col], "v": nothing}, False
    v = theirs["v"]
    if factored:
        row, col = jnp.expand_dims(theirs["v_row"], d0), jnp.expand_dims(theirs["v_col"], d1)
        v = safe_divide(row, jnp.mean(row, d1, keepdims=True)) * col
    if shapes["v"] == shape:
        return {"v": v, "v_row": nothing, "v_col": nothing}, True
    return {"v_row": jnp.mean(v, cols), "v_col": jnp.mean(v, rows), "v": nothing}, True
