"""Adafactor: a second moment kept as one number per row and one per column."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from gradchain.core import place
from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper, Limit
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import Axes, Leaf, absent, drop, squares
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, compute_dtype, real, rms, safe_sqrt
from gradchain.rules.parts.averaging import ema
from gradchain.rules.parts.basic import scale, scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
PAPER: Any = {"paper": "arXiv:1804.04235", "traits": frozenset({"matrices"})}


class FactoredState(NamedTuple):
    count: Array  # [] int32, steps taken
    v_row: PyTree  # [*batch, *rows] E[|g|^2] over the columns; a scalar for leaves that are not factored
    v_col: PyTree  # [*batch, *cols] E[|g|^2] over the rows; likewise
    v: PyTree  # like params, E[|g|^2]; a scalar for leaves that are factored


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


def _factored(g: Array, s: FactoredState, p: Array | None, leaf: Leaf, w, eps, sizes: Sizes):
    """One matrix, or a stack of them: u = g / sqrt(r c / mean(r)) times the factor of its sizes.

    g is read three times and p twice, neither u nor its square is ever held:
    mean |u|^2 = mean(r) * mean over rows (mean over columns (|g|^2 / c) / r).
    Columns come first and rows second: along the last axis three means are made in one pass.
    """
    rows, cols = leaf.axes.rows, leaf.axes.cols
    kept = [i for i in range(len(leaf.shape)) if i not in cols]
    square = abs2(g)
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


def _whole(g: Array, s: FactoredState, p: Array | None, leaf: Leaf, w, eps, sizes: Sizes):
    """A vector, or a small matrix: u = g / sqrt(v) times the factor of its sizes."""
    square = _finite(abs2(g))
    v = s.v + w * (square + eps - s.v)
    u = g * _inverse_root(v)
    if sizes.given:
        again = (1 - w) * s.v + w * (square + eps)  # v, written otherwise: XLA shall not keep it for later
        means = _means(sizes.squares(abs2(g * _inverse_root(again)), p), leaf.axes.matrix)
        means = list(map(_finite, means))
        u = u * jnp.expand_dims(safe_sqrt(sizes.factor(means)), leaf.axes.matrix)
    return u, s._replace(v=v)


def _longest(p: Leaf) -> Axes:
    """The two longest axes for rows and columns, the later one where two are alike."""
    *batch, row, col = sorted(range(len(p.shape)), key=p.shape.__getitem__)
    return Axes(tuple(sorted(batch)), (row,), (col,))


def _link(
    factored,
    decay_rate,
    step_offset,
    min_dim_size_to_factor,
    eps,
    sizes: Sizes,
    longest_axes: bool,
    decay_rate_fn: Callable | None = None,
):
    def read(p: Leaf) -> Leaf:
        return dataclasses.replace(p, axes=_longest(p)) if longest_axes and len(p.shape) > 1 else p

    def is_factored(p: Leaf) -> bool:
        rows, cols = (math.prod(p.shape[i] for i in axes) for axes in (p.axes.rows, p.axes.cols))
        return factored and p.axes.rows != () and min(rows, cols) >= max(min_dim_size_to_factor, 1)

    def update(g, s, p, leaf):
        if decay_rate_fn is None:
            w = jnp.float_power(jnp.maximum(real(s.count) - step_offset, 1), -decay_rate)
        else:
            w = 1 - decay_rate_fn(s.count - 1 - step_offset, decay_rate)
        leaf = read(leaf)
        return (_factored if is_factored(leaf) else _whole)(g, s, p, leaf, w, eps, sizes)

    def step(g, s, *, leaf):
        return update(g, s, None, leaf)

    def step_with_params(g, s, p, *, leaf):
        return update(g, s, p, leaf)

    return leafwise(
        FactoredState,
        step if sizes.min_scale is None else step_with_params,
        v_row=lambda p: drop(p, read(p).axes.cols) if is_factored(read(p)) else absent(p),
        v_col=lambda p: drop(p, read(p).axes.rows) if is_factored(read(p)) else absent(p),
        v=lambda p: absent(p) if is_factored(read(p)) else squares(p),
    )


@transform(**PAPER, renamed={"epsilon": "eps"})
def scale_by_factored_rms(
    factored: bool = True,
    decay_rate: Hyper = 0.8,
    step_offset: Hyper = 0,
    min_dim_size_to_factor: int = 128,
    eps: Hyper = 1e-30,
    decay_rate_fn: Callable | None = None,
    *,
    longest_axes: bool = False,
):
    """Divide by a running root mean square; of a matrix only its mean over rows and over columns is kept.

    w = t^-decay_rate, t counted from 1 after step_offset steps
    r = (1 - w) r + w mean over columns (|g|^2 + eps), c likewise over rows
    v = r c / mean(r);  u = g / sqrt(v)
    The leaf's axes say what rows and columns are; leaves with fewer than min_dim_size_to_factor rows or
    columns keep all of v. decay_rate_fn(t - 1 - step_offset, decay_rate) is 1 - w where it is given.
    """
    sizes = Sizes()
    return _link(
        factored, decay_rate, step_offset, min_dim_size_to_factor, eps, sizes, longest_axes, decay_rate_fn
    )


@transform(**PAPER)
def scale_by_param_block_rms(min_scale: Hyper = 1e-3, *, per_leaf: bool = False):
    """Make steps relative to the size of a leaf, or of each layer of a stack.

    u = g * max(rms(p), min_scale)
    """

    def step(g, p, *, leaf):
        return g * jnp.maximum(rms(p, None if per_leaf else leaf.axes.matrix, keepdims=True), min_scale)

    return leafwise(None, step)


@transform(**PAPER)
def scale_by_adafactor(
    min_dim_size_to_factor: int = 128,
    decay_rate: Hyper = 0.8,
    decay_offset: Hyper = 0,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: Limit | None = 1.0,
    eps: Hyper = 1e-30,
    factored: bool = True,
    *,
    longest_axes: bool = False,
    per_leaf: bool = False,
):
    """`scale_by_factored_rms`, `clip_by_block_rms` and `scale_by_param_block_rms` in one kernel.

    The numbers are those of a chain of the three; memory is read less often, see `_factored`.
    """
    sizes = Sizes(clipping_threshold, 1e-3 if multiply_by_parameter_scale else None, per_leaf)
    return _link(factored, decay_rate, decay_offset, min_dim_size_to_factor, eps, sizes, longest_axes)


@optimizer(
    **PAPER,
    renamed={"weight_decay_rate": "weight_decay", "weight_decay_mask": "mask"},
    example=lambda: {"learning_rate": 0.1},
)
def adafactor(
    learning_rate: Hyper | None = None,
    min_dim_size_to_factor: int = 128,
    decay_rate: Hyper = 0.8,
    decay_offset: Hyper = 0,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: Limit | None = 1.0,
    momentum: Decay | None = None,
    dtype_momentum: DType | None = None,
    weight_decay: Hyper | None = 0.0,
    eps: Hyper = 1e-30,
    factored: bool = True,
    mask: Selection = None,
    *,
    longest_axes: bool = False,
    per_leaf: bool = False,
):
    """Adafactor: p = p - lr * max(rms(p), 1e-3) * u / max(1, rms(u) / clipping_threshold) - weight_decay * p.

    u is g over its factored root mean square, see `scale_by_factored_rms`; momentum averages the step (`ema`
    without bias correction). A learning rate of None leaves the step relative to the parameters alone. The
    learning rate does not touch the decay.
    """
    made = scale_by_adafactor(
        min_dim_size_to_factor,
        decay_rate,
        decay_offset,
        multiply_by_parameter_scale,
        clipping_threshold,
        eps,
        factored,
        longest_axes=longest_axes,
        per_leaf=per_leaf,
    )
    rate = () if learning_rate is None else (scale_by_learning_rate(learning_rate, flip_sign=False),)
    average = () if momentum is None else (ema(momentum, debias=False, accumulator_dtype=dtype_momentum),)
    return chain(made, *rate, *average, *optional_decay(weight_decay, mask), scale(-1.0))
