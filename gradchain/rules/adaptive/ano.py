"""Ano: the direction of the momentum, the size of the gradient."""

from __future__ import annotations

import jax.numpy as jnp

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import squares, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, over_root
from gradchain.rules.adaptive.adam import ScaleByAdamState
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PAPER = "arXiv:2508.18258"


@transform(paper=PAPER, near=("scale_by_adam", "scale_by_yogi", "scale_by_lion"))
def scale_by_ano(b1: Decay = 0.92, b2: Decay = 0.99, eps: Hyper = 1e-8, mu_dtype: DType | None = None):
    """Scale by Ano: the sign of the momentum times the absolute value of the gradient.

    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) sign(|g|^2 - v) |g|^2, at least 0
    u = sign(m) |g| / (sqrt(v / (1 - b2^t)) + eps)
    Anolog is b1=lambda step: 1 - 1 / jnp.log(step + 3). The bound matters for b2 < 1/2 only.
    """

    def step(g, s):
        t, mu, square = s.count, ema(s.mu, g, b1), abs2(g)
        way = jnp.where(square > s.nu, square, jnp.where(square < s.nu, -square, 0))  # of infinities none
        nu = jnp.maximum(ema(s.nu, way, b2), 0)
        return jnp.sign(mu) * over_root(jnp.abs(g), debias(nu, b2, t), eps), ScaleByAdamState(t, mu, nu)

    return leafwise(ScaleByAdamState, step, mu=typed(zeros, mu_dtype), nu=squares)


@optimizer(paper=PAPER, near=("adamw", "yogi", "lion"), example=lambda: {"learning_rate": 0.1})
def ano(
    learning_rate: Hyper,
    b1: Decay = 0.92,
    b2: Decay = 0.99,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    mu_dtype: DType | None = None,
):
    """Ano: p = p - lr * (sign(m) |g| / (sqrt(v') + eps) + weight_decay * p), see `scale_by_ano`."""
    return chain(
        scale_by_ano(b1, b2, eps, mu_dtype),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
