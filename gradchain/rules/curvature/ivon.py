"""IVON: a Gaussian over the parameters, fitted while training; gradients are taken at samples of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core import words
from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import filled, squares, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import bounded, debias, ema, normal, safe_divide, safe_sqrt
from gradchain.rules.parts.basic import scale_by_learning_rate

PyTree = Any


def _errors():
    yield ErrorInput({"seed": -1}, ValueError, ("seed is -1", "0 or more"))


IVON: Any = {
    "paper": "arXiv:2402.17641",
    "near": ("adahessian", "sophia", "adamw"),
    "traits": frozenset({"random", "real"}),
    "errors": _errors,
}


class ScaleByIvonState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]
    precision: PyTree  # like params, h + weight_decay, h an estimate of the Hessian's diagonal


def standard_normal(seed: int, t: Array, salt: Any, like: Array) -> Array:
    """What step t's sample of a leaf is made of; `ivon_sample` draws it before, the kernel after."""
    return normal(seed, t, salt, like)


def inverse_deviation(precision: Array, ess: Any) -> Array:
    """1 / sigma of each parameter: sigma^2 = 1 / (ess (h + weight_decay))."""
    return safe_sqrt(ess * precision)


@transform(example=lambda: {"ess": 100.0}, **IVON)
def scale_by_ivon(
    ess: Hyper,
    hess_init: Hyper = 1.0,
    b1: Decay = 0.9,
    b2: Decay = 0.99999,
    weight_decay: Hyper = 1e-4,
    clip_radius: Hyper | None = None,
    seed: int = 0,
    *,
    rescale: bool = True,
):
    """Scale by IVON the gradient g at a sample p + sigma e, e normal, that `ivon_sample` has drawn.

    f = g e / sigma,  sigma^2 = 1 / (ess q),  q = h + d, d = weight_decay;  at first h = hess_init
    m = b1 m + (1 - b1) g;  q = q (1 + x + x^2 / 2),  x = (1 - b2) (f - h) / q, which keeps q above 0
    u = (m / (1 - b1^t) + d p) / q, clipped to clip_radius, times hess_init + d with rescale
    ess is the number of examples, or what tempers it. e is made anew from (seed, step, path): one step is
    tx.update(grad(loss)(ivon_sample(tx, state, params)), state, params). rescale is of the authors' code.
    """
    if seed < 0:
        raise ValueError(f"scale_by_ivon: seed is {words.show(seed)}; expected 0 or more")
    start = hess_init + weight_decay if rescale else 1

    def step(g, s, p, *, salt):
        g = bounded(g)
        old, noise = s.precision, standard_normal(seed, s.count, salt, g)
        f = g * noise * inverse_deviation(old, ess)
        x = (1 - b2) * safe_divide(f + weight_decay - old, old)
        m, new = ema(s.mu, g, b1), old * (1 + x + x * x / 2)
        u = safe_divide(debias(m, b1, s.count) + weight_decay * p, new)
        u = u if clip_radius is None else jnp.clip(u, -clip_radius, clip_radius)
        return start * u, ScaleByIvonState(s.count, m, new)

    return leafwise(ScaleByIvonState, step, mu=zeros, precision=filled(squares, hess_init + weight_decay))


@optimizer(example=lambda: {"learning_rate": 0.1, "ess": 100.0}, **IVON)
def ivon(
    learning_rate: Hyper,
    ess: Hyper,
    hess_init: Hyper = 1.0,
    b1: Decay = 0.9,
    b2: Decay = 0.99999,
    weight_decay: Hyper = 1e-4,
    clip_radius: Hyper | None = None,
    seed: int = 0,
    *,
    rescale: bool = True,
):
    """IVON: p = p - lr * u, the mean of the posterior; see `scale_by_ivon` and `ivon_sample`."""
    scaled = scale_by_ivon(ess, hess_init, b1, b2, weight_decay, clip_radius, seed, rescale=rescale)
    return chain(scaled, scale_by_learning_rate(learning_rate))
