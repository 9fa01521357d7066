"""Ensembles: a state that jax.vmap(tx.init) made, each array with the members along its first axis."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax

from gradchain.checkpoint.cells import Cell, cells
from gradchain.checkpoint.errors import CheckpointError, show
from gradchain.core import place, tree
from gradchain.core.transform import Transform


@dataclasses.dataclass(frozen=True)
class Layout:
    """What an optimizer keeps for parameters: of one run, or of each member of an ensemble."""

    tx: Transform
    params: Any  # of a member they are abstract
    slots: Any
    cells: Mapping[str, Cell]
    lead: tuple[int, ...] = ()  # the axes of the members, before all others; (): one run
    whole: Any = None  # the parameters of all members

    @property
    def given(self) -> Any:
        """The parameters as they were given."""
        return self.params if self.whole is None else self.whole

    def member(self, shape: Any) -> tuple[int, ...]:
        """The shape of one member's array."""
        return tuple(shape)[len(self.lead) :]

    def each(self, f: Callable) -> Callable:
        """A function of a member's arrays as one of all members'."""
        for _ in self.lead:
            f = jax.vmap(f)
        return f

    def of_members(self, arrays: Mapping[str, Any], who: str) -> Mapping[str, Any]:
        """The shapes and dtypes of one member of saved arrays."""
        if not self.lead:
            return arrays
        for path, x in arrays.items():
            if tuple(x.shape[: len(self.lead)]) != self.lead and path in self.cells:
                other = next(p for p, y in arrays.items() if tuple(y.shape[: len(self.lead)]) == self.lead)
                _apart(path, x, other, arrays, self.lead, who)
        return {path: jax.ShapeDtypeStruct(self.member(x.shape), x.dtype) for path, x in arrays.items()}


def laid_out(tx: Transform, params: Any, saved: Mapping[str, Any], who: str) -> Layout:
    """What `tx` keeps for parameters, read as the saved arrays are: as one run, or as an ensemble.

    It is an ensemble where every counter, hyperparameter and norm, of which a run keeps one number, has the
    same axes, and all parameters begin with these. A state without any such number is the same either way.
    """
    try:
        slots = tx.slots(params)
        plain = Layout(tx, params, slots, cells(slots, params))
        lead = _lead(plain.cells, saved, params, who)
    except (TypeError, ValueError) as error:  # axes that are those of a member, say
        found = None if isinstance(error, CheckpointError) else _guessed(tx, params, saved)
        if found is None:
            raise
        return found
    if not lead:
        known = any(cell.leaf is None and path in saved for path, cell in plain.cells.items())
        return plain if known else _guessed(tx, params, saved) or plain
    return _of_members(tx, params, lead)


def _of_members(tx: Transform, params: Any, lead: tuple[int, ...]) -> Layout:
    one, before = _member(params, len(lead))
    slots = tx.slots(one)
    return Layout(tx, one, slots, cells(slots, one, before), lead, params)


def _guessed(tx: Transform, params: Any, saved: Mapping[str, Any]) -> Layout | None:
    """The layout of an ensemble, where the parameters of all members do not look like those of one."""
    lead = min((tuple(x.shape) for x in saved.values()), key=len, default=())
    if not lead or not _begins(lead, [*saved.values(), *jax.tree.leaves(params)]):
        return None
    try:
        found = _of_members(tx, params, lead)
    except (TypeError, ValueError):
        return None
    numbers = [c for c in found.cells.values() if c.leaf is None and not c.whole.shape and c.path in saved]
    whole = tree.paths(params) == ("",)  # parameters of one array, of which nothing has a name
    return found if numbers and not whole and all(saved[c.path].shape == lead for c in numbers) else None


def _begins(lead: tuple[int, ...], arrays: list) -> bool:
    return all(tuple(x.shape[: len(lead)]) == lead for x in arrays)


def _lead(found: Mapping[str, Cell], saved: Mapping[str, Any], params: Any, who: str) -> tuple[int, ...]:
    """The axes that saved arrays have before those of one run."""
    numbers = [c for c in found.values() if not (c.whole.shape or c.codec or c.empty) and c.path in saved]
    shared = [c for c in numbers if c.leaf is None]
    shapes = {c.path: tuple(saved[c.path].shape) for c in shared or numbers}
    leaves = jax.tree.leaves(params)
    stacked = {path: shape for path, shape in shapes.items() if shape and leaves and _begins(shape, leaves)}
    if not stacked or (not shared and len(set(shapes.values())) > 1):
        return ()
    path, lead = next(iter(stacked.items()))
    if other := next((p for p, shape in shapes.items() if shape != lead), None):
        _apart(other, saved[other], path, saved, lead, who)
    return lead


def _apart(path: str, x: Any, other: str, saved: Mapping[str, Any], lead: tuple[int, ...], who: str):
    raise CheckpointError(
        f"{who}: only a part of the state is stacked: {path!r} is {show(x)}, {other!r} {show(saved[other])}; "
        f"expected {list(lead)} before the other axes of all of it, as jax.vmap(tx.init)(params) makes it, "
        "or of none"
    )


def _member(params: Any, k: int) -> tuple[Any, dict[str, place.Split]]:
    """The parameters of a member, abstract, and how each is split along the axes that it lacks."""
    leaves, treedef = jax.tree.flatten(params)
    found, before = [], {}
    for path, x in zip(tree.paths(params), leaves, strict=True):
        home, at = place.of(x), None
        if home is not None:
            split = place.split_of(home.spec, len(x.shape))
            before[path], at = split[:k], place.at(home.mesh, split[k:], home.memory_kind)
        found.append(jax.ShapeDtypeStruct(x.shape[k:], x.dtype, sharding=at))
    return treedef.unflatten(found), before
