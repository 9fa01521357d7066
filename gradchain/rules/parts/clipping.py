"""Clipping: by element, by norm of the whole tree, by root mean square of a layer, by norm of a unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.hyper import Hyper, Limit
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import scalar, shared
from gradchain.core.transform import transform
from gradchain.math.numerics import abs2, norm, rms, safe_divide, safe_sqrt, times
from gradchain.types import EmptyState


def shrink(size: Array, limit) -> Array:
    """The factor that brings `size` down to `limit`: min(1, limit / size), 1 where size is 0."""
    return jnp.minimum(1, safe_divide(limit, size, otherwise=1))


def clipped(x: Array, limit) -> Array:
    """Each element clipped to [-limit, limit]; a complex one to that absolute value."""
    if jnp.iscomplexobj(x):
        return x * shrink(safe_sqrt(abs2(x)), limit)
    return jnp.clip(x, -limit, limit)


@transform(example=lambda: {"max_delta": 0.5})
def clip(max_delta: Limit):
    """Clip each element to [-max_delta, max_delta]; a complex one to that absolute value."""
    return leafwise(None, lambda g: clipped(g, max_delta))


class GlobalNormState(NamedTuple):
    norm: Array  # [] of the last updates, before clipping
    clipped_norm: Array  # [] after it

    metrics = (("grad_norm", "norm"), "clipped_norm")


@transform(paper="arXiv:1211.5063", example=lambda: {"max_norm": 0.5})
def clip_by_global_norm(max_norm: Limit):
    """Scale all updates by one factor so that their norm, taken as one vector, is at most max_norm.

    n = sqrt(sum over all leaves of |g|^2);  u = g * min(n, max_norm) / n, u = g where n is 0
    The state holds both norms of the last step. A NaN in any gradient makes every update NaN, and an infinite
    one itself NaN and the others 0: nothing is hidden; `skip` is the wrapper that acts on it.
    """

    def before(updates, s):
        n = tree.global_norm(updates)
        return s._replace(norm=n, clipped_norm=jnp.minimum(n, max_norm))

    def step(g, s):
        return times(g, safe_divide(s.clipped_norm, s.norm, otherwise=1)), s

    return leafwise(GlobalNormState, step, before=before, norm=shared(scalar), clipped_norm=shared(scalar))


@transform(paper="arXiv:1804.04235", example=lambda: {"threshold": 0.5}, traits=frozenset({"matrices"}))
def clip_by_block_rms(threshold: Limit, *, per_leaf: bool = False):
    """Scale a leaf so that its root mean square is at most the threshold; each layer of a stack by itself.

    u = g / max(1, rms(g) / threshold)
    """

    def step(g, *, leaf):
        return g * shrink(rms(g, None if per_leaf else leaf.axes.matrix, keepdims=True), threshold)

    return leafwise(None, step)


@transform(paper="arXiv:1211.5063", example=lambda: {"max_norm": 0.5}, traits=frozenset({"matrices"}))
def clip_by_block_norm(max_norm: Limit, *, per_leaf: bool = False):
    """Scale a leaf so that its norm is at most max_norm; each layer of a stack by itself.

    u = g * min(1, max_norm / |g|)
    """

    def step(g, *, leaf):
        return g * shrink(norm(g, None if per_leaf else leaf.axes.matrix, keepdims=True), max_norm)

    return leafwise(None, step)


AdaptiveGradClipState = EmptyState  # in Optax's form of a state


def unitwise_norm(x: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    """The norm of each unit, the weights that make one output, spread over the shape of x.

    `axis` is what a norm is taken over. None guesses it from the shape: all axes where one at most is longer
    than 1, the first up to rank 3, all but the last beyond, as of a convolution kernel.
    """
    x = jnp.asarray(x)
    if axis is None:
        short = sum(n != 1 for n in x.shape) <= 1
        axis = tuple(range(x.ndim if short else 1 if x.ndim <= 3 else x.ndim - 1))
    return jnp.broadcast_to(norm(x, _axes(axis), keepdims=True), x.shape)


def _axes(axis: int | Sequence[int]) -> tuple[int, ...]:
    return (axis,) if isinstance(axis, int) else tuple(axis)


def unitwise_clip(g_norm: Array, max_norm: Array, grad: Array, div_eps: Any = 1e-6) -> Array:
    """Clip the gradient of units: grad where g_norm < max_norm, else grad * max_norm / max(g_norm, div_eps).

    Norms are as `unitwise_norm` gives them. Source: arXiv:2102.06171.
    """
    return grad * jnp.where(g_norm < max_norm, 1, max_norm / jnp.maximum(g_norm, div_eps))


@transform(paper="arXiv:2102.06171", example=lambda: {"clipping": 0.1}, traits=frozenset({"matrices"}))
def adaptive_grad_clip(clipping: Limit, eps: Hyper = 1e-3, axis: int | tuple[int, ...] | None = None):
    """Clip the gradient of each unit to a multiple of the norm of its weights.

    u = g * min(1, clipping * max(|p|, eps) / |g|), norms by unit: a column of a matrix (of each matrix of a
    stack), the whole of a vector, as the leaf's axes say, or with `axis` the numbers along these axes (Optax
    guesses from the rank, see `unitwise_norm`).
    """

    def step(g, p, *, leaf):
        axes = leaf.axes.rows or leaf.axes.cols if axis is None else _axes(axis)
        limit = clipping * jnp.maximum(norm(p, axes, keepdims=True), eps)
        return g * shrink(norm(g, axes, keepdims=True), limit)

    return leafwise(None, step)
