"""Kronecker factors of PSGD: triangular or diagonal ones for the sides of matrices, and a step of fitting."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array, lax

from gradchain.core.control import when
from gradchain.core.slots import Axes, Leaf, Slot
from gradchain.math import numerics, rounding
from gradchain.math.numerics import abs2, norm, safe_divide
from gradchain.matrices import packed
from gradchain.matrices.factors import split_along
from gradchain.matrices.linalg import transposed
from gradchain.matrices.per_matrix import per_matrix, sides
from gradchain.matrices.ring import Step, beside, in_ring
from gradchain.matrices.rounds import spread_out

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
        fill = lambda _: packed.pack(start * jnp.eye(n, dtype=dtype))  # noqa: E731
        ends = packed.shape(n)
        along = (*leaf.axes.batch, *split_along(leaf, ends))
        return Slot((*batch, *ends), dtype, along, fill, leaf=leaf, exact=True)

    return (None if vector else slot(0)), slot(1)


def _read(leaf: Leaf, slots: Sequence[Slot]) -> list[Leaf]:
    """The factors of a leaf as leaves of their own: [k, n / 2, n + 1], or [k, 1, n]."""
    k = len(leaf.axes.batch)
    axes = [Axes(tuple(range(k)), tuple(range(k, len(q.shape) - 1)), (len(q.shape) - 1,)) for q in slots]
    return [
        Leaf(leaf.path, q.shape, q.dtype, own, None, q.sharding) for q, own in zip(slots, axes, strict=True)
    ]


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
    means: Sequence[Array],
    factors: Sequence[tuple[Array, ...]],
    leaves: Sequence[Leaf],
    slots: Sequence[Sequence[Slot]],
) -> list[Array]:
    """f(mean, *factors) of each matrix by `per_matrix`: (an array like it,)."""
    out: list[Any] = [None] * len(leaves)
    for n in (1, 2):
        if at := [i for i, row in enumerate(factors) if len(row) == n]:
            rows = [(means[i], *factors[i]) for i in at]
            places = [(leaves[i], *_read(leaves[i], slots[i])) for i in at]
            for i, (made,) in zip(at, per_matrix(f, rows, places), strict=True):
                out[i] = made
    return out


@functools.partial(jax.jit, static_argnums=1)
def _words(first: Array, leaf: Leaf) -> Array:
    """A number for each matrix of a leaf."""
    return spread_out(first + jnp.arange(sides(leaf.shape, leaf.axes)[0], dtype=jnp.uint32), leaf)


def refitted(
    f: Callable[..., tuple[Array, ...]],
    means: Sequence[Array],
    factors: Sequence[tuple[Array, ...]],
    leaves: Sequence[Leaf],
    slots: Sequence[Sequence[Slot]],
    step: Step,
    t: Array,
) -> list[tuple[Array, ...]]:
    """f(mean, word, *factors, t) -> factors of the matrices whose turn it is; vectors have one together.

    The word, [k, 1, 1], is a number for each matrix, alike for none of them. Derivatives of f are 0.
    """
    arrays = [
        (m, _words(rounding.word(leaf.path), leaf.bare())) for m, leaf in zip(means, leaves, strict=True)
    ]
    homes = [
        (leaf, beside(leaf, jnp.uint32), *_read(leaf, own)) for leaf, own in zip(leaves, slots, strict=True)
    ]
    vectors, matrices = ([i for i, row in enumerate(factors) if len(row) == n] for n in (1, 2))
    out = list(factors)

    def constant(*operands):
        return jax.lax.stop_gradient(f(*operands))

    def fit(old, arrays, t):
        rows = [(*xs, *qs) for xs, qs in zip(arrays, old, strict=True)]
        return per_matrix(constant, rows, [homes[i] for i in vectors], results=(2,), shared=[t])

    if vectors:
        first, end = step.due(1)
        old, more = ([xs[i] for i in vectors] for xs in (factors, arrays))
        for i, qs in zip(vectors, when(end > first, fit, old, more, t), strict=True):
            out[i] = qs
    rows, places = [(*arrays[i], *factors[i]) for i in matrices], [homes[i] for i in matrices]
    for i, qs in zip(
        matrices, in_ring(constant, rows, places, step, results=(2, 3), shared=[t]), strict=True
    ):
        out[i] = qs
    return out


def whitened(m: Array, *kept: Array) -> Array:  # [k, m, n], factors as they are kept
    """Q^H Q m, of which `through` is Q m."""
    left, right = kept[-2] if len(kept) == 2 else None, kept[-1]
    return transposed(_twice(right, transposed(_twice(left, m))))


def _twice(q: Array | None, x: Array) -> Array:
    """q^H q x for a factor as it is kept: of a triangle in blocks three quarters of the flops."""
    if q is None:
        return x
    if _is_diagonal(q, n := x.shape[-2]):
        return abs2(transposed(q)) * x
    left, c = packed.lower(q)  # q^H = (left, (0; c))
    half, matmul = c.shape[-1], functools.partial(jnp.matmul, precision="highest")
    x = jnp.pad(x, ((0, 0), (0, 2 * half - n), (0, 0)))
    y = matmul(left, matmul(turned(left), x))
    below = y[:, half:] + matmul(c, matmul(turned(c), x[:, half:]))
    return jnp.concatenate([y[:, :half], below], 1)[:, :n]


def opened(kept: Sequence[Array], m: Array) -> tuple[Any, Array]:
    """The left factor of matrices [k, m, n], None where there is one alone, and the right."""
    found = [
        q if _is_diagonal(q, n) else turned(packed.unpack_lower(q, n))
        for q, n in zip(kept, m.shape[-len(kept) :], strict=True)
    ]
    return found[0] if len(found) == 2 else None, found[-1]


def closed(*factors: Array | None) -> tuple[Array, ...]:
    """Factors as they are kept."""
    return tuple(q if q.shape[-2] == 1 else packed.pack(turned(q)) for q in factors if q is not None)


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
