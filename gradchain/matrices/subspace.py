"""Subspaces of matrices: the singular vectors that a gradient is projected to, and the way back."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import place
from gradchain.core.slots import Axes, Leaf
from gradchain.matrices.per_matrix import leaf_of, per_matrix, sides, stack_of


@dataclasses.dataclass(frozen=True)
class Shape:
    """How a leaf is projected: `axes` of its k matrices [rows, cols], along rows or along columns."""

    axes: Axes
    along_rows: bool
    rank: int

    def side(self, shape: Sequence[int]) -> int:
        """The length of the side that is projected."""
        _, rows, cols = sides(shape, self.axes)
        return rows if self.along_rows else cols

    def split(self, leaf: Leaf) -> tuple[int | None, ...]:
        """Along which axes of the leaf the projected leaf runs; along none where several are one side."""
        if len(self.axes.rows) > 1 or len(self.axes.cols) > 1:
            return (*self.axes.batch, None, None)
        row, col = sum(self.axes.rows), sum(self.axes.cols)  # the one of each
        return (*self.axes.batch, None, col) if self.along_rows else (*self.axes.batch, row, None)

    def small(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of the projected leaf: [rank, cols] or [rows, rank], with a stack's axes before."""
        _, rows, cols = sides(shape, self.axes)
        batch = tuple(shape[i] for i in self.axes.batch)
        return (*batch, self.rank, cols) if self.along_rows else (*batch, rows, self.rank)


def bases(rows: Sequence[tuple[Array, Leaf, Shape]]) -> list[Array]:
    """The first singular vectors of every gradient, [*batch, side, rank]; their derivative is 0."""
    out: list[Any] = [None] * len(rows)
    for along_rows in (True, False):
        at = [i for i, (_, _, shape) in enumerate(rows) if shape.along_rows == along_rows]
        grads = [(jax.lax.stop_gradient(rows[i][0]),) for i in at]
        leaves = [(dataclasses.replace(rows[i][1], axes=rows[i][2].axes),) for i in at]
        f = functools.partial(_vectors, along_rows=along_rows)
        for i, (y,) in zip(at, per_matrix(f, grads, leaves), strict=True):
            shape: Shape = rows[i][2]
            stack = place.whole_along(stack_of(y, shape.axes, turned=False), 2 if along_rows else 1)
            kept = stack[:, :, : shape.rank] if along_rows else jnp.swapaxes(stack[:, : shape.rank], 1, 2)
            out[i] = kept.reshape(*(y.shape[a] for a in shape.axes.batch), *kept.shape[1:])
    return out


def _vectors(x: Array, along_rows: bool) -> tuple[Array]:  # [k, m, n]
    """The left singular vectors in the first columns, or the right ones' conjugates in the first rows."""
    u, _, v = jnp.linalg.svd(x, full_matrices=False)
    found = u if along_rows else v
    more = [(0, a - b) for a, b in zip(x.shape, found.shape, strict=True)]
    return (jnp.pad(found, more),)


def _stacked(basis: Array, like: Array) -> Array:
    return basis.reshape(-1, *basis.shape[-2:]).astype(like.dtype)


def down(g: Array, basis: Array, shape: Shape) -> Array:
    """P^H g or g P, as [*batch, rank, cols] or [*batch, rows, rank]."""
    x = stack_of(g, shape.axes, turned=not shape.along_rows)
    p = place.whole_along(_stacked(basis, x), 1).conj()
    small = jnp.einsum("kar,kab->krb", p, place.whole_along(x, 1), precision="highest")
    small = small if shape.along_rows else jnp.swapaxes(small, 1, 2)
    return small.reshape(shape.small(g.shape))


def up(u: Array, basis: Array, size: Sequence[int], shape: Shape) -> Array:
    """P u or u P^H, in the shape of the leaf."""
    x = u.reshape(-1, *u.shape[-2:])
    x = x if shape.along_rows else jnp.swapaxes(x, 1, 2)
    large = jnp.einsum("kar,krb->kab", _stacked(basis, x), x, precision="highest")
    return leaf_of(large, size, shape.axes, turned=not shape.along_rows)
