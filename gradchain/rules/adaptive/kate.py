"""KATE: AdaGrad without the square root, whose steps do not depend on the scale of the data."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import squares
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, bounded, safe_divide, safe_sqrt
from gradchain.rules.parts.basic import scale_by_learning_rate

PyTree = Any
PAPER = "arXiv:2403.02648"


class ScaleByKateState(NamedTuple):
    sum_of_squares: PyTree  # like params, b^2: sum of |g|^2
    sum_of_shares: PyTree  # like params, m^2: sum of eta |g|^2 + |g|^2 / b^2


@transform(paper=PAPER, near=("scale_by_rss",))
def scale_by_kate(eta: Hyper = 0.9, eps: Hyper = 1e-8):
    """Scale by KATE.

    b = b + |g|^2;  m = m + eta |g|^2 + |g|^2 / (b + eps);  u = sqrt(m) g / (b + eps)
    b and m are the paper's b^2 and m^2. With eta=0 and eps=0 gradients c times as large make steps of 1/c.
    """

    def step(g, s):
        g = bounded(g)
        square = abs2(g)
        b = s.sum_of_squares + square
        m = s.sum_of_shares + eta * square + safe_divide(square, b + eps)
        return safe_divide(safe_sqrt(m) * g, b + eps), ScaleByKateState(b, m)

    return leafwise(ScaleByKateState, step, sum_of_squares=squares, sum_of_shares=squares)


@optimizer(paper=PAPER, near=("adagrad", "adam"), example=lambda: {"learning_rate": 0.1})
def kate(learning_rate: Hyper, eta: Hyper = 0.9, eps: Hyper = 1e-8):
    """KATE: p = p - lr * sqrt(m) g / (b + eps), see `scale_by_kate`."""
    return chain(scale_by_kate(eta, eps), scale_by_learning_rate(learning_rate))
