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
from gradchain.report import held
from gradchain.storage.stored import StoredState


@dataclasses.dataclass(frozen=True)
class Cell:
    """One leaf of one field: `parts` are its arrays, with their place among the leaves of the state."""

    field: str  # scale_by_adam/nu
    leaf: str | None  # encoder/kernel; None where the path has none: a counter, parameters of one array
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
        return field if self.leaf is None else f"{field}/{self.leaf}"

    @property
    def whole(self) -> Slot:
        """The slot whose values are kept."""
        _, slot = self.parts[""]
        return slot.whole if isinstance(slot, Part) else slot


def split(path: str, names: Collection[str]) -> tuple[str, str | None]:
    """A path of a saved state as its field and the parameter that its end looks like, if any."""
    words = path.split("/")
    for i in range(1, len(words)):
        if (leaf := "/".join(words[i:])) in names:
            return "/".join(words[:i]), leaf
    return path, None


def _apart(path: str, slot: Slot, names: Collection[str]) -> tuple[str, str | None]:
    """The field and the leaf of a slot, which knows its parameter; of another library's, as it looks."""
    if slot.leaf is None:
        return split(path, names)
    end = f"/{slot.leaf.path}"
    return (path.removesuffix(end), slot.leaf.path) if path.endswith(end) else (path, None)


def cells(slots: Any, params: Any, before: Mapping[str, place.Split] | None = None) -> dict[str, Cell]:
    """The cells of a state that is described by its slots, by path, in order.

    `before`: how each parameter is split along the axes of an ensemble, which slots and parameters lack.
    """
    at = dict(zip(tree.paths(params), jax.tree.leaves(params), strict=True))
    mesh = next((s.mesh for x in at.values() if (s := place.of(x)) is not None), None)
    rows, extra = [], set()  # fields that exist only for a codec
    for i, (path, slot) in enumerate(zip(tree.paths(slots), jax.tree.leaves(slots), strict=True)):
        field, leaf = _apart(path, slot, at)
        part = slot.codec.parts[slot.index] if isinstance(slot, Part) else ""
        if part:
            extra.add(field)
            field = field.removesuffix(f"_{part}")
        rows.append((i, field, leaf, part, slot))
    order = [path for path, _ in held.entries(slots)]  # of the links, which JAX sorts by name
    rows.sort(
        key=lambda row: next((n for n, path in enumerate(order) if f"{row[1]}/".startswith(f"{path}/")), 0)
    )
    found: dict[tuple[str, str | None], Cell] = {}
    for i, field, leaf, part, slot in rows:
        codec = slot.codec if isinstance(slot, Part) else None
        empty = codec is None and field in extra
        cell = found.setdefault((field, leaf), Cell(field, leaf, {}, codec, {}, empty))
        cell.parts[part] = (i, slot)
        home = slot.sharding or _guessed(slot, at.get(leaf or ""), mesh)
        if before and home is not None:
            first = before.get(leaf or "", ((),) * len(next(iter(before.values()))))
            split_up = (*first, *place.split_of(home.spec, len(slot.shape)))
            home = place.at(home.mesh, split_up, home.memory_kind)
        cell.homes[part] = home
    return {cell.path: cell for cell in found.values()}


def _guessed(slot: Slot, param: Any, mesh: Any) -> NamedSharding | None:
    """Where a slot without a leaf is kept: like the parameter its path ends with, or everywhere."""
    if mesh is None:
        return None
    alike = param is not None and tuple(param.shape) == tuple(slot.shape)
    return (place.of(param) if alike else None) or NamedSharding(mesh, PartitionSpec())


def codecs_of(found: Mapping[str, Cell]) -> dict[str, Codec]:
    """The codecs of the leaves that are not kept exactly, by path."""
    return {path: c.codec for path, c in found.items() if c.codec is not None}


def counts(found: Mapping[str, Cell]) -> set[str]:
    """The paths of all counters."""
    return {path for path, cell in found.items() if cell.leaf is None and path.endswith("/count")}


def clocks(slots: Mapping) -> set[str]:
    """The counters that the noise of `stored` is made from, which go on from where the others are."""
    return {f"{path}/count" for path, entry in held.entries(slots) if state_class(entry) is StoredState}
