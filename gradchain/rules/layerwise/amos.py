"""Amos: weight decay and learning rate that fade by themselves, towards a known size of the weights."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import Leaf, Slot
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, bias, bounded, ema, real_dtype, safe_divide, safe_sqrt
from gradchain.rules.parts.averaging import ema as averaged
from gradchain.rules.parts.layers import one_along

PyTree = Any
PAPER: Any = {
    "paper": "arXiv:2210.11693",
    "near": ("adamw", "lamb", "adafactor"),
    "traits": frozenset({"matrices"}),
    "example": lambda: {"learning_rate": 0.1},
}


class ScaleByAmosState(NamedTuple):
    count: Array  # [] int32, steps taken
    nu: PyTree  # like params with 1 for the axes of rows, E[|g|^2] of each column
    decay: PyTree  # like nu, how far rate and decay have faded


def _of_columns(p: Leaf) -> Slot:
    return one_along(p, p.axes.rows)


@transform(record=("learning_rate",), **PAPER)
def scale_by_amos(
    learning_rate: Hyper, target_scale: Hyper | None = None, b2: Decay = 0.999, zeta: Hyper = 0.25
):
    """Step by Amos; the learning rate is inside, and what comes out is added to the parameters.

    v = b2 v + (1 - b2) s,  s = mean |g|^2 over the rows of a matrix;  w = s / v',  v' = v / (1 - b2^t)
    c = lr^2 w / sqrt(1 + zeta sqrt(lr) b);  u = -(lr eta g / sqrt(v') + c p / 2) / (1 + zeta sqrt(lr eta) b)
    b = b + c (1 + b), from 0
    eta = target_scale, the size that weights are expected to reach; None: 1 / sqrt(rows) of matrices, 1/2 of
    vectors, which keep v and b for each element. The paper's learning rate is about 1 / sqrt(n), n the number
    of batches in the data.
    """

    def step(g, s, p, *, leaf):
        rows = leaf.axes.rows
        count = max(math.prod(leaf.shape[i] for i in rows), 1)
        size = target_scale if target_scale is not None else count**-0.5 if rows else 0.5
        g = bounded(g)
        square = jnp.sum(abs2(g), rows, keepdims=True) / count if rows else abs2(g)
        nu, rate = ema(s.nu, square, b2), jnp.asarray(learning_rate, real_dtype(g))
        inverse = safe_divide(bias(b2, s.count).astype(nu.dtype), nu)
        fade = safe_sqrt(1 + zeta * safe_sqrt(rate) * s.decay)
        gamma = rate * rate * inverse * square / fade
        below = 1 + zeta * safe_sqrt(rate * size) * s.decay
        u = -(rate * size * safe_sqrt(inverse) * g + gamma / 2 * p) / below
        return u, ScaleByAmosState(s.count, nu, s.decay + gamma * (1 + s.decay))

    return leafwise(ScaleByAmosState, step, nu=_of_columns, decay=_of_columns)


@optimizer(**PAPER)
def amos(
    learning_rate: Hyper,
    target_scale: Hyper | None = None,
    b2: Decay = 0.999,
    zeta: Hyper = 0.25,
    momentum: Decay | None = None,
):
    """Amos: p = p + u, or with momentum the running mean of u, see `scale_by_amos`.

    It needs no schedule and no weight decay. Other target scales for some leaves are groups of a `partition`.
    """
    heavy = () if momentum is None else (averaged(momentum, debias=False),)
    return chain(scale_by_amos(learning_rate, target_scale, b2, zeta), *heavy)
