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
    groups: dict[tuple[bool, bool], list[int]] = {}
    for i, (g, _, shape) in enumerate(rows):
        _, m, n = sides(g.shape, shape.axes)
        groups.setdefault((shape.along_rows != (m > n), m > n), []).append(i)
    for (short, turned), at in groups.items():
        grads = [jax.lax.stop_gradient(rows[i][0]) for i in at]
        leaves = [dataclasses.replace(rows[i][1], axes=rows[i][2].axes) for i in at]
        f = functools.partial(_vectors, short=short, turned=turned)
        for i, y in zip(at, per_matrix(f, grads, leaves), strict=True):
            shape: Shape = rows[i][2]
            stack = place.whole_along(stack_of(y, shape.axes), 2 if short else 1)
            kept = stack[:, :, : shape.rank] if short else jnp.swapaxes(stack[:, : shape.rank], 1, 2)
            out[i] = kept.reshape(*(y.shape[a] for a in shape.axes.batch), *kept.shape[1:])
    return out


def _vectors(x: Array, short: bool, turned: bool) -> Array:  # [k, m, n], m <= n
    """The singular vectors of the short side in the first m columns, or a row for each of the long side's.

    Their signs are those of the matrix as the leaf has it, which is the transposed one where `turned`.
    """
    u, _, v = jnp.linalg.svd(jnp.swapaxes(x, 1, 2) if turned else x, full_matrices=False)
    if turned:
        u, v = jnp.swapaxes(v, 1, 2), jnp.swapaxes(u, 1, 2)  # of x^T = U S V^H the conjugates
    return jnp.pad(u, ((0, 0), (0, 0), (0, x.shape[2] - x.shape[1]))) if short else v


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
