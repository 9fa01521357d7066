"""Low-rank factors beside matrices: how the state keeps them, what is computed of them, their products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array

from gradchain.core.slots import Axes, Leaf, Slot
from gradchain.math import numerics
from gradchain.matrices.per_matrix import per_matrix

Stacks = Callable[..., tuple[Array, ...]]  # (x [k, m, n], ...) -> arrays [k, a, b], each matrix by itself


def factor(leaf: Leaf, along: Sequence[int], rank: int) -> Slot:
    """A factor of each matrix of a leaf: [*stack, *some axes of the leaf, rank]; it is split as they are."""
    axes = (*leaf.axes.batch, *along)
    shape = tuple(leaf.shape[i] for i in axes)
    dtype = numerics.wide_dtype(leaf.dtype)
    return Slot((*shape, rank), dtype, (*axes, None), leaf=leaf, exact=True)


def described(slot: Slot) -> Leaf:
    """A factor as a leaf of its own: its rows are the leaf's axes, its columns the new one."""
    owner: Any = slot.leaf
    k, end = len(owner.axes.batch), len(slot.shape) - 1
    axes = Axes(tuple(range(k)), tuple(range(k, end)), (end,))
    return Leaf(owner.path, slot.shape, slot.dtype, axes, None, slot.sharding)


def per_factor(
    f: Stacks,
    arrays: Sequence[tuple[Array, ...]],
    leaves: Sequence[Leaf],
    slots: Sequence[Sequence[Slot]],
    more: Sequence[Sequence[Slot]],
) -> list[tuple[Array, ...]]:
    """f on every matrix of some leaves and the factors beside it, each whole on one device (`per_matrix`).

    arrays: for each leaf its own and those of its factors, whose slots are given. f gets stacks [k, m, n],
    as the leaf has them, and returns the factors anew, and one array for each slot of `more`. On a mesh a
    result travels by all-to-all along the axes that split it, and is gathered along the leaf's others.
    """
    rows, places = [], []
    for xs, leaf, own, new in zip(arrays, leaves, slots, more, strict=True):
        # per_matrix puts results where operands are: these are not read, and the compiler leaves them out.
        rows.append((*xs, *(jnp.zeros(slot.shape, xs[0].dtype, device=slot.sharding) for slot in new)))
        places.append((leaf, *map(described, (*own, *new))))
    if not rows:
        return []
    n = len(arrays[0])
    return per_matrix(lambda *xs: f(*xs[:n]), rows, places, results=tuple(range(1, len(rows[0]))))


def product(left: Array, right: Array, leaf: Leaf) -> Array:
    """left right^T for each matrix, in the shape of the leaf; of factors along its rows and its columns."""
    names = [chr(ord("a") + i) for i in range(len(leaf.shape))]
    rows, cols = (
        "".join(names[i] for i in (*leaf.axes.batch, *axes)) for axes in (leaf.axes.rows, leaf.axes.cols)
    )
    return jnp.einsum(f"{rows}z,{cols}z->{''.join(names)}", left, right, precision="highest")


def scaled(x: Array, by: Array, leaf: Leaf) -> Array:
    """A factor with its columns multiplied by numbers of each matrix, [*stack, rank]."""
    k = len(leaf.axes.batch)
    return x * by.reshape(*by.shape[:k], *[1] * (x.ndim - k - 1), by.shape[-1])


def broadcast(x: Array, axes: Sequence[int], leaf: Leaf) -> Array:
    """A factor of one column along some axes of a leaf, [*stack, *axes, 1], with 1 for the leaf's others."""
    order = (*leaf.axes.batch, *axes)
    turned = x[..., 0].transpose(sorted(range(len(order)), key=order.__getitem__))
    return turned.reshape([size if i in order else 1 for i, size in enumerate(leaf.shape)])
