"""AdaMod: Adam whose step lengths may not exceed their own average."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import squares, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, over_root
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
PAPER = "arXiv:1910.12249"


class ScaleByAdamodState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]
    nu: PyTree  # like params, E[|g|^2]
    rate: PyTree  # like params, the average of 1 / root


@transform(paper=PAPER, near=("scale_by_adam", "scale_by_adabound"))
def scale_by_adamod(b1: Decay = 0.9, b2: Decay = 0.999, b3: Decay = 0.999, eps: Hyper = 1e-8):
    """Scale by AdaMod: the rate of each element is at most its own slow average.

    r = 1 / ((1 - b1^t) (sqrt(v / (1 - b2^t)) + eps)), m and v as of `scale_by_adam`
    a = b3 a + (1 - b3) r;  u = min(r, a) * m
    a starts at 0 and makes a warm-up. It holds the correction of m as in the authors' code; in the paper not.
    """

    def step(g, s):
        t, mu, nu = s.count, ema(s.mu, g, b1), ema(s.nu, abs2(g), b2)
        rate = debias(over_root(1, debias(nu, b2, t), eps), b1, t)
        average = ema(s.rate, rate, b3)
        return jnp.minimum(rate, average) * mu, ScaleByAdamodState(t, mu, nu, average)

    return leafwise(ScaleByAdamodState, step, mu=zeros, nu=squares, rate=squares)


@optimizer(paper=PAPER, near=("adam", "adabound", "radam"), example=lambda: {"learning_rate": 0.1})
def adamod(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    b3: Decay = 0.999,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
):
    """AdaMod: p = p - lr * (min(r, a) * m + weight_decay * p), see `scale_by_adamod`."""
    return chain(
        scale_by_adamod(b1, b2, b3, eps),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
