"""layout: where every array of an optimizer's state lives, and what of it lies on one device."""

from __future__ import annotations

import dataclasses
import html
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec, SingleDeviceSharding

from gradchain.core import ages, leaves, place, select, tree
from gradchain.core.inside import opens
from gradchain.core.slots import Slot
from gradchain.core.transform import Transform, need_transform
from gradchain.math import numerics
from gradchain.report import text
from gradchain.sharding.zero import Zero, zeros_of

RIGHT = (False, False, False, False, False, True, True)
LARGE = 2**20  # bytes of an array that is worth splitting


class LayoutError(ValueError):
    """A state that does not lie as it should."""


@dataclasses.dataclass(frozen=True)
class Placed:
    """One array of state: where it lies, and how much of it on each device."""

    path: str  # scale_by_adam/mu/encoder/kernel
    param: str  # the path of its parameter; "" for what belongs to all
    shape: tuple[int, ...]
    dtype: str
    spec: PartitionSpec | None  # None: on one device, or nothing is known
    memory: str  # "device", or the kind of memory that was asked for
    total_bytes: int
    bytes_on_device: int


@dataclasses.dataclass(frozen=True, repr=False)
class Layout:
    """What `layout` found: a row for each array of state, `slots` in the structure of the state, `notes`.

    `params` has the shardings in which the parameters live between steps, in the structure of the parameters.
    """

    rows: tuple[Placed, ...]
    slots: Any
    params: Any
    notes: tuple[str, ...]  # what stays whole, and why; axes that do not fit the machine

    def shardings(self, mesh: Any = None) -> Any:
        """A sharding for each array, in the structure of the state; on `mesh` instead of the parameters' own.

        None where the parameters are on no mesh.
        """

        def of(slot: Slot) -> NamedSharding | None:
            found = slot.sharding
            return found if found is None or mesh is None else place.on(mesh, found)

        return jax.tree.map(of, self.slots)

    def bytes_per_device(self) -> int:
        """Bytes of state on one device, host memory included."""
        return sum(row.bytes_on_device for row in self.rows)

    @property
    def total_bytes(self) -> int:
        """Bytes of the whole state."""
        return sum(row.total_bytes for row in self.rows)

    def _cells(self) -> list[list[str]]:
        cells: list[list[str]] = [["state", "shape", "dtype", "spec", "memory", "bytes", "on a device"]]
        for row in self.rows:
            spec = "" if row.spec is None else place.text_of(row.spec)
            cells.append([
                row.path, str(list(row.shape)), row.dtype, spec, row.memory,
                text.size(row.total_bytes), text.size(row.bytes_on_device),
            ])  # fmt: skip
        sums = [text.size(self.total_bytes), text.size(self.bytes_per_device())]
        cells.append(["total", f"{len(self.rows)} arrays", "", "", "", *sums])
        return cells

    def table(self) -> str:
        """The rows as aligned text, with the sums below and the notes under them."""
        return "\n".join([text.aligned(self._cells(), RIGHT), *(f"note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>note: {html.escape(note)}</p>" for note in self.notes)
        return f"<div>{text.as_html(self._cells(), RIGHT)}{notes}</div>"


@opens
def layout(tx: Transform, params: Any, *, replicated: Any = None, state: Any = None) -> Layout:
    """Where each array of the state lives: path, shape, dtype, spec, memory, bytes on a device.

    Derived from the slots: an array is split as its parameter along the axes that they share. `params` may
    be arrays, ShapeDtypeStructs or Flax abstract state, on automatic or explicit meshes. Raises LayoutError
    where 1 MiB or more stay whole although the parameter is split, unless `replicated`, a selection of state
    paths ("scale_by_soap/**"), asks for it. With a `state` the structure is that of this one, in which some
    leaves may have begun later than others.
    """
    need_transform(tx, "layout(tx, params)", params)
    slots = tx.slots(params) if state is None else ages.like(tx.slots(params), state)
    arrays = jax.tree.leaves(slots)
    rows = [_row(path, slot) for path, slot in zip(tree.paths(slots), arrays, strict=True)]
    allowed = (False,) * len(rows) if replicated is None else select.chosen(replicated, slots, "layout")
    for row, slot, free in zip(rows, arrays, allowed, strict=True):
        if not free:
            _check(row, slot)
    zeros = zeros_of(tx)
    _check_order(tx, zeros, params)
    notes = [note for zero in zeros for note in zero.rule.notes(leaves.floating(params))]
    homes = tree.map_paths(lambda path, x: _home(path, x, zeros), params)
    return Layout(tuple(rows), slots, homes, tuple(dict.fromkeys(notes)))


def _check_order(tx: Transform, zeros: list[Zero], params: Any) -> None:
    """Raise for zero in a wrapper that runs it in some steps only, which would leave parameters split.

    The loop of one turn or none (`control.when`) keeps what it carries as XLA likes on automatic meshes.
    """
    if not zeros or zeros[0].stage == 3:
        return
    meshes = [found.mesh for x in jax.tree.leaves(params) if (found := place.of(x)) is not None]
    name = _sometimes(tx)
    if name and any(AxisType.Auto in mesh.axis_types for mesh in meshes):
        raise LayoutError(
            f"layout: {name} runs what it wraps in some steps only, and zero(...) is inside of it; on a mesh "
            f"with automatic axes the parameters would come out split. Put zero outside: zero({name}(...))"
        )


def _sometimes(tx: Transform) -> str:
    """The name of a wrapper around `zero` that runs it in some steps only, or ""."""
    for inside in tx.body.inside():
        if "sometimes" in tx.recipe.factory.traits and zeros_of(inside.tx):
            return tx.name
        if found := _sometimes(inside.tx):
            return found
    return ""


def _home(path: str, x: Any, zeros: list[Zero]) -> NamedSharding | None:
    found = zeros[0].rule.home(path, x) if zeros and leaves.is_floating(x) else place.of(x)
    return found if found is None else place.at(found.mesh, place.split_of(found.spec, len(x.shape)))


def _row(path: str, slot: Slot) -> Placed:
    part = place.shard_shape(slot.shape, slot.sharding)
    spec = None if slot.sharding is None else slot.sharding.spec
    memory, param = slot.memory or "device", "" if slot.leaf is None else slot.leaf.path
    return Placed(
        path,
        param if slot.leaf is not None and slot.shape else "",
        slot.shape,
        jnp.dtype(slot.dtype).name,
        spec,
        memory,
        slot.nbytes,
        numerics.nbytes(part, slot.dtype),
    )


def _check(row: Placed, slot: Slot) -> None:
    leaf, here = slot.leaf, slot.sharding
    if leaf is None or leaf.sharding is None or here is None or row.bytes_on_device < LARGE:
        return
    of_param = place.shard_shape(leaf.shape, leaf.sharding)
    if row.bytes_on_device == row.total_bytes and math.prod(of_param) < math.prod(leaf.shape):
        raise LayoutError(
            f"layout: {row.path!r}, {row.dtype}{list(row.shape)}, {text.size(row.total_bytes)}, lies whole "
            f"on every device, while its parameter is split as {place.text_of(leaf.sharding.spec)}: split "
            f"the parameter along an axis that the two share, or ask for it with replicated={row.path!r}"
        )


@opens
def init(tx: Transform, params: Any, *, replicated: Any = None) -> dict[str, Any]:
    """The state of an optimizer, made where it will live: each device makes its own part.

    As `tx.init(params)`, but under jit with the shardings of `layout`: no array is ever on one device, so
    that a jitted step compiles once and checkpoints work with many processes.
    Raises LayoutError as `layout` does, and where `zero` has no mesh to split the state over.
    """
    need_transform(tx, "init(tx, params)", params)
    found = layout(tx, params, replicated=replicated)
    if (
        zeros_of(tx)
        and jax.device_count() > 1
        and all(x is None for x in jax.tree.leaves(found.params, is_leaf=_none))
    ):
        raise LayoutError(
            "init: the parameters are on no mesh, so zero has nothing to split the state over: put them "
            "there first, jax.device_put(params, NamedSharding(gradchain.make_mesh(), P()))"
        )
    if leaf := next((x for x in jax.tree.leaves(params) if isinstance(x, jax.ShapeDtypeStruct)), None):
        raise LayoutError(f"init: {leaf} has no values; layout(tx, params) needs none")
    alone = _device(params)
    put = lambda slot: slot.sharding or (alone and alone.with_memory_kind(slot.memory))  # noqa: E731
    shardings, kinds = jax.tree.map(put, found.slots), [leaves.is_array(x) for x in jax.tree.leaves(params)]
    if all(kinds):
        return jax.jit(tx.init, out_shardings=shardings)(params)
    rest = lambda arrays: tx.init(tree.merge(params, arrays))  # noqa: E731  what is no array, jit does not take
    return jax.jit(rest, out_shardings=shardings)(tree.subtree(params, kinds))


def _device(params: Any) -> SingleDeviceSharding | None:
    """The one device that the parameters were put on: the state goes there too, or a step compiles twice."""
    found = {x.sharding for x in jax.tree.leaves(params) if getattr(x, "committed", False)}
    only = found.pop() if len(found) == 1 else None
    return only if isinstance(only, SingleDeviceSharding) else None


def _none(x: Any) -> bool:
    return x is None
