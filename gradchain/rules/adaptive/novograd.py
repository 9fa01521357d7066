"""NovoGrad: gradients over the norm of their layer, then momentum."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, ema, over_root
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.layers import layer_axes, of_layer

PyTree = Any
PAPER: Any = {"paper": "arXiv:1905.11286", "traits": frozenset({"matrices"})}


class ScaleByNovogradState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, sum of b1^age (g / |g| + weight_decay p)
    nu: PyTree  # [*batch] E[|g|^2] of a layer


@transform(**PAPER)
def scale_by_novograd(
    b1: Fraction = 0.9,
    b2: Decay = 0.25,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    weight_decay: Hyper = 0.0,
    mu_dtype: DType | None = None,
    *,
    per_leaf: bool = False,
):
    """Scale by NovoGrad: one second moment for each layer.

    v = b2 v + (1 - b2) |g|^2, in the first step |g|^2, |g| the norm of a leaf or of a layer of a stack
    m = b1 m + g / (sqrt(v + eps_root) + eps) + weight_decay * p;  u = m
    """

    def step(g, s, p, *, leaf):
        axes = layer_axes(leaf, per_leaf)
        square = jnp.sum(abs2(g), axes)  # [*batch]
        nu = jnp.where(s.count == 1, square, ema(s.nu, square, b2))
        u = over_root(g, jnp.expand_dims(nu, axes), eps, eps_root) + weight_decay * p
        mu = b1 * s.mu + u
        return mu, ScaleByNovogradState(s.count, mu, nu)

    return leafwise(ScaleByNovogradState, step, mu=typed(zeros, mu_dtype), nu=of_layer(per_leaf))


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.1})
def novograd(
    learning_rate: Hyper,
    b1: Fraction = 0.9,
    b2: Decay = 0.25,
    eps: Hyper = 1e-6,
    eps_root: Hyper = 0.0,
    weight_decay: Hyper = 0.0,
    *,
    per_leaf: bool = False,
):
    """NovoGrad: p = p - lr * m, see `scale_by_novograd`; the decay is part of the momentum m."""
    return chain(
        scale_by_novograd(b1, b2, eps, eps_root, weight_decay, per_leaf=per_leaf),
        scale_by_learning_rate(learning_rate),
    )
