"""Adan: Nesterov momentum by way of differences of gradients."""

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
from gradchain.rules.parts.decay import optional_decay, optional_proximal_decay

PyTree = Any


class AdanState(NamedTuple):
    count: Array  # [] int32, steps taken
    m: PyTree  # like params, E[g]
    v: PyTree  # like params, E[d], d the difference of two gradients
    n: PyTree  # like params, E[|g + b2 d|^2]
    g: PyTree  # like params, the gradient of the last step


@transform(paper="arXiv:2208.06677")
def scale_by_adan(
    b1: Decay = 0.98, b2: Decay = 0.92, b3: Decay = 0.99, eps: Hyper = 1e-8, eps_root: Hyper = 0.0
):
    """Scale by Adan.

    d = g - g of the step before, 0 in the first;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) d
    n = b3 n + (1 - b3) |g + b2 d|^2;  u = (m' + b2 v') / (sqrt(n' + eps_root) + eps)
    m' = m / (1 - b1^t) and so on. The paper's betas are 1 - b1, 1 - b2, 1 - b3. Optax weighs d and v' by
    1 - b2 where the paper has b2.
    """

    def step(g, s):
        t, d = s.count, jnp.where(s.count == 1, 0, g - s.g)
        m, v, n = ema(s.m, g, b1), ema(s.v, d, b2), ema(s.n, abs2(g + b2 * d), b3)
        u = debias(m, b1, t) + b2 * debias(v, b2, t)
        new = AdanState(t, m, v, n, in_kernel(g, t > 0, s.g))
        return over_root(u, debias(n, b3, t), eps, eps_root), new

    return leafwise(AdanState, step, m=zeros, v=zeros, n=squares, g=zeros)


@optimizer(paper="arXiv:2208.06677", example=lambda: {"learning_rate": 0.1})
def adan(
    learning_rate: Hyper,
    b1: Decay = 0.98,
    b2: Decay = 0.92,
    b3: Decay = 0.99,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    *,
    proximal: bool = True,
):
    """Adan: p = (p - lr * u) / (1 + lr * weight_decay), u from `scale_by_adan`.

    proximal=False: p = p - lr * (u + weight_decay * p), as in AdamW and Optax. A proximal decay reads the
    learning rate as well: where it is tunable, "**/learning_rate" sets it in both links.
    """
    scaled, rate = scale_by_adan(b1, b2, b3, eps, eps_root), scale_by_learning_rate(learning_rate)
    if proximal:
        return chain(scaled, rate, *optional_proximal_decay(learning_rate, weight_decay, mask))
    return chain(scaled, *optional_decay(weight_decay, mask), rate)
