"""AdaNorm: Adam whose momentum keeps gradients at least as long as they used to be."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import squares, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, bounded, debias, ema, norm, over_root, safe_divide
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay
from gradchain.rules.parts.layers import layer_axes, of_layer

PyTree = Any
PAPER: Any = {"paper": "arXiv:2210.06364", "traits": frozenset({"matrices"})}


class ScaleByAdanormState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g], lengthened
    nu: PyTree  # like params, E[|g|^2]
    norm: PyTree  # [*batch] E[|g|] of a layer


@transform(**PAPER, near=("scale_by_adam", "scale_by_novograd", "clip_by_past_norm"))
def scale_by_adanorm(
    b1: Decay = 0.9, b2: Decay = 0.99, b3: Decay = 0.95, eps: Hyper = 1e-8, *, per_leaf: bool = False
):
    """Scale by AdamNorm: in the first moment the gradient of a layer is as long as the average at least.

    n = b3 n + (1 - b3) |g|;  s = g * max(1, n / |g|);  m = b1 m + (1 - b1) s;  v = b2 v + (1 - b2) |g|^2
    u = m' / (sqrt(v') + eps), m' and v' as of `scale_by_adam`; n, of a layer, starts at 0 uncorrected
    """

    def step(g, s, *, leaf):
        axes = layer_axes(leaf, per_leaf)
        g = bounded(g)
        t, size = s.count, norm(g, axes)  # [*batch]
        average = ema(s.norm, size, b3)
        longer = jnp.maximum(1, safe_divide(average, size, otherwise=1))
        mu = ema(s.mu, g * jnp.expand_dims(longer, axes), b1)
        nu = ema(s.nu, abs2(g), b2)
        u = over_root(debias(mu, b1, t), debias(nu, b2, t), eps)
        return u, ScaleByAdanormState(t, mu, nu, average)

    return leafwise(ScaleByAdanormState, step, mu=zeros, nu=squares, norm=of_layer(per_leaf))


@optimizer(**PAPER, near=("adamw", "novograd"), example=lambda: {"learning_rate": 0.1})
def adanorm(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.99,
    b3: Decay = 0.95,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    *,
    per_leaf: bool = False,
):
    """AdamNorm, Adam with AdaNorm: p = p - lr * (u + weight_decay * p), see `scale_by_adanorm`."""
    return chain(
        scale_by_adanorm(b1, b2, b3, eps, per_leaf=per_leaf),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
