"""Adam and its kin: adam, adamw, nadam, nadamw, amsgrad."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import squares, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, debias_ahead, ema, over_root
from gradchain.rules.parts.basic import scale, scale_by_learning_rate
from gradchain.rules.parts.decay import add_decayed_weights

PyTree = Any


class ScaleByAdamState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]
    nu: PyTree  # like params, E[|g|^2]


@transform(paper="arXiv:1412.6980")
def scale_by_adam(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    mu_dtype: DType | None = None,
    *,
    nesterov: bool = False,
    bias_correction: bool = True,
):
    """Scale by Adam.

    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) |g|^2
    u = m' / (sqrt(v' + eps_root) + eps),  m' = m / (1 - b1^t),  v' = v / (1 - b2^t)
    nesterov: m' = b1 m / (1 - b1^(t+1)) + (1 - b1) g / (1 - b1^t), arXiv:1412.6980 with Dozat 2016.
    bias_correction=False: m' = m, v' = v; with eps=0 and eps_root the root holds epsilon.
    """

    def step(g, s):
        t, mu, nu = s.count, ema(s.mu, g, b1), ema(s.nu, abs2(g), b2)
        if not bias_correction:
            m, v = (ema(mu, g, b1) if nesterov else mu), nu
        elif nesterov:
            m, v = debias_ahead(mu, g, b1, t), debias(nu, b2, t)
        else:
            m, v = debias(mu, b1, t), debias(nu, b2, t)
        return over_root(m, v, eps, eps_root), ScaleByAdamState(t, mu, nu)

    return leafwise(ScaleByAdamState, step, mu=typed(zeros, mu_dtype), nu=squares)


@optimizer(paper="arXiv:1412.6980", example=lambda: {"learning_rate": 0.1})
def adam(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    mu_dtype: DType | None = None,
    *,
    nesterov: bool = False,
    bias_correction: bool = True,
):
    """Adam: p = p - lr * m' / (sqrt(v') + eps), see `scale_by_adam`."""
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov, bias_correction=bias_correction),
        scale_by_learning_rate(learning_rate),
    )


@optimizer(paper="arXiv:1711.05101", example=lambda: {"learning_rate": 0.1})
def adamw(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    mu_dtype: DType | None = None,
    weight_decay: Hyper = 1e-4,
    mask: Selection = None,
    *,
    nesterov: bool = False,
    decoupled: bool = False,
):
    """Adam with weight decay outside the statistics, on the leaves that `mask` selects.

    p = p - lr * (m' / (sqrt(v') + eps) + weight_decay * p)
    decoupled=True: p = p - lr * m' / (sqrt(v') + eps) - weight_decay * p; the learning rate does not touch
    the decay, so that a fitting weight_decay is smaller by the factor lr.
    """
    adam = scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov)
    decay = add_decayed_weights(weight_decay, mask)
    if decoupled:
        return chain(adam, scale_by_learning_rate(learning_rate, flip_sign=False), decay, scale(-1.0))
    return chain(adam, decay, scale_by_learning_rate(learning_rate))


@optimizer(
    paper="Dozat 2016, Incorporating Nesterov momentum into Adam", example=lambda: {"learning_rate": 0.1}
)
def nadam(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    mu_dtype: DType | None = None,
    *,
    nesterov: bool = True,
):
    """Adam with Nesterov momentum, b1 constant: see `scale_by_adam(nesterov=True)`."""
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov),
        scale_by_learning_rate(learning_rate),
    )


@optimizer(
    paper="Dozat 2016, Incorporating Nesterov momentum into Adam; arXiv:1711.05101",
    example=lambda: {"learning_rate": 0.1},
)
def nadamw(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    mu_dtype: DType | None = None,
    weight_decay: Hyper = 1e-4,
    mask: Selection = None,
    *,
    nesterov: bool = True,
):
    """`nadam` with decoupled weight decay: p = p - lr * (m' / (sqrt(v') + eps) + weight_decay * p)."""
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


class ScaleByAmsgradState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]
    nu: PyTree  # like params, E[|g|^2]
    nu_max: PyTree  # like params, the largest nu so far


@transform(paper="arXiv:1904.09237")
def scale_by_amsgrad(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    mu_dtype: DType | None = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
    *,
    debias_first: bool = False,
):
    """Scale by AMSGrad: Adam with the largest second moment so far.

    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) |g|^2;  w = max(w, v);  u = m' / (sqrt(w' + eps_root) + eps)
    The maximum is over the raw v, as in the paper, torch and keras.
    debias_first: w = max(w, v / (1 - b2^t)) and w' = w, as in Optax.
    """

    def step(g, s):
        t, mu, nu = s.count, ema(s.mu, g, b1), ema(s.nu, abs2(g), b2)
        first, last = debias_first and bias_correction_nu, bias_correction_nu and not debias_first
        nu_max = jnp.maximum(s.nu_max, debias(nu, b2, t) if first else nu)
        m = debias(mu, b1, t) if bias_correction_mu else mu
        w = debias(nu_max, b2, t) if last else nu_max
        return over_root(m, w, eps, eps_root), ScaleByAmsgradState(t, mu, nu, nu_max)

    return leafwise(ScaleByAmsgradState, step, mu=typed(zeros, mu_dtype), nu=squares, nu_max=squares)


@optimizer(paper="arXiv:1904.09237", example=lambda: {"learning_rate": 0.1})
def amsgrad(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    mu_dtype: DType | None = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
    *,
    debias_first: bool = False,
):
    """AMSGrad: see `scale_by_amsgrad`."""
    corrections = (bias_correction_mu, bias_correction_nu)
    return chain(
        scale_by_amsgrad(b1, b2, eps, eps_root, mu_dtype, *corrections, debias_first=debias_first),
        scale_by_learning_rate(learning_rate),
    )
