"""Averages of gradients and of parameters, over whole trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree as core
from gradchain.math import numerics

PyTree = Any


def _map(f: Callable, first: PyTree, *rest: PyTree) -> PyTree:
    """Leaf by leaf; None where the first tree has None."""
    one = lambda *xs: None if xs[0] is None else f(*map(jnp.asarray, xs))  # noqa: E731
    return jax.tree.map(one, first, *rest, is_leaf=lambda x: x is None)


def _size_power(g: Array, order: Any) -> Array:
    """|g|^order with finite derivatives at 0: of the square, and for odd orders of its safe root."""
    square = numerics.abs2(g)
    if order == int(order):
        half, odd = divmod(int(order), 2)
        root = numerics.safe_sqrt(square) if odd else None
        return square**half if root is None else root * square**half if half else root
    zero = square == 0
    return jnp.where(zero, 0, jnp.where(zero, 1, square) ** (order / 2))


def update_moment(updates: PyTree, moments: PyTree, decay: Any, order: Any) -> PyTree:
    """The average of g^order: m = decay * m + (1 - decay) * g^order."""
    return _map(lambda g, m: numerics.ema(m, g**order, decay), updates, moments)


def update_moment_per_elem_norm(updates: PyTree, moments: PyTree, decay: Any, order: Any) -> PyTree:
    """The average of |g|^order, real for complex g: m = decay * m + (1 - decay) * |g|^order."""
    return _map(lambda g, m: numerics.ema(m, _size_power(g, order), decay), updates, moments)


def update_infinity_moment(updates: PyTree, moments: PyTree, decay: Any, eps: Any) -> PyTree:
    """The decaying maximum of Adamax: m = max(decay * m, |g| + eps). Source: arXiv:1412.6980."""
    return _map(lambda g, m: jnp.maximum(decay * m, _size_power(g, 1) + eps), updates, moments)


def bias_correction(moment: PyTree, decay: Any, count: Any) -> PyTree:
    """m / (1 - decay^count), for averages that started at 0 `count` >= 1 steps ago.

    1 - decay^count is taken by expm1: the power would be off by 1.7e-4 at a decay of 0.9999.
    """
    count = jnp.asarray(count)
    return _map(lambda m: numerics.debias(m, decay, count), moment)


def incremental_update(new_tensors: PyTree, old_tensors: PyTree, step_size: Any) -> PyTree:
    """Polyak averaging: step_size * new + (1 - step_size) * old, added in float32 at least.

    The average keeps the dtype of old_tensors where that is one of floating-point numbers.
    """

    def one(new: Array, old: Array) -> Array:
        average = numerics.ema(core.wide(old), core.wide(new), 1 - step_size)
        return average.astype(old.dtype) if jnp.issubdtype(old.dtype, jnp.inexact) else average

    return _map(one, new_tensors, old_tensors)


def periodic_update(new_tensors: PyTree, old_tensors: PyTree, steps: Any, update_period: Any) -> PyTree:
    """The new tensors in every step that `update_period` divides (step 0 too), else the old ones.

    They keep the dtype of old_tensors. Source: arXiv:1312.5602.
    """
    due = jnp.asarray(steps) % update_period == 0
    return core.where(due, core.cast_like(new_tensors, old_tensors), old_tensors)


@jax.custom_jvp
def _passed(x: Array, scale: Any) -> Array:
    return x


@_passed.defjvp
def _(primals, tangents):
    (x, scale), (dx, _) = primals, tangents
    wide = core.wide(dx)
    return x, (jnp.asarray(scale).astype(wide.dtype) * wide).astype(dx.dtype)


def scale_gradient(inputs: PyTree, scale: Any) -> PyTree:
    """The inputs as they are, with derivatives multiplied by `scale`; integers pass through."""

    def one(x: Any) -> Any:
        x = jnp.asarray(x)
        if not jnp.issubdtype(x.dtype, jnp.inexact):
            return x
        return (
            jax.lax.stop_gradient(x) if isinstance(scale, int | float) and scale == 0 else _passed(x, scale)
        )

    return jax.tree.map(one, inputs)
