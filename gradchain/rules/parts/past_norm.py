"""Clipping to what the norm of a layer was before (AdaGC)."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.hyper import Decay, Hyper, Limit, Period
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import scalar, shared
from gradchain.core.transform import transform
from gradchain.math.numerics import ema, norm, real
from gradchain.rules.parts.clipping import shrink
from gradchain.rules.parts.layers import layer_axes, of_layer

PyTree = Any


class ClipByPastNormState(NamedTuple):
    count: Array  # [] int32, steps taken
    norm: Array  # [] of the last updates, all leaves taken as one vector, before clipping
    past_norm: PyTree  # [*batch] average of the clipped norms of a layer

    metrics = (("grad_norm", "norm"),)


@transform(
    paper="arXiv:2502.11034",
    near=("clip_by_global_norm", "clip_by_block_norm", "adaptive_grad_clip", "adagc"),
    traits=frozenset({"matrices"}),
)
def clip_by_past_norm(
    max_norm: Limit = 1.0,
    relative: Limit = 1.05,
    decay: Decay = 0.98,
    warmup_steps: Period = 100,
    eps: Hyper = 1e-8,
    *,
    per_leaf: bool = False,
):
    """Clip each layer to a multiple of the average norm that it had so far (AdaGC).

    u = g * min(1, relative * max(n, eps) / |g|);  n = decay n + (1 - decay) |u|
    In the first warmup_steps steps u = g * min(1, max_norm / norm of all leaves) and n the least |u| so far.
    A layer that had no gradient in one of these steps starts from eps.
    """

    def before(updates, s):
        return s._replace(norm=tree.global_norm(updates))

    def step(g, s, *, leaf):
        axes = layer_axes(leaf, per_leaf)
        size, warm = norm(g, axes), real(s.count) <= warmup_steps  # [*batch], []
        limit = relative * jnp.maximum(s.past_norm, eps)
        factor = jnp.where(warm, shrink(s.norm, max_norm), shrink(size, limit))
        clipped = size * factor
        least = jnp.where(s.count == 1, clipped, jnp.minimum(s.past_norm, clipped))
        past = jnp.where(warm, least, ema(s.past_norm, clipped, decay))
        return g * jnp.expand_dims(factor, axes), ClipByPastNormState(s.count, s.norm, past)

    return leafwise(
        ClipByPastNormState, step, before=before, norm=shared(scalar), past_norm=of_layer(per_leaf)
    )
