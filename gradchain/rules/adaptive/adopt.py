"""ADOPT: a gradient over the second moment of those before it, then momentum. Converges for any b2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper, initial, scheduled
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import squares, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, ema, real, safe_divide, safe_sqrt
from gradchain.rules.adaptive.adam import ScaleByAdamState
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.clipping import clipped


def _errors():
    yield ErrorInput({"clip_value_fn": lambda t: None}, TypeError, ("of clip_value_fn returned None",))
    yield ErrorInput(
        {"clip_value_fn": lambda: 1.0}, TypeError, ("clip_value_fn is", "a function of one argument")
    )


@transform(paper="arXiv:2411.02853", errors=_errors)
def scale_by_adopt(
    b1: Decay = 0.9,
    b2: Decay = 0.9999,
    eps: Hyper = 1e-6,
    mu_dtype: DType | None = None,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
    clip_value_fn: Callable[[Any], Any] | None = None,
):
    """Scale by ADOPT.

    c = clip(g / max(sqrt(v), eps), clip_value_fn(t));  m = b1 m + (1 - b1) c;  u = m
    v = b2 v + (1 - b2) |g|^2
    The first gradient only starts v = |g|^2, and its update is 0; t is 1 for the second. Without a
    clip_value_fn the bound is t^0.25. nesterov: u = b1 m + (1 - b1) c
    """

    def bound(t):
        f = clip_value_fn
        return real(t) ** 0.25 if f is None else scheduled("scale_by_adopt", "clip_value_fn", f, t)

    if clip_value_fn is not None:
        initial("scale_by_adopt", "clip_value_fn", clip_value_fn)

    def step(g, s):
        first, square = s.count == 1, abs2(g)
        c = safe_divide(g, jnp.maximum(safe_sqrt(s.nu), eps))
        if use_clipping:
            c = clipped(c, bound(s.count - 1))
        mu = jnp.where(first, s.mu, ema(s.mu, c, b1))
        u = jnp.where(first, s.mu, ema(mu, c, b1)) if nesterov else mu
        nu = jnp.where(first, square, ema(s.nu, square, b2))
        return u, ScaleByAdamState(s.count, mu, nu)

    return leafwise(ScaleByAdamState, step, mu=typed(zeros, mu_dtype), nu=squares)


@optimizer(paper="arXiv:2411.02853", errors=_errors, example=lambda: {"learning_rate": 0.1})
def adopt(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.9999,
    eps: Hyper = 1e-6,
    mu_dtype: DType | None = None,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
    clip_value_fn: Callable[[Any], Any] | None = None,
):
    """ADOPT: p = p - lr * m, see `scale_by_adopt`."""
    return chain(
        scale_by_adopt(
            b1,
            b2,
            eps,
            mu_dtype,
            nesterov=nesterov,
            use_clipping=use_clipping,
            clip_value_fn=clip_value_fn,
        ),
        scale_by_learning_rate(learning_rate),
    )
