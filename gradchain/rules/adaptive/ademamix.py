"""AdEMAMix: a second, much slower mean of the gradients; and the simplified form with a sum."""

from __future__ import annotations

from typing import Any, NamedTuple

from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import squares, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, over_root
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any


class AdemamixState(NamedTuple):
    count: Array  # [] int32, steps taken
    m1: PyTree  # like params, E[g], fast
    m2: PyTree  # like params, E[g], slow
    nu: PyTree  # like params, E[|g|^2]


@transform(paper="arXiv:2409.03137")
def scale_by_ademamix(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    b3: Decay = 0.9999,
    alpha: Hyper = 6.0,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    mu_dtype: DType | None = None,
):
    """Scale by AdEMAMix.

    m = b1 m + (1 - b1) g;  n = b3 n + (1 - b3) g;  v = b2 v + (1 - b2) |g|^2
    u = (m' + alpha n) / (sqrt(v' + eps_root) + eps), m' and v' as of `scale_by_adam`
    n is not corrected, so that it comes in slowly. The paper lets alpha and b3 grow over a run: schedules.
    mu_dtype is that of m and n.
    """

    def step(g, s):
        t, m1, m2, nu = s.count, ema(s.m1, g, b1), ema(s.m2, g, b3), ema(s.nu, abs2(g), b2)
        u = over_root(debias(m1, b1, t) + alpha * m2, debias(nu, b2, t), eps, eps_root)
        return u, AdemamixState(t, m1, m2, nu)

    mean = typed(zeros, mu_dtype)
    return leafwise(AdemamixState, step, m1=mean, m2=mean, nu=squares)


@optimizer(paper="arXiv:2409.03137", example=lambda: {"learning_rate": 0.1})
def ademamix(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    b3: Decay = 0.9999,
    alpha: Hyper = 5.0,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    mu_dtype: DType | None = None,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
):
    """AdEMAMix: p = p - lr * ((m' + alpha n) / (sqrt(v') + eps) + weight_decay * p).

    See `scale_by_ademamix`.
    """
    return chain(
        scale_by_ademamix(b1, b2, b3, alpha, eps, eps_root, mu_dtype),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


class SimplifiedAdemamixState(NamedTuple):
    count: Array  # [] int32, steps taken
    m: PyTree  # like params, sum of b1^age g
    n: PyTree  # like params, E[|g|^2]


@transform(paper="arXiv:2502.02431")
def scale_by_simplified_ademamix(
    b1: Fraction = 0.99,
    b2: Decay = 0.95,
    alpha: Hyper = 0.0,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
):
    """Scale by simplified AdEMAMix: one slow sum, and the newest gradient with a weight of its own.

    m = b1 m + g;  n = b2 n + (1 - b2) |g|^2;  u = (m + alpha g) / (sqrt(n / (1 - b2^t) + eps_root) + eps)
    m is a sum, of up to 1 / (1 - b1) gradients: the learning rate is smaller by about that.
    """

    def step(g, s):
        t, m, n = s.count, g + b1 * s.m, ema(s.n, abs2(g), b2)
        u = over_root(m + alpha * g, debias(n, b2, t), eps, eps_root)
        return u, SimplifiedAdemamixState(t, m, n)

    return leafwise(SimplifiedAdemamixState, step, m=zeros, n=squares)


@optimizer(paper="arXiv:2502.02431", example=lambda: {"learning_rate": 0.01})
def simplified_ademamix(
    learning_rate: Hyper,
    b1: Fraction = 0.99,
    b2: Decay = 0.95,
    alpha: Hyper = 0.0,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
):
    """Simplified AdEMAMix: p = p - lr * (u + weight_decay * p), u from `scale_by_simplified_ademamix`."""
    return chain(
        scale_by_simplified_ademamix(b1, b2, alpha, eps, eps_root),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
