"""Subspaces of matrices: bases that gradients are projected to, how they follow, and the way back."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import place
from gradchain.core.slots import Axes, Leaf, Slot
from gradchain.math import numerics, rounding
from gradchain.matrices.linalg import adjoint
from gradchain.matrices.per_matrix import leaf_of, per_matrix, sides, stack_of
from gradchain.matrices.preconditioners import times


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

    @property
    def short(self) -> tuple[int, ...]:
        """The axes of the side that is projected."""
        return self.axes.rows if self.along_rows else self.axes.cols

    def slot(self, leaf: Leaf, ends: tuple[int, int], along: int | None = None) -> Slot:
        """An array [*batch, a, b] for the k matrices, a along an axis of the leaf."""
        batch = self.axes.batch
        size = (*(leaf.shape[i] for i in batch), *ends)
        axes = (*batch, along, None)
        return Slot(size, numerics.wide_dtype(leaf.dtype), axes, leaf=leaf, exact=True)

    def basis(self, leaf: Leaf) -> Slot:
        """The bases of a leaf, [*batch, side, rank]."""
        only = self.short[0] if len(self.short) == 1 else None
        return self.slot(leaf, (self.side(leaf.shape), self.rank), only)

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


def renewed(f: Callable, rows: Sequence[tuple[Array, Leaf, Shape, Sequence[tuple[Array, Slot]]]], shared=()):
    """New bases f(g, basis, *more, *shared) for the k matrices of each leaf; their derivative is 0.

    A row is (gradient, leaf, shape, [(array, its slot), ...]), the basis first of the arrays [*batch, a, b].
    f takes g [k, side, n] and all that [k, a, b].
    """
    out: list[Any] = [None] * len(rows)
    alike: dict[tuple[bool, int], list[int]] = {}
    for i, (_, _, shape, more) in enumerate(rows):
        alike.setdefault((shape.along_rows, len(more)), []).append(i)
    for (along_rows, _), at in alike.items():
        turned = (lambda x: x) if along_rows else (lambda x: jnp.swapaxes(x, 1, 2))
        arrays, leaves = [], []
        for i in at:
            g, leaf, shape, more = rows[i]
            arrays.append(tuple(jax.lax.stop_gradient([g, *(x.astype(g.dtype) for x, _ in more)])))
            own = dataclasses.replace(leaf, axes=shape.axes)
            leaves.append((own, *(_described(slot, leaf.path, len(shape.axes.batch)) for _, slot in more)))
        do = lambda g, *xs, turned=turned: (f(turned(g), *xs),)  # noqa: E731
        made = per_matrix(do, arrays, leaves, results=(1,), shared=shared)
        for i, (y,) in zip(at, made, strict=True):
            out[i] = y.astype(rows[i][3][0][0].dtype)
    return out


def _described(slot: Slot, path: str, k: int) -> Leaf:
    """A slot [*batch, a, b] as a leaf of its own."""
    return Leaf(path, slot.shape, slot.dtype, Axes(tuple(range(k)), (k,), (k + 1,)), None, slot.sharding)


def singular(g: Array, rank: int) -> Array:
    """The first left singular vectors, [k, side, rank]."""
    return jnp.linalg.svd(g, full_matrices=False)[0][..., :rank]


def iterated(g: Array, basis: Array, tracked: Array | None, decay: Array | None) -> Array:
    """The eigenvectors of Q = decay U tracked U^H + (1 - decay) g g^H, U the basis, by one iteration."""

    def product(x: Array) -> Array:  # Q x, without Q
        new = times(g, times(adjoint(g), x))
        if tracked is None:
            return new
        return numerics.ema(times(basis, tracked, times(adjoint(basis), x)), new, decay)

    q = jnp.linalg.qr(product(basis))[0]
    return times(q, jnp.linalg.eigh(times(adjoint(q), product(q)))[1][..., ::-1])


def completed(basis: Array, noise: Array) -> Array:
    """The basis with its last columns drawn anew: noise made orthonormal, apart from all of the basis.

    Where too few directions are left of [k, side, rank] for the noise [k, side, n], apart from what stays.
    """
    side, rank, n = *basis.shape[-2:], noise.shape[-1]
    leading = basis[..., : rank - n]
    apart = basis if side - rank >= n else leading
    q = jnp.linalg.qr(jnp.concatenate([apart, noise.astype(basis.dtype)], -1))[0]
    return jnp.concatenate([leading, q[..., apart.shape[-1] :]], -1)


def noise(seed: int, turn: Array, path: str, size: Sequence[int], dtype: Any) -> Array:
    """Normal noise from (seed, number of the projection, path)."""
    return _normal(turn, rounding.word(path), seed, tuple(size), jnp.finfo(dtype).dtype)


@functools.partial(jax.jit, static_argnames=("seed", "size", "dtype"))
def _normal(turn: Array, salt: Array, seed: int, size: tuple[int, ...], dtype: Any) -> Array:
    like: Any = jax.ShapeDtypeStruct(size, dtype)
    return numerics.normal(seed, turn, salt, like)


def squared(r: Array, shape: Shape) -> Array:
    """r r^H of projected gradients, [*batch, rank, rank]."""
    x = numerics.bounded(r).reshape(-1, *r.shape[-2:])
    x = place.whole_along(x if shape.along_rows else jnp.swapaxes(x, 1, 2), 2)  # [k, rank, n]
    return times(x, adjoint(x)).reshape(*r.shape[:-2], shape.rank, shape.rank)


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
