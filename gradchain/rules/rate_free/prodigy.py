"""Prodigy and D-Adaptation: Adam with an estimate of the distance to the solution for its step length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core import words
from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.link import treewise
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import copy, filled, scalar, shared, squares, sums, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, bias, ema, over_root, safe_divide, safe_sqrt
from gradchain.rules.rate_free.arrays import closed, dot, each, opened, total, unzipped

PyTree = Any
Betas = Sequence[Any]
NO_START = ErrorInput({"estim_lr0": 0.0}, ValueError, ("estim_lr0 is 0.0", "above 0"))
ONE_BETA = ErrorInput({"betas": (0.9,)}, ValueError, ("betas is (0.9,)", "two numbers"))


def _positive(who: str, estim_lr0) -> None:
    if isinstance(estim_lr0, int | float) and estim_lr0 == 0:
        raise ValueError(f"{who}: estim_lr0 is {words.show(estim_lr0)}; expected a number above 0, as 1e-6")


def _two(who: str, betas: Betas) -> tuple[Any, Any]:
    if len(betas) != 2:
        raise ValueError(f"{who}: betas is {words.show(betas)}; expected two numbers (b1, b2)")
    return betas[0], betas[1]


def _debiased_rate(learning_rate, b1, b2, t: Array, bias_correction: bool):
    """lr * sqrt(1 - b2^t) / (1 - b1^t): Adam's bias correction, as a factor of the step."""
    return learning_rate * safe_sqrt(bias(b2, t)) / bias(b1, t) if bias_correction else learning_rate


class ProdigyState(NamedTuple):
    exp_avg: PyTree  # like params, E[d g]
    exp_avg_sq: PyTree  # like params, E[|d g|^2]
    grad_sum: PyTree  # like params, sum of d / estim_lr0 * rate * g, fading by beta3
    params0: PyTree  # like params, where training began
    estim_lr: Array  # [] the estimate d of the distance to the solution, never falling
    numerator_weighted: Array  # [] sum of d / estim_lr0 * rate * <g, x0 - x>, fading by beta3
    count: Array  # [] int32, steps taken

    metrics = ("estim_lr",)


def _prodigy_sums(g, p, mu, nu, s, p0, d, weight, b1, b2, fade):
    """Of one leaf: the moments, the sum of gradients, its share of r and of |s|_1."""
    gain, g = dot(g, p0 - p), d * g
    s = fade * s + weight * g
    return ema(mu, g, b1), ema(nu, abs2(g), b2), s, gain, jnp.sum(jnp.abs(s))


def _prodigy_step(mu, nu, p, d, rate, eps, weight_decay):
    return -rate * (over_root(mu, nu, d * eps) + weight_decay * p)


@transform(paper="arXiv:2306.06101", record=("learning_rate",), errors=lambda: [NO_START])
def scale_by_prodigy(
    learning_rate: Hyper = 1.0,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    beta3: Decay | None = None,
    eps: Hyper = 1e-8,
    estim_lr0: Hyper = 1e-6,
    estim_lr_coef: Hyper = 1.0,
    weight_decay: Hyper = 0.0,
    safeguard_warmup: bool = False,
    *,
    bias_correction: bool = True,
):
    """Prodigy's whole step: it is no factor of a learning rate, which enters the estimate d.

    rate = d lr sqrt(1 - b2^t) / (1 - b1^t);  m, v = Adam's moments of d g
    r = beta3 r + d rate <g, x0 - p>;  s = beta3 s + d rate g;  d = max(d, estim_lr_coef r / |s|_1)
    u = -rate (m / (sqrt(v) + d eps) + weight_decay p), with the new d beside eps, as in the authors' code
    beta3 is sqrt(b2) where None. safeguard_warmup: d^2 for d rate in s. bias_correction=False: rate = d lr.
    r and s are kept divided by estim_lr0. Inner product and norm are of all leaves that the link sees.
    """
    _positive("scale_by_prodigy", estim_lr0)
    fade = (b2**0.5 if isinstance(b2, int | float) else safe_sqrt(b2)) if beta3 is None else beta3

    def update(updates, old, params):
        g, s, p = opened(updates, old, params, "exp_avg", "exp_avg_sq", "grad_sum", "params0")
        d = s.estim_lr
        rate = d * _debiased_rate(learning_rate, b1, b2, s.count, bias_correction)
        weight = (d if safeguard_warmup else rate) / estim_lr0
        columns = (g, p, s.exp_avg, s.exp_avg_sq, s.grad_sum, s.params0)
        rows = each(_prodigy_sums, *columns, d=d, weight=weight, b1=b1, b2=b2, fade=fade)
        mu, nu, sums_, gains, sizes = unzipped(rows, 5)
        numerator = fade * s.numerator_weighted + d / estim_lr0 * rate * total(gains)
        d = jnp.maximum(d, estim_lr_coef * safe_divide(numerator, total(sizes)))
        u = each(_prodigy_step, mu, nu, p, d=d, rate=rate, eps=eps, weight_decay=weight_decay)
        return closed(updates, u, g, ProdigyState(mu, nu, sums_, s.params0, d, numerator, s.count), old)

    return treewise(
        ProdigyState,
        update,
        params=True,
        exp_avg=zeros,
        exp_avg_sq=squares,
        grad_sum=sums,
        params0=copy,
        estim_lr=shared(filled(scalar, estim_lr0)),
        numerator_weighted=shared(scalar),
    )


@optimizer(paper="arXiv:2306.06101", errors=lambda: [NO_START, ONE_BETA])
def prodigy(
    learning_rate: Hyper = 1.0,
    betas: tuple = (0.9, 0.999),
    beta3: Decay | None = None,
    eps: Hyper = 1e-8,
    estim_lr0: Hyper = 1e-6,
    estim_lr_coef: Hyper = 1.0,
    weight_decay: Hyper = 0.0,
    safeguard_warmup: bool = False,
    *,
    bias_correction: bool = True,
):
    """Adam that finds its step length: see `scale_by_prodigy`. The learning rate is a factor, 1 as a rule.

    A schedule goes from 1 down to 0. Call `init` with the parameters that training starts from.
    """
    b1, b2 = _two("prodigy", betas)
    return chain(
        scale_by_prodigy(
            learning_rate,
            b1,
            b2,
            beta3,
            eps,
            estim_lr0,
            estim_lr_coef,
            weight_decay,
            safeguard_warmup,
            bias_correction=bias_correction,
        )
    )


class DAdaptAdamWState(NamedTuple):
    exp_avg: PyTree  # like params, E[rate g]
    exp_avg_sq: PyTree  # like params, E[|g|^2]
    grad_sum: PyTree  # like params, E[rate g] with decay sqrt(b2)
    estim_lr: Array  # [] the estimate d of the distance to the solution, never falling
    numerator_weighted: Array  # [] E[rate <g, s / (sqrt(v) + eps)>] with decay sqrt(b2)
    count: Array  # [] int32, steps taken

    metrics = ("estim_lr",)


def _dadapt_sums(g, mu, nu, s, rate, b1, b2, w, eps):
    """Of one leaf: the moments, the sum of gradients, its share of r and of |s|_1."""
    gain, g2, g = dot(g, over_root(s, nu, eps)), abs2(g), rate * g
    s = ema(s, g, w)
    return ema(mu, g, b1), ema(nu, g2, b2), s, gain, jnp.sum(jnp.abs(s))


def _dadapt_step(mu, nu, p, rate, eps, weight_decay):
    return -over_root(mu, nu, eps) - rate * weight_decay * p


@transform(paper="arXiv:2301.07733", record=("learning_rate",), errors=lambda: [NO_START])
def scale_by_dadapt_adam(
    learning_rate: Hyper = 1.0,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    estim_lr0: Hyper = 1e-6,
    weight_decay: Hyper = 0.0,
    *,
    bias_correction: bool = True,
):
    """D-Adapted Adam's whole step: it is no factor of a learning rate, which enters the estimate d.

    rate = d lr sqrt(1 - b2^t) / (1 - b1^t);  w = sqrt(b2)
    r = w r + (1 - w) rate <g, s / (sqrt(v) + eps)>;  s = w s + (1 - w) rate g
    m = b1 m + (1 - b1) rate g;  v = b2 v + (1 - b2) |g|^2;  d = max(d, r / ((1 - w) |s|_1))
    u = -m / (sqrt(v) + eps) - rate weight_decay p
    r is computed with s and v of the step before. bias_correction=False: rate = d lr, as in the paper.
    Inner product and norm are of all leaves that the link sees.
    """
    _positive("scale_by_dadapt_adam", estim_lr0)
    w = b2**0.5 if isinstance(b2, int | float) else safe_sqrt(b2)

    def update(updates, old, params):
        g, s, p = opened(updates, old, params, "exp_avg", "exp_avg_sq", "grad_sum")
        rate = s.estim_lr * _debiased_rate(learning_rate, b1, b2, s.count, bias_correction)
        columns = (g, s.exp_avg, s.exp_avg_sq, s.grad_sum)
        rows = each(_dadapt_sums, *columns, rate=rate, b1=b1, b2=b2, w=w, eps=eps)
        mu, nu, sums_, gains, sizes = unzipped(rows, 5)
        numerator = ema(s.numerator_weighted, rate * total(gains), w)
        d = jnp.maximum(s.estim_lr, safe_divide(numerator, (1 - w) * total(sizes)))
        u = each(_dadapt_step, mu, nu, p, rate=rate, eps=eps, weight_decay=weight_decay)
        return closed(updates, u, g, DAdaptAdamWState(mu, nu, sums_, d, numerator, s.count), old)

    return treewise(
        DAdaptAdamWState,
        update,
        params=True,
        exp_avg=zeros,
        exp_avg_sq=squares,
        grad_sum=sums,
        estim_lr=shared(filled(scalar, estim_lr0)),
        numerator_weighted=shared(scalar),
    )


@optimizer(paper="arXiv:2301.07733", errors=lambda: [ONE_BETA])
def dadapt_adamw(
    learning_rate: Hyper = 1.0,
    betas: tuple = (0.9, 0.999),
    eps: Hyper = 1e-8,
    estim_lr0: Hyper = 1e-6,
    weight_decay: Hyper = 0.0,
    *,
    bias_correction: bool = True,
):
    """AdamW that finds its step length, see `scale_by_dadapt_adam`.

    The learning rate is a factor, 1 as a rule; a schedule goes from 1 down to 0.
    """
    b1, b2 = _two("dadapt_adamw", betas)
    return chain(
        scale_by_dadapt_adam(
            learning_rate, b1, b2, eps, estim_lr0, weight_decay, bias_correction=bias_correction
        )
    )
