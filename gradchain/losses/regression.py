"""Losses between numbers and between vectors."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from gradchain.losses.operands import (
    Axis,
    axes_of,
    check_number,
    floating,
    hide,
    like,
    mask,
    pair,
    real,
    result_dtype,
    same_shape,
    wide,
)
from gradchain.math.numerics import norm, safe_divide


def _errors(who: str, predictions: ArrayLike, targets: ArrayLike | None, equal: bool = False):
    """predictions - targets, and the dtype of the result."""
    (p,) = floating(who, predictions=predictions)
    if targets is None:
        return wide(p)[0], p.dtype
    (t,) = real(who, targets=targets)
    if equal:
        same_shape(who, predictions=p, targets=t)
    x, y = pair(who, predictions=p, targets=t)
    return x - y, result_dtype(p, t)


def squared_error(predictions: ArrayLike, targets: ArrayLike | None = None) -> Array:
    """Squares of the errors, each for itself: (prediction - target)^2.

    Targets are 0 where none are given, and have the predictions' shape otherwise. The mean over all elements
    is the mean squared error.
    """
    errors, dtype = _errors("squared_error", predictions, targets, equal=True)
    return jnp.square(errors).astype(dtype)


def l2_loss(predictions: ArrayLike, targets: ArrayLike | None = None) -> Array:
    """Half the squares of the errors, each for itself: (prediction - target)^2 / 2.

    Targets are 0 where none are given, and have the predictions' shape otherwise. Bishop 2006.
    """
    errors, dtype = _errors("l2_loss", predictions, targets, equal=True)
    return (0.5 * jnp.square(errors)).astype(dtype)


def huber_loss(predictions: ArrayLike, targets: ArrayLike | None = None, *, delta: ArrayLike = 1.0) -> Array:
    """Squares of small errors and the size of large ones: the derivative is the error, clipped to +-delta.

    with c = clip(e, -delta, delta) and e = prediction - target:
    loss = c * (e - c / 2), which is e^2 / 2 for |e| <= delta and delta * (|e| - delta / 2) above

    Huber 1964.
    """
    check_number("huber_loss", lambda d: d >= 0, "a number >= 0", delta=delta)
    errors, dtype = _errors("huber_loss", predictions, targets)
    bound = like(delta, errors)
    inside = jnp.maximum(jnp.minimum(errors, bound), -bound)
    return (inside * (errors - 0.5 * inside)).astype(dtype)


def log_cosh(predictions: ArrayLike, targets: ArrayLike | None = None) -> Array:
    """Logarithm of the hyperbolic cosine of the errors: e^2 / 2 for small ones, |e| - log 2 for large ones.

    Exact to the last digits for errors near 0 too, where log(cosh(e)) itself would lose all of them.

    Chen et al. 2019.
    """
    errors, dtype = _errors("log_cosh", predictions, targets)
    small = jnp.abs(errors) < 1
    half = jnp.sinh(0.5 * jnp.where(small, errors, 0))
    large = jnp.abs(jnp.where(small, 1, errors))
    near = jnp.log1p(2 * jnp.square(half))  # cosh(e) = 1 + 2 sinh(e / 2)^2
    far = large + jnp.log1p(jnp.exp(-2 * large)) - math.log(2)
    return jnp.where(small, near, far).astype(dtype)


def _unit(x: Array, axes: tuple[int, ...], epsilon: ArrayLike) -> Array:
    """x over its norm, which is taken to be sqrt(epsilon) at least; the zero vector stays as it is.

    The largest entry is divided out first, so that no square overflows or vanishes.
    """
    largest = lax.stop_gradient(jnp.max(jnp.abs(x), axis=axes, keepdims=True, initial=0))
    size = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    scaled = x / size
    length = norm(scaled, axes, keepdims=True)
    if not (isinstance(epsilon, int | float) and epsilon == 0):
        length = jnp.maximum(length, jnp.sqrt(jnp.asarray(epsilon, x.dtype)) / size)
    return safe_divide(scaled, jnp.broadcast_to(length, x.shape))


def _cosine(who, predictions, targets, epsilon, axis, where) -> tuple[Array, Any]:
    check_number(who, lambda e: e >= 0, "a number >= 0", epsilon=epsilon)
    p, t = floating(who, predictions=predictions, targets=targets)
    x, y = pair(who, predictions=p, targets=t)
    axes = axes_of(who, axis, x.ndim)
    x, y = hide(mask(who, where, x.shape), x, y)
    return jnp.sum(_unit(x, axes, epsilon) * _unit(y, axes, epsilon), axis=axes), result_dtype(p, t)


def cosine_similarity(
    predictions: ArrayLike,
    targets: ArrayLike,
    *,
    epsilon: ArrayLike = 0.0,
    axis: Axis = -1,
    where: ArrayLike | None = None,
) -> Array:
    """Cosine of the angle between vectors along `axis`: <p, t> / (|p| |t|).

    A zero vector has the similarity 0 to all, with derivatives of 0. Both squared norms are `epsilon` at
    least. `where` leaves elements out of products and norms.
    """
    similarity, dtype = _cosine("cosine_similarity", predictions, targets, epsilon, axis, where)
    return similarity.astype(dtype)


def cosine_distance(
    predictions: ArrayLike,
    targets: ArrayLike,
    *,
    epsilon: ArrayLike = 0.0,
    axis: Axis = -1,
    where: ArrayLike | None = None,
) -> Array:
    """1 - cosine of the angle between vectors along `axis`, from 0 to 2; see `cosine_similarity`."""
    similarity, dtype = _cosine("cosine_distance", predictions, targets, epsilon, axis, where)
    return (1 - similarity).astype(dtype)
