"""RACS: gradients divided by the root of a product of one number per row and one per column."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import whole
from gradchain.core.leafwise import leafwise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import drop
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, bounded, ema, over_root, safe_divide
from gradchain.rules.parts.basic import scale, scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay
from gradchain.rules.parts.history import limit_norm_growth

PyTree = Any
PAPER: Any = {
    "paper": "arXiv:2502.07752",
    "traits": frozenset({"matrices"}),
    "near": ("adafactor", "sm3", "came", "apollo_mini"),
}


class ScaleByRacsState(NamedTuple):
    v_row: PyTree  # [*batch, *rows] mean of q
    v_col: PyTree  # [*batch, *cols] mean of s


def _fitted(square: Array, w: Array, axes: tuple[int, ...]) -> Array:
    """The vector that, times w, is nearest to the squares: square w / |w|^2 along `axes`, which are kept."""
    top = jnp.max(w, axes, keepdims=True, initial=0)  # squares of w itself might overflow
    w = w * safe_divide(1, top)
    return safe_divide(jnp.sum(square * w, axes, keepdims=True), top * jnp.sum(w * w, axes, keepdims=True))


def _errors():
    yield ErrorInput({"iterations": 0}, ValueError, ("iterations is 0", "at least 1"))


@transform(**PAPER, errors=_errors)
def scale_by_racs(decay: Decay = 0.9, eps: Hyper = 1e-8, *, iterations: Annotated[int, whole(1, 100)] = 5):
    """Divide by the root of the matrix of rank one that is nearest to the squares of a gradient.

    q = 1;  iterations times  s = |g|^2^T q / |q|^2,  q = |g|^2 s / |s|^2
    Q, S = decay (Q, S) + (1 - decay) (q, s), from 0;  u = g / (sqrt(Q S) + eps)
    Nothing is bias-corrected, so that the first update is 1 / (1 - decay) times as large. Of a vector q is 1
    and s is |g|^2. (Other libraries take means over rows and columns for s and q, without iterations.)
    State: 4 bytes for each row and column.
    """

    def step(g, s, *, leaf):
        rows, cols = leaf.axes.rows, leaf.axes.cols
        g = bounded(g)
        square = abs2(g)
        q = jnp.ones_like(jnp.sum(square, cols, keepdims=True))
        col = q
        for _ in range(iterations):
            col = _fitted(square, q, rows)
            q = _fitted(square, col, cols)
        v_row = ema(s.v_row, q.reshape(s.v_row.shape), decay)
        v_col = ema(s.v_col, col.reshape(s.v_col.shape), decay)
        product = jnp.expand_dims(v_row, cols) * jnp.expand_dims(v_col, rows)
        return over_root(g, product, eps), ScaleByRacsState(v_row, v_col)

    return leafwise(
        ScaleByRacsState,
        step,
        v_row=lambda p: drop(p, p.axes.cols),
        v_col=lambda p: drop(p, p.axes.rows),
    )


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.1})
def racs(
    learning_rate: Hyper,
    decay: Decay = 0.9,
    alpha: Hyper = 0.05,
    gamma: Hyper = 1.01,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    *,
    iterations: Annotated[int, whole(1, 100)] = 5,
):
    """RACS: p = p - lr * (alpha * u + weight_decay * p), the norm of u growing by gamma in a step at most.

    u as in `scale_by_racs` and `limit_norm_growth`; state: 4 bytes for each row and column, 4 a matrix.
    """
    return chain(
        scale_by_racs(decay, eps, iterations=iterations),
        limit_norm_growth(gamma),
        scale(alpha),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
