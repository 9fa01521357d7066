"""RMSprop, plain and centred: scale_by_rms, scale_by_stddev, rmsprop."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import filled, squares, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, over_root
from gradchain.rules.momentum.sgd import trace
from gradchain.rules.parts.basic import scale_by_learning_rate

PyTree = Any


class ScaleByRmsState(NamedTuple):
    nu: PyTree  # like params, E[|g|^2]


class ScaleByRmsWithCountState(NamedTuple):
    count: Array  # [] int32, steps taken
    nu: PyTree  # like params, E[|g|^2]


def _scaled(g: Array, v: Array, eps, eps_in_sqrt: bool) -> Array:
    return over_root(g, v, 0, eps) if eps_in_sqrt else over_root(g, v, eps)


@transform(paper="Tieleman & Hinton 2012, lecture 6.5")
def scale_by_rms(
    decay: Decay = 0.9,
    eps: Hyper = 1e-8,
    initial_scale: Hyper = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
):
    """Divide by a running root mean square.

    v = decay v + (1 - decay) |g|^2, v = initial_scale at the start
    u = g / sqrt(v + eps), as in keras; eps_in_sqrt=False: u = g / (sqrt(v) + eps), as in torch
    bias_correction: v / (1 - decay^t) in place of v, for an initial_scale of 0.
    """

    def step(g, s):
        nu = ema(s.nu, abs2(g), decay)
        v = debias(nu, decay, s.count) if bias_correction else nu
        return _scaled(g, v, eps, eps_in_sqrt), s._replace(nu=nu)

    State = ScaleByRmsWithCountState if bias_correction else ScaleByRmsState
    return leafwise(State, step, nu=filled(squares, initial_scale))


class ScaleByRStdDevState(NamedTuple):
    mu: PyTree  # like params, E[g]
    nu: PyTree  # like params, E[|g|^2]


class ScaleByRStdDevWithCountState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]
    nu: PyTree  # like params, E[|g|^2]


@transform(paper="arXiv:1308.0850")
def scale_by_stddev(
    decay: Decay = 0.9,
    eps: Hyper = 1e-8,
    initial_scale: Hyper = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
):
    """Divide by a running standard deviation.

    `scale_by_rms` with v - |m|^2 in place of v;  m = decay m + (1 - decay) g
    A variance that rounding made negative counts as 0. With bias_correction the first variance is exactly
    that, and the first update is g over eps (or its root): a few small steps are wanted there.
    """

    def step(g, s):
        mu, nu = ema(s.mu, g, decay), ema(s.nu, abs2(g), decay)
        m, v = (debias(mu, decay, s.count), debias(nu, decay, s.count)) if bias_correction else (mu, nu)
        variance = jnp.maximum(v - abs2(m), 0)
        return _scaled(g, variance, eps, eps_in_sqrt), s._replace(mu=mu, nu=nu)

    State = ScaleByRStdDevWithCountState if bias_correction else ScaleByRStdDevState
    return leafwise(State, step, mu=zeros, nu=filled(squares, initial_scale))


@optimizer(paper="Tieleman & Hinton 2012, lecture 6.5", example=lambda: {"learning_rate": 0.1})
def rmsprop(
    learning_rate: Hyper,
    decay: Decay = 0.9,
    eps: Hyper = 1e-8,
    initial_scale: Hyper = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: Fraction | None = None,
    nesterov: bool = False,
    bias_correction: bool = False,
):
    """RMSprop: p = p - lr * g / sqrt(v + eps), see `scale_by_rms`; centered: see `scale_by_stddev`.

    momentum accumulates lr * g / sqrt(v + eps), as in keras and Optax: a change of the learning rate does
    not touch what was gathered before (torch multiplies by it afterwards).
    """
    scaled = scale_by_stddev if centered else scale_by_rms
    links = [
        scaled(decay, eps, initial_scale, eps_in_sqrt, bias_correction),
        scale_by_learning_rate(learning_rate),
    ]
    return chain(*links) if momentum is None else chain(*links, trace(momentum, nesterov))
