"""DiffGrad: Adam with friction where the gradient hardly changes."""

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
from gradchain.math.numerics import abs2, debias, ema, in_kernel, over_root
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
PAPER = "arXiv:1909.11015"


class ScaleByDiffgradState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]
    nu: PyTree  # like params, E[|g|^2]
    previous_gradient: PyTree  # like params


@transform(paper=PAPER, near=("scale_by_adam", "scale_by_adan", "scale_by_belief"))
def scale_by_diffgrad(b1: Decay = 0.9, b2: Decay = 0.999, eps: Hyper = 1e-8):
    """Scale by DiffGrad: Adam times a friction of 1/2, where the gradient stands still, to 1.

    f = 1 / (1 + exp(-|g of the step before - g|)), that of the first step being 0
    u = f * m' / (sqrt(v') + eps), m' and v' as of `scale_by_adam`
    The friction is no ratio: it depends on the scale of the loss.
    """

    def step(g, s):
        t, mu, nu = s.count, ema(s.mu, g, b1), ema(s.nu, abs2(g), b2)
        friction = 1 / (1 + jnp.exp(-jnp.abs(s.previous_gradient - g)))
        u = friction * over_root(debias(mu, b1, t), debias(nu, b2, t), eps)
        return u, ScaleByDiffgradState(t, mu, nu, in_kernel(g, t > 0, s.previous_gradient))

    return leafwise(ScaleByDiffgradState, step, mu=zeros, nu=squares, previous_gradient=zeros)


@optimizer(paper=PAPER, near=("adam", "adan", "adabelief"), example=lambda: {"learning_rate": 0.1})
def diffgrad(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
):
    """DiffGrad: p = p - lr * (f * m' / (sqrt(v') + eps) + weight_decay * p), see `scale_by_diffgrad`."""
    return chain(
        scale_by_diffgrad(b1, b2, eps),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
