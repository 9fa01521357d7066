"""Filling a state with saved arrays, as a plan says, each in its place on the devices."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.sharding import NamedSharding

from gradchain.checkpoint.cells import Cell
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
            found[source] = _way(step, source, tuple(saved[source].shape))
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
    leaves, treedef = jax.tree.flatten(plan.slots)
    foreign = _foreign(plan)
    for step in plan.steps:
        for part, x in _made(step, arrays, foreign).items():
            leaves[step.cell.parts[part][0]] = x
    return treedef.unflatten(leaves)


def _made(step: Step, arrays: Mapping[str, Any], foreign: Mapping) -> dict[str, Array]:
    """The arrays of one cell, by part."""
    cell = step.cell
    if step.largest:
        most = max(int(arrays[source]) for source in step.sources)
        return {"": put(np.asarray(most, cell.whole.dtype), cell.homes[""])}
    if not step.sources:
        return {part: _fresh(cell, part, foreign) for part in cell.parts}
    found = [put(arrays[s], _way(step, s, tuple(arrays[s].shape))) for s in step.sources]
    if step.before == cell.codec:
        made = dict(zip(cell.parts, found, strict=True))
    else:
        found, name = [on_device(x) for x in found], "/".join(cell.field.split("/")[-2:])
        made = recode(found, step.before, cell.parts[""][1], cell.leaf, name)
    return {part: put(x, cell.homes[part], cell.parts[part][1]) for part, x in made.items()}


def _fresh(cell: Cell, part: str, foreign: Mapping[str, Any]) -> Array:
    """An array as `tx.init` makes it, in its place, also for abstract parameters if values do not matter."""
    path, (_, slot) = cell.path_of(part), cell.parts[part]
    if path in foreign:
        return put(foreign[path], cell.homes[part])
    if slot.leaf is not None and isinstance(slot.leaf.array, jax.ShapeDtypeStruct):
        if isinstance(_start(slot), str):
            raise CheckpointError(
                f"{path!r} is not in the checkpoint and starts as a copy of the parameter {cell.leaf!r}, "
                f"which is abstract; expected an array. Pass the parameters themselves"
            )
        slot = _without_array(slot)
    return put(slot.make(), cell.homes[part])


def _start(slot: Slot) -> Any:
    return (slot.whole if isinstance(slot, Part) else slot).fill


def _without_array(slot: Any) -> Any:
    """A slot that knows its leaf's place but not its (abstract) values."""
    if slot.leaf is None:
        return slot
    bare = dataclasses.replace(slot, leaf=dataclasses.replace(slot.leaf, array=None))
    return dataclasses.replace(bare, whole=_without_array(bare.whole)) if isinstance(bare, Part) else bare


def _foreign(plan: Plan) -> dict[str, Array]:
    """The starting state of links of other libraries, by path, where a plan needs some of it."""
    anew = {step.cell.path for step in plan.steps if not step.sources}
    found: dict[str, Array] = {}
    for link in links(plan.tx, plan.params):
        start = f"{link.path}/"
        if not isinstance(link.body, Foreign) or not any(path.startswith(start) for path in anew):
            continue
        if any(isinstance(x, jax.ShapeDtypeStruct) for x in jax.tree.leaves(link.params)):
            raise CheckpointError(
                f"{link.path!r} is not wholly in the checkpoint, and only the library it comes from can "
                "initialise it, from arrays; the parameters are abstract. Pass the parameters themselves"
            )
        made = link.body.tx.init(link.params)
        found |= {f"{link.path}/{p}": x for p, x in zip(tree.paths(made), jax.tree.leaves(made), strict=True)}
    return found
