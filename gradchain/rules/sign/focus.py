"""FOCUS: Signum drawn to the average of its own parameters."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import copy, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import bias, ema
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import decaying

PyTree = Any
PAPER = "arXiv:2501.12243"


class ScaleByFocusState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]
    mean: PyTree  # like params, E[p], bias-corrected


@transform(paper=PAPER, near=("scale_by_lion", "scale_by_sign", "signum"))
def scale_by_focus(b1: Decay = 0.9, b2: Decay = 0.999, gamma: Hyper = 0.1, weight_decay: Hyper = 0.0):
    """Scale by FOCUS: the sign of the momentum, and a pull of strength gamma to the mean of the parameters.

    m = b1 m + (1 - b1) g;  q = b2 q + (1 - b2) p;  q' = q / (1 - b2^t)
    u = sign(m) + gamma sign(p - q') + weight_decay * q'
    The mean decays, not the parameters. gamma=0 is Signum.
    """

    def step(g, s, p):
        mu = ema(s.mu, g, b1)
        weight = (1 - b2) / bias(b2, s.count)
        mean = s.mean + weight * (p - s.mean)  # p itself at first and while p stays: their difference is 0
        u = jnp.sign(mu) + gamma * jnp.sign(p - mean) + weight_decay * mean
        return u, ScaleByFocusState(s.count, mu, mean)

    return leafwise(ScaleByFocusState, step, mu=zeros, mean=copy)


@optimizer(paper=PAPER, near=("signum", "lion", "adamw"), example=lambda: {"learning_rate": 0.01})
def focus(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    gamma: Hyper = 0.1,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
):
    """FOCUS: p = p - lr * (sign(m) + gamma sign(p - q') + weight_decay * q'), see `scale_by_focus`."""

    def scaled(decay: Hyper):
        return scale_by_focus(b1, b2, gamma, decay)

    return chain(decaying(scaled, weight_decay, mask), scale_by_learning_rate(learning_rate))
