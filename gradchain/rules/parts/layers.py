"""State that elements of a leaf share: those of a layer of a stack, those along some axes."""

from __future__ import annotations

import dataclasses

from gradchain.core.slots import Leaf, Slot, SlotMaker, drop, squares


def layer_axes(leaf: Leaf, per_leaf: bool) -> tuple[int, ...]:
    """The axes of a layer; with per_leaf all, those of the stack as well."""
    return tuple(range(len(leaf.shape))) if per_leaf else leaf.axes.matrix


def of_layer(per_leaf: bool) -> SlotMaker:
    """One number for each layer, or one for the leaf: [*batch] or []."""
    return lambda p: drop(p, layer_axes(p, per_leaf))


def one_along(p: Leaf, axes: tuple[int, ...]) -> Slot:
    """Squares like the parameter but of length 1 along the axes whose elements share one."""
    whole = squares(p)
    shape = tuple(1 if i in axes else n for i, n in enumerate(whole.shape))
    return dataclasses.replace(
        whole, shape=shape, axes=tuple(None if i in axes else a for i, a in enumerate(whole.axes))
    )
