"""Filling a state with saved arrays, as a plan says, each in its place on the devices."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.sharding import NamedSharding

from gradchain.checkpoint.cells import Cell
from gradchain.checkpoint.ensemble import Layout
from gradchain.checkpoint.errors import CheckpointError
from gradchain.checkpoint.moved import on_device, put
from gradchain.checkpoint.plan import Plan, Step
from gradchain.core import tree
from gradchain.core.codec import Part
from gradchain.core.foreign import Foreign
from gradchain.core.slots import Slot
from gradchain.report.convert import recode
from gradchain.report.links import links


def homes(plan: Plan, saved: Mapping[str, Any]) -> dict[str, NamedSharding | None]:
    """The saved arrays that a plan needs, and where each should be read to."""
    found: dict[str, NamedSharding | None] = {}
    for step in plan.steps:
        for source in step.sources:
            found[source] = _way(step, source, plan.layout.member(saved[source].shape))
    return found


def _way(step: Step, source: str, shape: tuple[int, ...]) -> NamedSharding | None:
    """Where a source is read to: its own place or, if it is decoded, a place on the same devices."""
    cell = step.cell
    for part, (_, slot) in cell.parts.items():
        if step.before == cell.codec and cell.path_of(part) == source:
            return cell.homes[part]
        if not step.largest and part == "" and tuple(slot.shape) == shape:
            home = cell.homes[part]
            return None if home is None else NamedSharding(home.mesh, home.spec)
    home = cell.homes[""]
    return None if home is None else NamedSharding(home.mesh, jax.sharding.PartitionSpec())


def fill(plan: Plan, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The state: what the plan loads from `arrays`, and the rest as at the start."""
    leaves, treedef = jax.tree.flatten(plan.layout.slots)
    foreign = _foreign(plan)
    for step in plan.steps:
        for part, x in _made(step, arrays, foreign, plan.layout).items():
            leaves[step.cell.parts[part][0]] = x
    return treedef.unflatten(leaves)


def _made(step: Step, arrays: Mapping[str, Any], foreign: Mapping, layout: Layout) -> dict[str, Array]:
    """The arrays of one cell, by part."""
    cell = step.cell
    if step.largest:
        return {"": put(_largest([arrays[s] for s in step.sources]), cell.homes[""], cell.whole)}
    if not step.sources:
        return {part: _fresh(cell, part, foreign, layout) for part in cell.parts}
    found = [put(arrays[s], _way(step, s, layout.member(arrays[s].shape))) for s in step.sources]
    if step.before == cell.codec:
        made = dict(zip(cell.parts, found, strict=True))
    else:
        name = "/".join(cell.field.split("/")[-2:])

        def other(xs):
            return recode(xs, step.before, cell.parts[""][1], cell.leaf or "", name)

        made = layout.each(other)([on_device(x) for x in found])
    return {part: put(x, cell.homes[part], cell.parts[part][1]) for part, x in made.items()}


def _largest(counts: list) -> Any:
    if any(isinstance(x, Tracer) for x in counts):
        return functools.reduce(jnp.maximum, counts)
    return np.asarray(functools.reduce(np.maximum, [np.asarray(x) for x in counts]))


def _fresh(cell: Cell, part: str, foreign: Mapping[str, Any], layout: Layout) -> Array:
    """An array as `tx.init` makes it, in its place, also for abstract parameters if values do not matter."""
    path, (_, slot) = cell.path_of(part), cell.parts[part]
    if path in foreign:
        return put(foreign[path], cell.homes[part])
    if layout.lead:
        return put(_fresh_of_all(cell, slot, layout), cell.homes[part])
    if slot.leaf is not None and isinstance(slot.leaf.array, jax.ShapeDtypeStruct):
        if _of_values(slot):
            _abstract(path, cell.leaf)
        slot = _of_array(slot, None)
    return put(slot.make(), cell.homes[part])


def _fresh_of_all(cell: Cell, slot: Slot, layout: Layout) -> Array:
    """The same for all members of an ensemble."""
    weights = dict(zip(tree.paths(layout.whole), jax.tree.leaves(layout.whole), strict=True))
    x = weights.get(cell.leaf or "")
    if x is None or isinstance(x, jax.ShapeDtypeStruct) or slot.leaf is None:
        x = jnp.zeros(layout.lead)
        if _of_values(slot):
            _abstract(cell.path, cell.leaf)
    return layout.each(lambda value: _of_array(slot, value).make())(x)


def _of_values(slot: Slot) -> bool:
    """Whether it starts with something made of the parameters' values."""
    return isinstance(_start(slot), str) or callable(_start(slot))


def _abstract(path: str, leaf: str | None) -> NoReturn:
    if not leaf:
        raise CheckpointError(
            f"{path!r} is not in the checkpoint and starts with a number made of all parameters, which are "
            "abstract here, or of several models; expected a checkpoint that has it"
        )
    raise CheckpointError(
        f"{path!r} is not in the checkpoint and starts with values of the parameter {leaf!r}, "
        f"which is abstract; expected an array. Pass the parameters themselves"
    )


def _start(slot: Slot) -> Any:
    return (slot.whole if isinstance(slot, Part) else slot).fill


def _of_array(slot: Any, array: Any) -> Any:
    """A slot whose leaf has other values in the same place; None where they do not matter."""
    if slot.leaf is None:
        return slot
    home = None if isinstance(array, Tracer) else slot.leaf.sharding
    bare = dataclasses.replace(slot, leaf=dataclasses.replace(slot.leaf, array=array, sharding=home))
    return dataclasses.replace(bare, whole=_of_array(bare.whole, array)) if isinstance(bare, Part) else bare


def _foreign(plan: Plan) -> dict[str, Array]:
    """The starting state of links of other libraries, by path, where a plan needs some of it."""
    anew = {step.cell.path for step in plan.steps if not step.sources}
    found: dict[str, Array] = {}
    layout = plan.layout
    for link in links(layout.tx, layout.given):
        start = f"{link.path}/"
        if not isinstance(link.body, Foreign) or not any(path.startswith(start) for path in anew):
            continue
        if any(isinstance(x, jax.ShapeDtypeStruct) for x in jax.tree.leaves(link.params)):
            raise CheckpointError(
                f"{link.path!r} is not wholly in the checkpoint, and only the library it comes from can "
                "initialise it, from arrays; the parameters are abstract. Pass the parameters themselves"
            )
        made = layout.each(link.body.tx.init)(link.params)
        found |= {f"{link.path}/{p}": x for p, x in zip(tree.paths(made), jax.tree.leaves(made), strict=True)}
    return found
