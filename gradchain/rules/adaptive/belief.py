"""A second moment about the mean: AdaBelief and ACProp."""

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
from gradchain.math.numerics import abs2, debias, debias_ahead, ema, over_root
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any


class ScaleByBeliefState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]
    nu: PyTree  # like params, E[|g - mu|^2], each step plus eps_root


@transform(paper="arXiv:2010.07468")
def scale_by_belief(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-16,
    eps_root: Hyper = 1e-16,
    *,
    nesterov: bool = False,
):
    """Scale by AdaBelief: Adam with the square of how far a gradient is from what was expected.

    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) |g - m|^2 + eps_root;  u = m' / (sqrt(v') + eps)
    For m' and v' see `scale_by_adam`. eps_root joins v in every step.
    """

    def step(g, s):
        t, mu = s.count, ema(s.mu, g, b1)
        nu = ema(s.nu, abs2(g - mu), b2) + eps_root
        m = debias_ahead(mu, g, b1, t) if nesterov else debias(mu, b1, t)
        return over_root(m, debias(nu, b2, t), eps), ScaleByBeliefState(t, mu, nu)

    return leafwise(ScaleByBeliefState, step, mu=zeros, nu=squares)


@optimizer(paper="arXiv:2010.07468", example=lambda: {"learning_rate": 0.1})
def adabelief(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-16,
    eps_root: Hyper = 1e-16,
    *,
    nesterov: bool = False,
):
    """AdaBelief: p = p - lr * m' / (sqrt(v') + eps), see `scale_by_belief`."""
    return chain(
        scale_by_belief(b1, b2, eps, eps_root, nesterov=nesterov), scale_by_learning_rate(learning_rate)
    )


@transform(paper="arXiv:2110.05454")
def scale_by_acprop(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-16,
    eps_root: Hyper = 1e-16,
    *,
    old_mean: bool = False,
):
    """Scale by ACProp: the gradient over a second moment of the gradients before it.

    u = g / (sqrt(v') + eps), v' = v / (1 - b2^(t-1)), 1 in the first step
    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) |g - m|^2 + eps_root
    old_mean: g is compared with the m before it, as in Optax, and v is larger by 1 / b1^2.
    """

    def step(g, s):
        t, mu = s.count, ema(s.mu, g, b1)
        nu = ema(s.nu, abs2(g - (s.mu if old_mean else mu)), b2) + eps_root
        v = jnp.where(t > 1, debias(s.nu, b2, jnp.maximum(t - 1, 1)), 1)
        return over_root(g, v, eps), ScaleByBeliefState(t, mu, nu)

    return leafwise(ScaleByBeliefState, step, mu=zeros, nu=squares)


@optimizer(paper="arXiv:2110.05454", example=lambda: {"learning_rate": 0.1})
def acprop(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-16,
    eps_root: Hyper = 1e-16,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    *,
    old_mean: bool = False,
):
    """ACProp: p = p - lr * (g / (sqrt(v') + eps) + weight_decay * p), see `scale_by_acprop`."""
    return chain(
        scale_by_acprop(b1, b2, eps, eps_root, old_mean=old_mean),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
