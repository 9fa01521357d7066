"""RAdam: Adam that waits until its second moment can be trusted."""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper, Limit
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import squares, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import (
    abs2,
    debias,
    debias_ahead,
    ema,
    over_root,
    real,
    real_dtype,
    safe_divide,
    safe_sqrt,
)
from gradchain.rules.adaptive.adam import ScaleByAdamState
from gradchain.rules.parts.basic import scale_by_learning_rate


def _remainder(y) -> Array:
    """1 + 1/y - coth(y) for y >= 0, by its series where the terms would cancel."""
    q, large = y * y, y > 0.1
    series = 1 - y * (1 / 3 - q * (1 / 45 - q * (2 / 945 - q * (1 / 4725 - q * 2 / 93555))))
    y = jnp.where(large, y, 1)
    return jnp.where(large, 1 / y + 2 * jnp.exp(-2 * y) / jnp.expm1(-2 * y), series)


def rectification(b2, t: Array) -> tuple[Array, Array]:
    """The length of the average after t steps, and what rectifies its variance (0 where that is infinite).

    rho = rho_inf - 2 t b2^t / (1 - b2^t),  rho_inf = 2 / (1 - b2) - 1
    r = sqrt((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho))
    Both terms of rho are near 2 / (1 - b2): in float32 at b2 = 0.9999 their difference is off by 2e-3 and may
    miss the threshold. With rho_inf = coth(x/2), x = -log(b2), the large parts cancel on paper instead.
    """
    t = real(t)
    if isinstance(b2, int | float):  # in double precision, as in numerics.bias
        x = -math.log(max(b2, sys.float_info.min))
    else:
        b2 = jnp.asarray(b2, t.dtype)
        x = -jnp.log(jnp.maximum(b2, jnp.finfo(t.dtype).tiny))
    rho = 1 - _remainder(x / 2) + t * _remainder(t * x / 2)
    q = (1 - b2) / (1 + b2)  # 1 / rho_inf
    square = safe_divide((rho - 4) * (rho - 2) * q, (1 - 4 * q) * (1 - 2 * q) * rho)
    return rho, safe_sqrt(jnp.maximum(square, 0))


def rectified(b2, t: Array) -> Array:
    """r of `rectification`, and 0 as long as the second moment cannot be trusted."""
    rho, r = rectification(b2, t)
    return jnp.where(rho > 4, r, 0)


class ScaleByRectificationState(NamedTuple):
    count: Array  # [] int32, steps taken


@transform(paper="arXiv:1908.03265", near=("scale_by_radam", "schedule_free_radam"))
def scale_by_rectification(b2: Decay = 0.999):
    """Warm up as RAdam does, of a second moment with decay b2: u = r g.

    r is that of `scale_by_radam`, and 0 as long as the variance of 1 / sqrt(v) is infinite. In a chain behind
    any scaling by a second moment.
    """

    def step(g, s):
        return rectified(b2, s.count).astype(real_dtype(g)) * g, s

    return leafwise(ScaleByRectificationState, step)


@transform(paper="arXiv:1908.03265")
def scale_by_radam(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    threshold: Limit = 5.0,
    *,
    nesterov: bool = False,
):
    """Scale by rectified Adam.

    u = r m' / (sqrt(v' + eps_root) + eps) where rho >= threshold (and above 4), else u = m'
    For m' and v' see `scale_by_adam`, for rho and r `rectification`.
    """

    def step(g, s):
        t, mu, nu = s.count, ema(s.mu, g, b1), ema(s.nu, abs2(g), b2)
        m = debias_ahead(mu, g, b1, t) if nesterov else debias(mu, b1, t)
        rho, r = rectification(b2, t)
        rectified = r * over_root(m, debias(nu, b2, t), eps, eps_root)
        return jnp.where((rho >= threshold) & (rho > 4), rectified, m), ScaleByAdamState(t, mu, nu)

    return leafwise(ScaleByAdamState, step, mu=zeros, nu=squares)


@optimizer(paper="arXiv:1908.03265", example=lambda: {"learning_rate": 0.1})
def radam(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    threshold: Limit = 5.0,
    *,
    nesterov: bool = False,
):
    """Rectified Adam: momentum until the second moment can be trusted, see `scale_by_radam`."""
    return chain(
        scale_by_radam(b1, b2, eps, eps_root, threshold, nesterov=nesterov),
        scale_by_learning_rate(learning_rate),
    )
