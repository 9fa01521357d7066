"""SGDP: momentum without the part of its steps that only lengthens scale-invariant weights."""

from __future__ import annotations

import jax.numpy as jnp

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import zeros
from gradchain.core.transform import optimizer, transform
from gradchain.rules.momentum.sgd import TraceState
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import decaying
from gradchain.rules.parts.projection import tangent

PAPER = "arXiv:2006.08217"
MATRICES = frozenset({"matrices"})


@transform(paper=PAPER, near=("trace", "scale_by_adamp"), traits=MATRICES)
def scale_by_sgdp(
    momentum: Decay = 0.9,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    delta: Hyper = 0.1,
    wd_ratio: Fraction = 0.1,
    dampening: Fraction = 0.0,
    *,
    nesterov: bool = False,
):
    """Accumulate updates, and take the part along the weights out of the sum where the gradient has none.

    v = momentum v + (1 - dampening) g;  a = v, with nesterov g + momentum v
    u = a - p <p, a> / |p|^2 + wd_ratio * d * p  where |cos(g, p)| < delta / sqrt(n), else u = a + d * p
    d = weight_decay / (1 - momentum). For which units and layers: see `scale_by_adamp`.
    """

    def step(g, s, p, *, leaf):
        v = momentum * s.trace + (1 - dampening) * g
        u, projected = tangent(g + momentum * v if nesterov else v, g, p, leaf, delta, eps)
        decay = weight_decay / (1 - momentum) * jnp.where(projected, wd_ratio, 1)
        return u + decay * p, TraceState(v)

    return leafwise(TraceState, step, trace=zeros)


@optimizer(
    paper=PAPER, near=("sgd", "adamp", "lars"), example=lambda: {"learning_rate": 0.1}, traits=MATRICES
)
def sgdp(
    learning_rate: Hyper,
    momentum: Decay = 0.9,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    delta: Hyper = 0.1,
    wd_ratio: Fraction = 0.1,
    dampening: Fraction = 0.0,
    *,
    nesterov: bool = False,
):
    """SGDP: p = p - lr * u, see `scale_by_sgdp`; weights before a normalisation do not grow by momentum."""

    def scaled(decay: Hyper):
        return scale_by_sgdp(momentum, eps, decay, delta, wd_ratio, dampening, nesterov=nesterov)

    return chain(decaying(scaled, weight_decay, mask), scale_by_learning_rate(learning_rate))
