"""scale_by_asgd: the steps of averaged SGD, which shrink with their number."""

from __future__ import annotations

from typing import Any, NamedTuple

from jax import Array

from gradchain.core.hyper import Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.transform import transform
from gradchain.math.numerics import real, real_dtype

PyTree = Any


class ScaleByAsgdState(NamedTuple):
    count: Array  # [] int32, steps taken


@transform(
    paper="Polyak & Juditsky 1992; arXiv:1107.2490",
    near=("asgd", "sgd", "add_decayed_weights"),
    record=("learning_rate",),
    example=lambda: {"learning_rate": 0.1},
)
def scale_by_asgd(learning_rate: Hyper, lambd: Hyper = 1e-4, power: Hyper = 0.75):
    """Step by averaged SGD, whose rate fades; what comes out is added to the parameters.

    u = -eta (g + lambd p),  eta = lr / (1 + lambd lr t)^power, t = 0 at the first step
    The fading is that of the rate for a loss with the term lambd / 2 |p|^2.
    """

    def step(g, s, p):
        ahead = 1 + lambd * learning_rate * real(s.count - 1)
        eta = learning_rate * ahead**-power
        return -eta.astype(real_dtype(g)) * (g + lambd * p), s

    return leafwise(ScaleByAsgdState, step)
