"""Cells: what an optimizer keeps of one leaf in one field, in one array or in the several of a codec."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

import jax
from jax.sharding import NamedSharding, PartitionSpec

from gradchain.core import place, tree
from gradchain.core.codec import Codec, Part, field_of
from gradchain.core.slots import Slot
from gradchain.core.states import state_class
from gradchain.core.transform import Transform
from gradchain.report import held
from gradchain.storage.stored import StoredState


@dataclasses.dataclass(frozen=True)
class Cell:
    """One leaf of one field: `parts` are its arrays, with their place among the leaves of the state."""

    field: str  # scale_by_adam/nu
    leaf: str  # encoder/kernel; "" where the field is not kept per leaf
    parts: dict[str, tuple[int, Slot]]
    codec: Codec | None
    homes: dict[str, NamedSharding | None]  # where each part is kept
    empty: bool = False  # a scalar in the place of a part that its codec does not have

    @property
    def path(self) -> str:
        """The path of the leaf in the state."""
        return self.path_of("")

    def path_of(self, part: str) -> str:
        """The path of one of its arrays."""
        field = field_of(self.field, part)
        return f"{field}/{self.leaf}" if self.leaf else field

    @property
    def whole(self) -> Slot:
        """The slot whose values are kept."""
        _, slot = self.parts[""]
        return slot.whole if isinstance(slot, Part) else slot


def split(path: str, names: Collection[str]) -> tuple[str, str]:
    """A path of the state as its field and the leaf of the parameters at its end, if any."""
    words = path.split("/")
    for i in range(1, len(words)):
        if (leaf := "/".join(words[i:])) in names:
            return "/".join(words[:i]), leaf
    return path, ""


def cells(slots: Any, params: Any) -> dict[str, Cell]:
    """The cells of a state that is described by its slots, by path, in order."""
    at = dict(zip(tree.paths(params), jax.tree.leaves(params), strict=True))
    mesh = next((s.mesh for x in at.values() if (s := place.of(x)) is not None), None)
    rows, extra = [], set()  # fields that exist only for a codec
    for i, (path, slot) in enumerate(zip(tree.paths(slots), jax.tree.leaves(slots), strict=True)):
        field, leaf = split(path, at)
        part = slot.codec.parts[slot.index] if isinstance(slot, Part) else ""
        if part:
            extra.add(field)
            field = field.removesuffix(f"_{part}")
        rows.append((i, field, leaf, part, slot))
    order = [path for path, _ in held.entries(slots)]  # of the links, which JAX sorts by name
    rows.sort(
        key=lambda row: next((n for n, path in enumerate(order) if f"{row[1]}/".startswith(f"{path}/")), 0)
    )
    found: dict[tuple[str, str], Cell] = {}
    for i, field, leaf, part, slot in rows:
        codec = slot.codec if isinstance(slot, Part) else None
        empty = codec is None and field in extra
        cell = found.setdefault((field, leaf), Cell(field, leaf, {}, codec, {}, empty))
        cell.parts[part] = (i, slot)
        cell.homes[part] = slot.sharding or _guessed(slot, at.get(leaf), mesh)
    return {cell.path: cell for cell in found.values()}


def _guessed(slot: Slot, param: Any, mesh: Any) -> NamedSharding | None:
    """Where a slot without a leaf is kept: like the parameter its path ends with, or everywhere."""
    if mesh is None:
        return None
    alike = param is not None and tuple(param.shape) == tuple(slot.shape)
    return (place.of(param) if alike else None) or NamedSharding(mesh, PartitionSpec())


def codecs_of(tx: Transform, params: Any) -> dict[str, Codec]:
    """The codecs of the leaves that an optimizer does not keep exactly, by path."""
    return {path: c.codec for path, c in cells(tx.slots(params), params).items() if c.codec is not None}


def clocks(slots: Mapping) -> set[str]:
    """The counters that the noise of `stored` is made from, which go on from where the others are."""
    return {f"{path}/count" for path, entry in held.entries(slots) if state_class(entry) is StoredState}
