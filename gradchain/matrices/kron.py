"""Kronecker factors of PSGD: triangular or diagonal ones for the sides of matrices, and a step of fitting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array, lax

from gradchain.core.slots import Axes, Leaf, Slot
from gradchain.math import numerics
from gradchain.math.numerics import abs2, norm, safe_divide
from gradchain.matrices.linalg import transposed
from gradchain.matrices.per_matrix import per_matrix, sides

Diagonal = Literal["none", "longest", "all"]


def factors_of(leaf: Leaf, max_size: int, diagonal: Diagonal, scale: float) -> tuple[Slot | None, Slot]:
    """The slots of a leaf's left and right factors, which start as the unit matrix times a number."""
    _, *lengths = sides(leaf.shape, leaf.axes)
    vector = not leaf.axes.rows
    batch = tuple(leaf.shape[i] for i in leaf.axes.batch)

    def slot(side: int) -> Slot:
        n, axes = lengths[side], (leaf.axes.rows, leaf.axes.cols)[side]
        longest = n > lengths[1 - side] or (n == lengths[1 - side] and side == 1)
        only = vector or not 1 < n <= max_size or diagonal == "all" or (diagonal == "longest" and longest)
        start = scale if vector else scale**0.5
        along = (*leaf.axes.batch, axes[0] if len(axes) == 1 else None)
        dtype = numerics.wide_dtype(leaf.dtype)
        if only:
            return Slot((*batch, n), dtype, along, start, leaf=leaf, exact=True)
        fill = lambda _: start * jnp.eye(n, dtype=dtype)  # noqa: E731
        return Slot((*batch, n, n), dtype, (*along, None), fill, leaf=leaf, exact=True)

    return (None if vector else slot(0)), slot(1)


def _read(slot: Slot, leaf: Leaf) -> Leaf:
    """A factor as a leaf of its own: [k, n, n], or [k, 1, n]."""
    k, end = len(leaf.axes.batch), len(slot.shape)
    axes = Axes(tuple(range(k)), tuple(range(k, end - 1)), (end - 1,))
    return Leaf(leaf.path, slot.shape, slot.dtype, axes, None, slot.sharding)


def pairs_of(left: Any, right: Any, like: Sequence[Array], slots: Sequence[Sequence[Slot]]) -> list[tuple]:
    """The factors of each leaf, two or one, from the trees of a state."""
    columns = zip(jax.tree.leaves(left), jax.tree.leaves(right), like, slots, strict=True)
    return [tuple(q.astype(x.dtype) for q in pair[-len(own) :]) for *pair, x, own in columns]


def apart(pairs: Sequence[tuple[Array, ...]], left: Any, right: Any) -> tuple[Any, Any]:
    """The trees of a state, from the factors of each leaf; a leaf with one keeps its place on the left."""
    found = []
    for old, at in ((left, -2), (right, -1)):
        xs = [(x, *pair)[at].astype(x.dtype) for x, pair in zip(jax.tree.leaves(old), pairs, strict=True)]
        found.append(jax.tree.structure(old).unflatten(xs))
    return found[0], found[1]


def per_kron(
    f: Callable[..., tuple[Array, ...]],
    arrays: Sequence[tuple[Array, ...]],
    factors: Sequence[tuple[Array, ...]],
    leaves: Sequence[Leaf],
    slots: Sequence[Sequence[Slot]],
    renewed: bool,
) -> list[tuple[Array, ...]]:
    """f(*arrays, *factors) of each matrix by `per_matrix`: the factors anew, or an array like the leaf.

    For each leaf some arrays like it, and two factors or one.
    """
    out: list[Any] = [None] * len(leaves)
    for n in (1, 2):
        at = [i for i, row in enumerate(factors) if len(row) == n]
        if not at:
            continue
        first = len(arrays[at[0]])
        rows = [(*arrays[i], *factors[i]) for i in at]
        places = [(*[leaves[i]] * first, *(_read(slot, leaves[i]) for slot in slots[i])) for i in at]
        results = tuple(range(first, first + n)) if renewed else (0,)
        for i, made in zip(at, per_matrix(f, rows, places, results=results), strict=True):
            out[i] = made
    return out


def _is_diagonal(q: Array, n: int) -> bool:
    return q.shape[-2:] == (1, n)


def onto(q: Array | None, x: Array) -> Array:  # [k, n, n] or [k, 1, n], [k, n, ...]
    """q x for a triangular factor or a diagonal one."""
    if q is None:
        return x
    return transposed(q) * x if _is_diagonal(q, x.shape[-2]) else jnp.matmul(q, x, precision="highest")


def through(left: Array | None, right: Array, x: Array) -> Array:
    """left x right^T, by factors of either kind."""
    return transposed(onto(right, transposed(onto(left, x))))


def both(factors: Sequence[Array]) -> tuple[Any, Any]:
    """The left factor, None where there is one alone, and the right."""
    return factors[-2] if len(factors) == 2 else None, factors[-1]


def turned(q: Any) -> Any:
    """The conjugate transpose of a factor, where it is not None."""
    return None if q is None else q.conj() if q.shape[-2] == 1 else transposed(q).conj()


def unsolved(left: Array | None, right: Array, x: Array) -> Array:
    """Q^-H x, of which `through` is Q x."""
    return transposed(_unsolved(right, transposed(_unsolved(left, x))))


def _unsolved(q: Array | None, x: Array) -> Array:
    if q is None:
        return x
    if _is_diagonal(q, x.shape[-2]):
        return x / transposed(q).conj()
    conjugate = jnp.iscomplexobj(q)
    return lax.linalg.triangular_solve(q, x, left_side=True, transpose_a=True, conjugate_a=conjugate)


def size_below(x: Array) -> Array:
    """A lower bound of the largest eigenvalue of Hermitian matrices [k, n, n], a tight one: [k, 1, 1]."""
    largest = jnp.max(jnp.abs(x), (-2, -1), keepdims=True)
    x = x * safe_divide(1, largest)
    column = jnp.argmax(jnp.sum(abs2(x), -2), -1)  # [k]
    v = jnp.take_along_axis(x, column[:, None, None], -1)
    v = jnp.matmul(x, v, precision="highest")
    v = v * safe_divide(1, norm(v, (-2, -1), keepdims=True))
    return largest * norm(jnp.matmul(x, v, precision="highest"), (-2, -1), keepdims=True)


def fitted(q: Any, a: Array, b: Array, rate: Any) -> Any:
    """A factor of the rows of a = Q g after a step towards E[a a^H] = E[b b^H], b = Q^-H v."""
    if q is None:
        return None
    if _is_diagonal(q, a.shape[-2]):
        aa, bb = (jnp.sum(abs2(x), -1)[:, None, :] for x in (a, b))
        return q - rate * safe_divide(aa - bb, jnp.max(aa + bb, -1, keepdims=True)) * q
    aa, bb = (jnp.matmul(x, transposed(x).conj(), precision="highest") for x in (a, b))
    step = jnp.triu(aa - bb) * safe_divide(rate, size_below(aa + bb))
    return q - jnp.matmul(step, q, precision="highest")


def balanced(left: Array, right: Array) -> tuple[Array, Array]:
    """Two factors with the same product and the same largest element."""
    sizes = [jnp.max(jnp.abs(q), (-2, -1), keepdims=True) for q in (left, right)]
    both = jnp.sqrt(sizes[0]) * jnp.sqrt(sizes[1])
    return left * safe_divide(both, sizes[0]), right * safe_divide(both, sizes[1])
