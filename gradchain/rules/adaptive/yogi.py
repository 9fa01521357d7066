"""Yogi: a second moment that falls as slowly as it rises."""

from __future__ import annotations

import jax.numpy as jnp

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import filled, squares, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, over_root
from gradchain.rules.adaptive.adam import ScaleByAdamState
from gradchain.rules.parts.basic import scale_by_learning_rate

PAPER = "Zaheer et al. 2018, Adaptive Methods for Nonconvex Optimization"


@transform(paper=PAPER)
def scale_by_yogi(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-3,
    eps_root: Hyper = 0.0,
    initial_accumulator_value: Hyper = 1e-6,
    *,
    fill_mu: bool = False,
):
    """Scale by Yogi: v goes to |g|^2 by steps of (1 - b2) |g|^2, whatever their distance.

    m = b1 m + (1 - b1) g;  v = v - (1 - b2) sign(v - |g|^2) |g|^2, v = initial_accumulator_value at the start
    u = m' / (sqrt(v' + eps_root) + eps), m' and v' as of `scale_by_adam`
    fill_mu: m starts at initial_accumulator_value too, as in Optax, and not at 0 as in the paper.
    """

    def step(g, s):
        t, mu, square = s.count, ema(s.mu, g, b1), abs2(g)
        way = jnp.where(s.nu > square, square, jnp.where(s.nu < square, -square, 0))  # of infinities none
        nu = s.nu - (1 - b2) * way
        return over_root(debias(mu, b1, t), debias(nu, b2, t), eps, eps_root), ScaleByAdamState(t, mu, nu)

    start = filled(zeros, initial_accumulator_value) if fill_mu else zeros
    return leafwise(ScaleByAdamState, step, mu=start, nu=filled(squares, initial_accumulator_value))


@optimizer(paper=PAPER, example=lambda: {"learning_rate": 0.1})
def yogi(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-3,
    *,
    initial_accumulator_value: Hyper = 1e-6,
    fill_mu: bool = False,
):
    """Yogi: p = p - lr * m' / (sqrt(v') + eps), see `scale_by_yogi`."""
    return chain(
        scale_by_yogi(b1, b2, eps, 0.0, initial_accumulator_value, fill_mu=fill_mu),
        scale_by_learning_rate(learning_rate),
    )
