"""Adafactor: a second moment kept as one number per row and one per column."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from gradchain.core import words
from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper, Limit, one_number
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import Axes, Leaf, absent, drop, squares
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import real, rms
from gradchain.rules.factored.factors import Sizes, is_matrix, over_factors, over_whole
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
    decay_rate_fn: Callable[[Any, Any], Any] | None = None,
):
    def rate(t):
        what = f"scale_by_factored_rms: decay_rate_fn, {words.show(decay_rate_fn)},"
        return one_number(decay_rate_fn(t, decay_rate), what, "number for that step")  # pyright: ignore[reportOptionalCall]

    if decay_rate_fn is not None:
        rate(np.int32(0))

    def read(p: Leaf) -> Leaf:
        return dataclasses.replace(p, axes=_longest(p)) if longest_axes and len(p.shape) > 1 else p

    def is_factored(p: Leaf) -> bool:
        return factored and is_matrix(p, min_dim_size_to_factor)

    def update(g, s, p, leaf):
        if decay_rate_fn is None:
            w = jnp.float_power(jnp.maximum(real(s.count) - step_offset, 1), -decay_rate)
        else:
            w = 1 - rate(s.count - 1 - step_offset)
        leaf = read(leaf)
        return (over_factors if is_factored(leaf) else over_whole)(g, s, leaf, w, eps, sizes, p)

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
    decay_rate_fn: Callable[[Any, Any], Any] | None = None,
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

    The numbers are those of a chain of the three; memory is read less often, see `over_factors`.
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
