"""SGD-SaI: momentum with a learning rate for each block, set by the first gradient."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.control import when
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, drop, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import ema, norm, safe_divide
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
PAPER: Any = {
    "paper": "arXiv:2412.11768",
    "near": ("sgd", "qhm", "lars"),
    "traits": frozenset({"matrices"}),
}


class ScaleBySgdSaiState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g], starting at the first gradient
    snr: PyTree  # [*batch] for each leaf, signal to noise of the first gradient


def _per_block(p: Leaf) -> Slot:
    return dataclasses.replace(drop(p, p.axes.matrix), exact=True)


@transform(**PAPER)
def scale_by_sgd_sai(b1: Decay = 0.9, eps: Hyper = 1e-8):
    """Scale momentum by the signal-to-noise ratio of the first gradient, leaf by leaf (layer by layer).

    r = |g_1| / (std(g_1) + eps);  m = b1 m + (1 - b1) g, m = g_1 at first;  u = r m
    std is torch's, over n - 1; where it is 0, as in a scalar, r = |g_1|. g_1 is the first gradient that is
    not 0: those of LoRA's A are at first, and r would be 0 for ever. As the authors' code before 1.1, which
    since then takes r = sqrt(n), what r is for a gradient of mean 0.
    """

    def step(g, s, *, leaf):
        axes = leaf.axes.matrix
        n = math.prod(leaf.shape[i] for i in axes)

        def measured(old, g):
            size = norm(g, axes)
            spread = norm(g - jnp.sum(g, axes, keepdims=True) / max(n, 1), axes) / math.sqrt(max(n - 1, 1))
            ratio = jnp.where(spread == 0, size, safe_divide(size, spread + eps))
            return ratio.astype(old.dtype)

        fresh = s.snr == 0  # has had no gradient yet
        snr = when(jnp.any(fresh), lambda old, g: jnp.where(fresh, measured(old, g), old), s.snr, g)
        m = jnp.where(jnp.expand_dims(fresh, axes), g, ema(s.mu, g, b1))
        return jnp.expand_dims(snr, axes) * m, ScaleBySgdSaiState(s.count, m, snr)

    return leafwise(ScaleBySgdSaiState, step, mu=zeros, snr=_per_block)


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.01})
def sgd_sai(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 1e-2,
    mask: Selection = None,
):
    """SGD-SaI: p = p - lr * (r m + weight_decay * p), see `scale_by_sgd_sai`: no second moment."""
    return chain(
        scale_by_sgd_sai(b1, eps), *optional_decay(weight_decay, mask), scale_by_learning_rate(learning_rate)
    )
