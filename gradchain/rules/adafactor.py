"""Adafactor: a second moment kept as one number per row and one per column."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.compose import chain
from gradchain.hyper import Decay, Hyper
from gradchain.leafwise import leafwise
from gradchain.numerics import abs2, rms, safe_divide, safe_sqrt
from gradchain.rules.averaging import ema
from gradchain.rules.basic import scale, scale_by_learning_rate
from gradchain.rules.clipping import clip_by_block_rms
from gradchain.rules.decay import optional_decay
from gradchain.select import Selection
from gradchain.slots import Leaf, absent, drop, squares
from gradchain.transform import optimizer, transform

PyTree = Any


class FactoredState(NamedTuple):
    count: Array  # [] int32, steps taken
    v_row: PyTree  # [*batch, *rows] E[|g|^2] over the columns; a scalar for leaves that are not factored
    v_col: PyTree  # [*batch, *cols] E[|g|^2] over the rows; likewise
    v: PyTree  # like params, E[|g|^2]; a scalar for leaves that are factored


def _inverse_root(v: Array) -> Array:
    return safe_divide(jnp.ones_like(v), safe_sqrt(v))


@transform(paper="arXiv:1804.04235", renamed={"epsilon": "eps"}, traits=frozenset({"matrices"}))
def scale_by_factored_rms(
    factored: bool = True,
    decay_rate: Hyper = 0.8,
    step_offset: Hyper = 0,
    min_dim_size_to_factor: int = 128,
    eps: Hyper = 1e-30,
):
    """Divide by a running root mean square; of a matrix only its mean over rows and over columns is kept.

    w = t^-decay_rate, t counted from 1 at step step_offset
    r = (1 - w) r + w mean over columns (|g|^2 + eps), c likewise over rows
    v = r c / mean(r);  u = g / sqrt(v)
    The leaf's axes say what rows and columns are (Optax takes the two longest axes); leaves with fewer than
    min_dim_size_to_factor rows or columns keep all of v.
    """

    def is_factored(p: Leaf) -> bool:
        rows, cols = (math.prod(p.shape[i] for i in axes) for axes in (p.axes.rows, p.axes.cols))
        return factored and p.axes.rows != () and min(rows, cols) >= max(min_dim_size_to_factor, 1)

    def step(g, s, *, leaf):
        w = jnp.float_power(jnp.maximum(s.count - step_offset, 1), -decay_rate)
        square = abs2(g)
        if not is_factored(leaf):
            v = (1 - w) * s.v + w * (square + eps)
            return safe_divide(g, safe_sqrt(v)), s._replace(v=v)
        rows, cols = leaf.axes.rows, leaf.axes.cols
        v_row = (1 - w) * s.v_row + w * (jnp.mean(square, cols) + eps)
        v_col = (1 - w) * s.v_col + w * (jnp.mean(square, rows) + eps)
        r, c = jnp.expand_dims(v_row, cols), jnp.expand_dims(v_col, rows)
        r = safe_divide(r, jnp.mean(r, rows, keepdims=True))
        return g * _inverse_root(r) * _inverse_root(c), s._replace(v_row=v_row, v_col=v_col)

    return leafwise(
        FactoredState,
        step,
        v_row=lambda p: drop(p, p.axes.cols) if is_factored(p) else absent(p),
        v_col=lambda p: drop(p, p.axes.rows) if is_factored(p) else absent(p),
        v=lambda p: absent(p) if is_factored(p) else squares(p),
    )


@transform(paper="arXiv:1804.04235", traits=frozenset({"matrices"}))
def scale_by_param_block_rms(min_scale: Hyper = 1e-3):
    """Make steps relative to the size of a leaf, or of each layer of a stack.

    u = g * max(rms(p), min_scale)
    """

    def step(g, p, *, leaf):
        return g * jnp.maximum(rms(p, leaf.axes.matrix, keepdims=True), min_scale)

    return leafwise(None, step)


@optimizer(
    paper="arXiv:1804.04235",
    renamed={"weight_decay_rate": "weight_decay", "weight_decay_mask": "mask"},
    example=lambda: {"learning_rate": 0.1},
    traits=frozenset({"matrices"}),
)
def adafactor(
    learning_rate: Hyper | None = None,
    min_dim_size_to_factor: int = 128,
    decay_rate: Hyper = 0.8,
    decay_offset: Hyper = 0,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: Hyper | None = 1.0,
    momentum: Decay | None = None,
    dtype_momentum: Any = None,
    weight_decay: Hyper = 0.0,
    eps: Hyper = 1e-30,
    factored: bool = True,
    mask: Selection = None,
):
    """Adafactor: p = p - lr * max(rms(p), 1e-3) * u / max(1, rms(u) / clipping_threshold) - weight_decay * p.

    u is g over its factored root mean square, see `scale_by_factored_rms`; momentum averages the step (`ema`
    without bias correction). A learning rate of None leaves the step relative to the parameters alone. The
    learning rate does not touch the decay.
    """
    links = [scale_by_factored_rms(factored, decay_rate, decay_offset, min_dim_size_to_factor, eps)]
    if clipping_threshold is not None:
        links.append(clip_by_block_rms(clipping_threshold))
    if learning_rate is not None:
        links.append(scale_by_learning_rate(learning_rate, flip_sign=False))
    if multiply_by_parameter_scale:
        links.append(scale_by_param_block_rms())
    if momentum is not None:
        links.append(ema(momentum, debias=False, accumulator_dtype=dtype_momentum))
    return chain(*links, *optional_decay(weight_decay, mask), scale(-1.0))
