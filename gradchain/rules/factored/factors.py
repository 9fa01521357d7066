"""Division by second moments kept as one number per row and one per column, in few passes over memory."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from gradchain.core import place
from gradchain.core.slots import Leaf
from gradchain.math.numerics import abs2, compute_dtype, safe_sqrt


class Factors(NamedTuple):
    v_row: Array  # [*batch, *rows] means over the columns
    v_col: Array  # [*batch, *cols] means over the rows


class Sizes(NamedTuple):
    """How large an update may be, and how large it is made: root mean squares."""

    threshold: Any = None  # at most this; None: not clipped
    min_scale: Any = None  # times that of the parameter, at least this; None: not multiplied
    per_leaf: bool = False  # of a stack of layers together

    @property
    def given(self) -> bool:
        return self.threshold is not None or self.min_scale is not None

    def squares(self, u2: Array, p: Array | None) -> list[Array]:
        """What the factor is made of the means of."""
        return ([] if self.threshold is None else [u2]) + ([] if p is None else [abs2(p)])

    def factor(self, means: list[Array]) -> Array:
        """The square of the factor for the update, of which there is one root to take."""
        if self.per_leaf:
            means = [jnp.mean(x, keepdims=True) for x in means]
        factor = jnp.ones_like(means[0])
        if self.threshold is not None:
            factor = 1 / jnp.maximum(means[0] / self.threshold**2, 1)
        return factor if self.min_scale is None else factor * jnp.maximum(means[-1], self.min_scale**2)


def _weight(x: Array, axes: tuple[int, ...]) -> float:
    return 1 / max(math.prod(x.shape[i] for i in axes), 1)


def _means(arrays: list[Array], axes: tuple[int, ...]) -> list[Array]:
    """Means of several arrays in one pass: a mean for each might read memory once for each."""
    dtype = compute_dtype(*arrays)  # XLA reduces arrays of one dtype together; under x64, w is float64
    return _together([x.astype(dtype) for x in arrays], axes)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _together(arrays: list[Array], axes: tuple[int, ...]) -> list[Array]:
    """The means of arrays of one dtype.

    Of arrays over several devices a mean for each: XLA gathers what is reduced together, and sums it twice.
    """
    if any(map(place.is_split, arrays)):
        return [jnp.sum(x * _weight(x, axes), axes) for x in arrays]
    zeros = [jnp.zeros((), x.dtype) for x in arrays]
    add = lambda xs, ys: [x + y for x, y in zip(xs, ys, strict=True)]  # noqa: E731
    return list(lax.reduce([x * _weight(x, axes) for x in arrays], zeros, add, axes))


@_together.defjvp
def _together_jvp(axes, arrays, tangents):
    """A mean is linear; a reduction of several arrays has no derivative where one of them is constant."""
    return _together(*arrays, axes), [jnp.sum(t, axes) * _weight(t, axes) for t in tangents[0]]


def _inverse_root(v: Array) -> Array:
    """1 / sqrt(v), finite at 0; the derivative of lax.rsqrt overflows float32 at 1e-30, which eps is."""
    return 1 / jnp.sqrt(jnp.maximum(v, jnp.finfo(v.dtype).tiny))


def _finite(mean: Array) -> Array:
    """A mean of squares of finite numbers, which may have overflowed; what is no number stays none.

    Of the means, which are small: on the squares XLA for GPU would hold them, at 2.3 bytes a parameter.
    """
    return jnp.minimum(mean, float(jnp.finfo(mean.dtype).max) ** 0.8)


def is_matrix(leaf: Leaf, least: int = 1) -> bool:
    """Whether a leaf holds matrices, none of them with a side shorter than `least`."""
    rows, cols = (math.prod(leaf.shape[i] for i in axes) for axes in (leaf.axes.rows, leaf.axes.cols))
    return leaf.axes.rows != () and min(rows, cols) >= max(least, 1)


def over_factors(g: Array, s, leaf: Leaf, w, eps, sizes: Sizes, p: Array | None = None, square=None):
    """One matrix, or a stack of them: u = g / sqrt(r c / mean(r)) times the factor of its sizes.

    g is read three times and p twice, neither u nor its square is ever held:
    mean |u|^2 = mean(r) * mean over rows (mean over columns (|g|^2 / c) / r).
    Columns come first and rows second: along the last axis three means are made in one pass.
    s holds v_row and v_col. `square` is what they are means of, where it is not |g|^2.
    """
    rows, cols = leaf.axes.rows, leaf.axes.cols
    kept = [i for i in range(len(leaf.shape)) if i not in cols]
    square = abs2(g) if square is None else square
    v_col = s.v_col + w * (_finite(jnp.mean(square, rows)) + eps - s.v_col)  # [*batch, cols]
    c = jnp.expand_dims(_inverse_root(v_col), rows)
    of_row, *means = _means([square, *sizes.squares(abs2(g * c), p)], cols)  # each [*batch, rows]
    of_row, means = _finite(of_row), list(map(_finite, means))
    v_row = s.v_row + w * (of_row + eps - s.v_row)
    r = _inverse_root(v_row)
    if sizes.threshold is not None:
        means[0] = means[0] * r * r
    mean_row, *means = _means([v_row, *means], tuple(kept.index(i) for i in rows))  # each [*batch]
    if sizes.threshold is not None:
        means[0] = means[0] * mean_row
    factor = safe_sqrt(mean_row) * (safe_sqrt(sizes.factor(means)) if sizes.given else 1)
    u = g * c * jnp.expand_dims(r, cols) * jnp.expand_dims(factor, leaf.axes.matrix)
    return u, s._replace(v_row=v_row, v_col=v_col)


def over_whole(g: Array, s, leaf: Leaf, w, eps, sizes: Sizes, p: Array | None = None):
    """A vector, or a small matrix: u = g / sqrt(v) times the factor of its sizes. s holds v."""
    square = _finite(abs2(g))
    v = s.v + w * (square + eps - s.v)
    u = g * _inverse_root(v)
    if sizes.given:
        again = (1 - w) * s.v + w * (square + eps)  # v, written otherwise: XLA shall not keep it for later
        means = _means(sizes.squares(abs2(g * _inverse_root(again)), p), leaf.axes.matrix)
        means = list(map(_finite, means))
        u = u * jnp.expand_dims(safe_sqrt(sizes.factor(means)), leaf.axes.matrix)
    return u, s._replace(v=v)
