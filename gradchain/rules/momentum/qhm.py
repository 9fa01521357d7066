"""Quasi-hyperbolic momentum: a weighted mean of the gradient and its running mean."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import ema
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
PAPER: Any = {"paper": "arXiv:1810.06801", "near": ("sgd", "ema", "aggmo", "accsgd")}


class ScaleByQhmState(NamedTuple):
    mu: PyTree  # like params, E[g]


@transform(**PAPER)
def scale_by_qhm(b1: Decay = 0.999, nu: Fraction = 0.7, mu_dtype: DType | None = None):
    """Scale by quasi-hyperbolic momentum.

    m = b1 m + (1 - b1) g;  u = (1 - nu) g + nu m
    nu = 1 is momentum as a mean, (1 - b1) times `trace`; nu = b1 is Nesterov's; nu = 0 the gradient.
    """

    def step(g, s):
        m = ema(s.mu, g, b1)
        return ema(m, g, nu), ScaleByQhmState(m)

    return leafwise(ScaleByQhmState, step, mu=typed(zeros, mu_dtype))


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.1})
def qhm(
    learning_rate: Hyper,
    b1: Decay = 0.999,
    nu: Fraction = 0.7,
    mu_dtype: DType | None = None,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
):
    """Quasi-hyperbolic momentum: p = p - lr * ((1 - nu) g + nu m + weight_decay * p), see `scale_by_qhm`.

    m is a mean, so that the learning rate is that of plain descent, not of `sgd` with momentum.
    """
    return chain(
        scale_by_qhm(b1, nu, mu_dtype),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
