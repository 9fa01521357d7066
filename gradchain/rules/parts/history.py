"""Updates held against their own past, matrix by matrix: growth of norms, spikes, running norms."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.hyper import Decay, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import Leaf, Slot, drop
from gradchain.core.transform import transform
from gradchain.math.numerics import abs2, bounded, debias, ema, norm, over_root, safe_divide, safe_sqrt
from gradchain.rules.parts.clipping import shrink

PyTree = Any
MATRICES = frozenset({"matrices"})


def one_each(p: Leaf) -> Slot:
    """One number for each matrix of a leaf, [*batch]."""
    return dataclasses.replace(drop(p, p.axes.matrix), exact=True)


def growth_factor(size: Array, last: Array, gamma: Any, eps: Any) -> Array:
    """The factor that makes a norm gamma * (last + eps) at most; 1 where the last was 0, or there is none."""
    return jnp.where(last == 0, 1, shrink(size, gamma * (last + eps)))


class LimitNormGrowthState(NamedTuple):
    norm: PyTree  # [*batch] of the last update, after the limit; 0 before the first


@transform(paper="arXiv:2410.01623", traits=MATRICES, near=("clip_by_global_norm", "clip_by_spikes"))
def limit_norm_growth(gamma: Hyper = 1.01, eps: Hyper = 1e-8):
    """Let the norm of an update grow by a factor of gamma a step at most, each matrix by itself.

    n = |g|;  u = g * min(1, gamma * (N + eps) / n), N the norm of the last u
    The first update is not limited, nor is one after an update of 0: the authors' code would hold it at
    gamma * eps. With eps=0 it is the paper's. State: 4 bytes a matrix.
    """

    def step(g, s, *, leaf):
        axes = leaf.axes.matrix
        size = norm(g, axes)  # [*batch]
        factor = growth_factor(size, s.norm, gamma, eps)
        return g * jnp.expand_dims(factor, axes), LimitNormGrowthState(size * factor)

    return leafwise(LimitNormGrowthState, step, norm=one_each)


class ClipBySpikesState(NamedTuple):
    count: Array  # [] int32, steps taken
    largest: PyTree  # [*batch] mean of the largest |g| of a matrix


@transform(
    paper="arXiv:2502.17055", traits=MATRICES, near=("clip", "normalize_by_history", "limit_norm_growth")
)
def clip_by_spikes(decay: Decay = 0.999):
    """Shrink the elements of a gradient that are larger than the largest one usually is (AdaClip).

    l = largest |g| of a matrix;  m = decay m + (1 - decay) l;  m' = m / (1 - decay^t)
    u = g * m' / l where |g| > m', else g
    State: 4 bytes a matrix.
    """

    def step(g, s, *, leaf):
        g, axes = bounded(g), leaf.axes.matrix
        size = safe_sqrt(abs2(g)) if jnp.iscomplexobj(g) else jnp.abs(g)
        top = jnp.max(size, axes, initial=0)  # [*batch]
        largest = ema(s.largest, top, decay)
        usual = debias(largest, decay, s.count)
        factor = jnp.where(
            size > jnp.expand_dims(usual, axes), jnp.expand_dims(safe_divide(usual, top), axes), 1
        )
        return g * factor, ClipBySpikesState(s.count, largest)

    return leafwise(ClipBySpikesState, step, largest=one_each)


class NormalizeByHistoryState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # [*batch] mean of the norms of a matrix
    nu: PyTree  # [*batch] mean of their squares


@transform(
    paper="arXiv:2502.17055", traits=MATRICES, near=("clip_by_spikes", "normalize", "scale_by_novograd")
)
def normalize_by_history(b1: Decay = 0.7, b2: Decay = 0.9, eps: Hyper = 1e-8):
    """Give each matrix the norm that Adam would make of the norms so far (AdaGN).

    n = |g|;  m = b1 m + (1 - b1) n;  v = b2 v + (1 - b2) n^2
    u = g / n * m' / (sqrt(v') + eps),  m' = m / (1 - b1^t),  v' = v / (1 - b2^t)
    State: 8 bytes a matrix.
    """

    def step(g, s, *, leaf):
        g, axes, t = bounded(g), leaf.axes.matrix, s.count
        size = norm(g, axes)  # [*batch]
        mu, nu = ema(s.mu, size, b1), ema(s.nu, size * size, b2)
        wanted = over_root(debias(mu, b1, t), debias(nu, b2, t), eps)
        factor = jnp.expand_dims(safe_divide(wanted, size), axes)
        return g * factor, NormalizeByHistoryState(t, mu, nu)

    return leafwise(NormalizeByHistoryState, step, mu=one_each, nu=one_each)
