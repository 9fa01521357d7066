"""MoMo: momentum whose step length is the Polyak step of an averaged model of the loss."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper, Signed
from gradchain.core.link import treewise
from gradchain.core.slots import filled, scalar, shared, squares, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, bias, debias, ema, over_root, safe_divide
from gradchain.rules.rate_free.arrays import closed, dot, each, opened, total, unzipped

PyTree = Any


class Model(NamedTuple):
    """The averaged linear model of the loss: at p it is f - gamma + <d, p>."""

    f: Array  # [] E[f]
    gamma: Array  # [] E[<g, p at g>]
    product: Array  # [] <d, p now>, d = E[g]
    square: Array  # [] |d|^2 in the norm of the step
    rho: Any  # the sum of the weights in these averages
    rate: Any  # learning rate
    decay: Any  # 1 + rate * weight_decay


def _bound(m: Model, lb, lower_bound, adapt: bool):
    """The lower bound of the loss to use: halved where the model is below it already."""
    if not adapt:
        return lb
    cap = m.decay * (m.f - m.gamma) + m.product
    return jnp.where(cap < m.decay * m.rho * lb, jnp.maximum(cap / (2 * m.decay * m.rho), lower_bound), lb)


def _length(m: Model, lb) -> tuple[Array, Array]:
    """How far to go along d, to where the model reaches the bound, at most rate / rho; that times |d|^2."""
    gap, most = jnp.maximum(m.decay * (m.f - m.rho * lb - m.gamma) + m.product, 0), m.rate / m.rho
    return jnp.minimum(most, safe_divide(gap, m.square)), jnp.minimum(most * m.square, gap)


def _next_bound(m: Model, lb, lower_bound, down, adapt: bool):
    if not adapt:
        return lb
    return jnp.maximum((m.f + m.product - m.gamma - down / 2) / m.rho, lower_bound)


def _stepped(d: Array, p: Array, tau, decay, proximal: bool) -> Array:
    """u = (p - tau d) / decay - p, or p / decay - tau d - p."""
    return ((1 - decay) * p - tau * d) / decay if proximal else (1 - decay) / decay * p - tau * d


class MomoState(NamedTuple):
    exp_avg: PyTree  # like params, d = E[g]
    barf: Array  # [] E[f]
    gamma: Array  # [] E[<g, p>]
    lb: Array  # [] the lower bound of the loss
    count: Array  # [] int32, steps taken

    metrics = ("lb",)


def _momentum(g, p, mu, b):
    """Of one leaf: d, its share of <g, p>, <d, p> and |d|^2."""
    d = ema(mu, g, b)
    return d, dot(g, p), dot(d, p), jnp.sum(abs2(d))


@transform(paper="arXiv:2305.07583", record=("learning_rate",))
def scale_by_momo(
    learning_rate: Hyper = 1.0,
    beta: Decay = 0.9,
    lower_bound: Signed = 0.0,
    weight_decay: Hyper = 0.0,
    adapt_lower_bound: bool = False,
    *,
    proximal: bool = True,
):
    """MoMo's whole step; `value`, the loss that g is the gradient of, is an extra argument of update.

    f, d, c = averages of value, g and <g, p>, which start as the first of each;  a = 1 + lr weight_decay
    tau = min(lr, max(a (f - lower_bound - c) + <d, p>, 0) / |d|^2);  p = (p - tau d) / a
    adapt_lower_bound: lower_bound is where an estimate of the bound starts, see the paper.
    proximal=False: p = p / a - tau d, as in Optax. Products are of all leaves that the link sees.
    """

    def update(updates, old, params, *, value):
        g, s, p = opened(updates, old, params, "exp_avg")
        b = jnp.where(s.count == 1, 0, beta)
        mu, *products = unzipped(each(_momentum, g, p, s.exp_avg, b=b), 4)
        gain, product, square = map(total, products)
        f, gamma = ema(s.barf, jnp.asarray(value, s.barf.dtype), b), ema(s.gamma, gain, b)
        decay = 1 + learning_rate * weight_decay
        model = Model(f, gamma, product, square, 1, learning_rate, decay)
        lb = _bound(model, s.lb, lower_bound, adapt_lower_bound)
        tau, down = _length(model, lb)
        u = each(_stepped, mu, p, tau=tau, decay=decay, proximal=proximal)
        lb = _next_bound(model, lb, lower_bound, down, adapt_lower_bound)
        return closed(updates, u, g, MomoState(mu, f, gamma, lb, s.count), old)

    return treewise(
        MomoState,
        update,
        params=True,
        exp_avg=zeros,
        barf=shared(scalar),
        gamma=shared(scalar),
        lb=shared(filled(scalar, lower_bound)),
    )


@optimizer(paper="arXiv:2305.07583")
def momo(
    learning_rate: Hyper = 1.0,
    beta: Decay = 0.9,
    lower_bound: Signed = 0.0,
    weight_decay: Hyper = 0.0,
    adapt_lower_bound: bool = False,
    *,
    proximal: bool = True,
):
    """Momentum with the step length of Polyak, at most the learning rate, which may be large.

    See `scale_by_momo`. tx.update(grads, state, params, value=loss)
    """
    made = scale_by_momo(learning_rate, beta, lower_bound, weight_decay, adapt_lower_bound, proximal=proximal)
    return chain(made)


class MomoAdamState(NamedTuple):
    exp_avg: PyTree  # like params, d = E[g]
    exp_avg_sq: PyTree  # like params, E[|g|^2]
    barf: Array  # [] E[f]
    gamma: Array  # [] E[<g, p>]
    lb: Array  # [] the lower bound of the loss
    count: Array  # [] int32, steps taken

    metrics = ("lb",)


def _moments(g, p, mu, nu, t, b1, b2, eps):
    """Of one leaf: d, v, d / D, its share of <g, p>, <d, p> and <d, d / D>."""
    d, v = ema(mu, g, b1), ema(nu, abs2(g), b2)
    step = over_root(d, debias(v, b2, t), eps)
    return d, v, step, dot(g, p), dot(d, p), dot(d, step)


@transform(paper="arXiv:2305.07583", record=("learning_rate",))
def scale_by_momo_adam(
    learning_rate: Hyper = 1e-2,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    lower_bound: Signed = 0.0,
    weight_decay: Hyper = 0.0,
    adapt_lower_bound: bool = False,
    *,
    proximal: bool = True,
):
    """MoMo-Adam's whole step; `value`, the loss that g is the gradient of, is an extra argument of update.

    f, d, c = averages of value, g and <g, p> from 0;  D = sqrt(v / (1 - b2^t)) + eps;  r = 1 - b1^t
    tau = min(lr / r, max(a (f - r lower_bound - c) + <d, p>, 0) / <d, d / D>),  a = 1 + lr weight_decay
    p = (p - tau d / D) / a;  proximal=False: p = p / a - tau d / D, as in Optax
    adapt_lower_bound: lower_bound is where an estimate of the bound starts, see the paper.
    """

    def update(updates, old, params, *, value):
        g, s, p = opened(updates, old, params, "exp_avg", "exp_avg_sq")
        rows = each(_moments, g, p, s.exp_avg, s.exp_avg_sq, t=s.count, b1=b1, b2=b2, eps=eps)
        mu, nu, steps, *products = unzipped(rows, 6)
        gain, product, square = map(total, products)
        f, gamma = ema(s.barf, jnp.asarray(value, s.barf.dtype), b1), ema(s.gamma, gain, b1)
        decay = 1 + learning_rate * weight_decay
        model = Model(f, gamma, product, square, bias(b1, s.count), learning_rate, decay)
        lb = _bound(model, s.lb, lower_bound, adapt_lower_bound)
        tau, down = _length(model, lb)
        u = each(_stepped, steps, p, tau=tau, decay=decay, proximal=proximal)
        lb = _next_bound(model, lb, lower_bound, down, adapt_lower_bound)
        return closed(updates, u, g, MomoAdamState(mu, nu, f, gamma, lb, s.count), old)

    return treewise(
        MomoAdamState,
        update,
        params=True,
        exp_avg=zeros,
        exp_avg_sq=squares,
        barf=shared(scalar),
        gamma=shared(scalar),
        lb=shared(filled(scalar, lower_bound)),
    )


@optimizer(paper="arXiv:2305.07583")
def momo_adam(
    learning_rate: Hyper = 1e-2,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    lower_bound: Signed = 0.0,
    weight_decay: Hyper = 0.0,
    adapt_lower_bound: bool = False,
    *,
    proximal: bool = True,
):
    """Adam with the step length of Polyak, at most the learning rate, which may be large.

    See `scale_by_momo_adam`. tx.update(grads, state, params, value=loss)
    """
    made = scale_by_momo_adam(
        learning_rate, b1, b2, eps, lower_bound, weight_decay, adapt_lower_bound, proximal=proximal
    )
    return chain(made)
