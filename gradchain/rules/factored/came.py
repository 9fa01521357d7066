"""CAME: Adafactor with momentum, divided by how far each update is from that momentum."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper, Limit
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, absent, drop, squares, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, ema
from gradchain.rules.factored.factors import Factors, Sizes, is_matrix, over_factors, over_whole
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
PAPER: Any = {
    "paper": "arXiv:2307.02047",
    "traits": frozenset({"matrices"}),
    "near": ("adafactor", "adam_mini", "sm3"),
}


class ScaleByCameState(NamedTuple):
    mu: PyTree  # like params, mean of the updates
    v_row: PyTree  # [*batch, *rows] E[|g|^2] over the columns; a scalar for vectors
    v_col: PyTree  # [*batch, *cols] E[|g|^2] over the rows; likewise
    v: PyTree  # like params, E[|g|^2] of vectors; a scalar for matrices
    res_row: PyTree  # [*batch, *rows] E[|u - mu|^2] over the columns; a scalar for vectors
    res_col: PyTree  # [*batch, *cols] E[|u - mu|^2] over the rows; likewise


def _rows(p: Leaf):
    return drop(p, p.axes.cols) if is_matrix(p) else absent(p)


def _cols(p: Leaf):
    return drop(p, p.axes.rows) if is_matrix(p) else absent(p)


@transform(**PAPER)
def scale_by_came(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    b3: Decay = 0.9999,
    clipping_threshold: Limit | None = 1.0,
    eps: Hyper = 1e-30,
    eps_res: Hyper = 1e-16,
):
    """Scale by CAME: momentum of factored updates, smaller where the updates disagree with it.

    r, c = b2 (r, c) + (1 - b2) mean over columns, over rows of |g|^2 + eps;  u = g / sqrt(r c / mean(r))
    u = u / max(1, rms(u) / clipping_threshold);  m = b1 m + (1 - b1) u
    R, C likewise of |u - m|^2 + eps_res, with b3;  the update is m / sqrt(R C / mean(R))
    Nothing is bias-corrected: where updates agree with m their quotient is large in the first steps. Of a
    vector v = E[|g|^2] is whole, and the update is m. Matrices are what the leaf's axes say.
    State: 4 bytes a parameter and 8 for each row and column.
    """

    def step(g, s, *, leaf):
        sizes = Sizes(clipping_threshold)
        if not is_matrix(leaf):
            u, s = over_whole(g, s, leaf, 1 - b2, eps, sizes)
            mu = ema(s.mu, u, b1)
            return mu, s._replace(mu=mu)
        u, s = over_factors(g, s, leaf, 1 - b2, eps, sizes)
        mu = ema(s.mu, u, b1)
        res = Factors(s.res_row, s.res_col)
        out, res = over_factors(mu, res, leaf, 1 - b3, eps_res, Sizes(), square=abs2(u - mu))
        return out, s._replace(mu=mu, res_row=res.v_row, res_col=res.v_col)

    return leafwise(
        ScaleByCameState,
        step,
        mu=zeros,
        v_row=_rows,
        v_col=_cols,
        v=lambda p: absent(p) if is_matrix(p) else squares(p),
        res_row=_rows,
        res_col=_cols,
    )


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.01})
def came(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    b3: Decay = 0.9999,
    clipping_threshold: Limit | None = 1.0,
    eps: Hyper = 1e-30,
    eps_res: Hyper = 1e-16,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
):
    """CAME: p = p - lr * (u + weight_decay * p), see `scale_by_came`."""
    return chain(
        scale_by_came(b1, b2, b3, clipping_threshold, eps, eps_res),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
