"""AdamP: Adam without the part of its steps that only lengthens scale-invariant weights."""

from __future__ import annotations

import jax.numpy as jnp

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import squares, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, over_root
from gradchain.rules.adaptive.adam import ScaleByAdamState
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import decaying
from gradchain.rules.parts.projection import tangent

PAPER = "arXiv:2006.08217"
MATRICES = frozenset({"matrices"})


@transform(paper=PAPER, near=("scale_by_adam", "scale_by_sgdp"), traits=MATRICES)
def scale_by_adamp(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    delta: Hyper = 0.1,
    wd_ratio: Fraction = 0.1,
    mu_dtype: DType | None = None,
    *,
    nesterov: bool = False,
):
    """Scale by Adam, and take the part along the weights out of the update where the gradient has none.

    a = m' / (sqrt(v') + eps), m' and v' as of `scale_by_adam`
    u = a - p <p, a> / |p|^2 + wd_ratio * weight_decay * p  where |cos(g, p)| < delta / sqrt(n)
    u = a + weight_decay * p  elsewhere
    First for each unit, a column of n weights, in a layer all of whose units pass, then for whole layers.
    nesterov: (b1 m + (1 - b1) g) / (1 - b1^t) for m'. delta=0 is Adam. Vectors are not projected.
    """

    def step(g, s, p, *, leaf):
        t, mu, nu = s.count, ema(s.mu, g, b1), ema(s.nu, abs2(g), b2)
        m = debias(ema(mu, g, b1) if nesterov else mu, b1, t)
        u, projected = tangent(over_root(m, debias(nu, b2, t), eps), g, p, leaf, delta, eps)
        decay = weight_decay * jnp.where(projected, wd_ratio, 1)
        return u + decay * p, ScaleByAdamState(t, mu, nu)

    return leafwise(ScaleByAdamState, step, mu=typed(zeros, mu_dtype), nu=squares)


@optimizer(
    paper=PAPER, near=("adamw", "sgdp", "lamb"), example=lambda: {"learning_rate": 0.1}, traits=MATRICES
)
def adamp(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    delta: Hyper = 0.1,
    wd_ratio: Fraction = 0.1,
    mu_dtype: DType | None = None,
    *,
    nesterov: bool = False,
):
    """AdamP: p = p - lr * u, see `scale_by_adamp`; weights before a normalisation do not grow by momentum."""

    def scaled(decay: Hyper):
        return scale_by_adamp(b1, b2, eps, decay, delta, wd_ratio, mu_dtype, nesterov=nesterov)

    return chain(decaying(scaled, weight_decay, mask), scale_by_learning_rate(learning_rate))
