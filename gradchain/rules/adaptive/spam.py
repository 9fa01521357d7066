"""SPAM and Stable-SPAM: Adam that forgets its moments from time to time, and does not trust spikes."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper, Period
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import squares, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, over_root, real, real_dtype, safe_divide, safe_sqrt
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay
from gradchain.rules.parts.history import clip_by_spikes, normalize_by_history

PyTree = Any
SPAM: Any = {"paper": "arXiv:2501.06842", "near": ("adam", "stable_spam", "stable_adamw", "clip_by_spikes")}
STABLE: Any = {
    "paper": "arXiv:2502.17055",
    "near": ("spam", "adam", "clip_by_spikes", "normalize_by_history"),
}


class ScaleBySpamState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g] since the last reset
    nu: PyTree  # like params, E[|g|^2] since the last reset


@transform(**SPAM)
def scale_by_spam(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-6,
    threshold: Hyper | None = 5000.0,
    reset_every: Period = 500,
    warmup_steps: Period | None = 150,
    wait_steps: Hyper = 20,
    *,
    restart: bool = False,
):
    """Scale by Adam with moments that start at 0 in every reset_every-th step.

    g = sqrt(threshold v) g / |g| where |g|^2 > threshold v, but not in the wait_steps steps after a reset
    m, v, u as in Adam;  u = u (1 - 0.99 (1 + cos(pi (k + 1) / (warmup_steps + 1))) / 2)
    k counts steps from 0 at a reset; before the first reset there is no warmup. None leaves a part out. Bias
    correction goes on counting as in the authors' code; restart=True starts it again. Where v is 0 nothing
    is clipped: the authors' code would hold such an element at 0 until the next reset.
    State: 8 bytes a parameter.
    """

    def step(g, s):
        every = jnp.round(jnp.asarray(reset_every)).astype(s.count.dtype)
        k, first = s.count % every, s.count < every
        mu, nu = (jnp.where(k == 0, 0, x) for x in (s.mu, s.nu))
        if threshold is not None:
            limit, square = threshold * nu, abs2(g)
            spike = (square > limit) & (nu > 0) & (real(k) >= wait_steps)
            g = jnp.where(spike, g * safe_sqrt(safe_divide(limit, square)), g)
        mu, nu = ema(mu, g, b1), ema(nu, abs2(g), b2)
        age = jnp.where(first, k, k + 1) if restart else s.count
        u = over_root(debias(mu, b1, age), debias(nu, b2, age), eps)
        if warmup_steps is not None:
            share = jnp.minimum((real(k) + 1) / (warmup_steps + 1), 1)
            slow = 1 - 0.99 * (1 + jnp.cos(jnp.pi * share)) / 2
            u = u * jnp.where(first, 1, slow).astype(real_dtype(g))
        return u, ScaleBySpamState(s.count, mu, nu)

    return leafwise(ScaleBySpamState, step, mu=zeros, nu=squares)


@optimizer(**SPAM, example=lambda: {"learning_rate": 0.1})
def spam(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-6,
    threshold: Hyper | None = 5000.0,
    reset_every: Period = 500,
    warmup_steps: Period | None = 150,
    wait_steps: Hyper = 20,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
):
    """SPAM: p = p - lr * (u + weight_decay * p), see `scale_by_spam`; every element has its moments."""
    return chain(
        scale_by_spam(b1, b2, eps, threshold, reset_every, warmup_steps, wait_steps),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@optimizer(**STABLE, example=lambda: {"learning_rate": 0.1})
def stable_spam(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    gamma1: Decay = 0.7,
    gamma2: Decay = 0.9,
    theta: Decay = 0.999,
    reset_every: Period = 1000,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
):
    """Stable-SPAM, for training in few bits: Adam on gradients without spikes and of steady norm.

    g = clip_by_spikes(theta), normalize_by_history(gamma1, gamma2, eps);  u = Adam of g, which starts afresh
    in every reset_every-th step;  p = p - lr * (u + weight_decay * p)
    State: 8 bytes a parameter and 12 a matrix.
    """
    return chain(
        clip_by_spikes(theta),
        normalize_by_history(gamma1, gamma2, eps),
        scale_by_spam(b1, b2, eps, None, reset_every, None, restart=True),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
