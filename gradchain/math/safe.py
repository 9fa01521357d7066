"""Norms bounded from below, and counters that do not overflow, with finite derivatives everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array

from gradchain.math.numerics import abs2, increment, safe_sqrt


def safe_norm(
    x: Any, min_norm: Any, ord: Any = None, axis: int | Sequence[int] | None = None, keepdims: bool = False
) -> Array:
    """max(jnp.linalg.norm(x, ord, axis), min_norm), whose derivative is 0 where min_norm is the larger."""
    x = jnp.asarray(x)
    within = None if axis is None else axis if isinstance(axis, int) else tuple(axis)
    low = jnp.linalg.norm(x, ord=ord, axis=within, keepdims=True) <= min_norm
    norm = jnp.linalg.norm(jnp.where(low, 1, x), ord=ord, axis=within, keepdims=keepdims)
    return jnp.where(low if keepdims else low.reshape(norm.shape), min_norm, norm).astype(norm.dtype)


def safe_root_mean_squares(x: Any, min_rms: Any) -> Array:
    """max(sqrt(mean |x|^2), min_rms), whose derivative is 0 where min_rms is the larger, and at 0."""
    return jnp.maximum(safe_sqrt(jnp.mean(abs2(jnp.asarray(x)))), min_rms)


def safe_increment(count: Any) -> Array:
    """count + 1, staying at the dtype's largest number instead of wrapping to a negative one."""
    count = jnp.asarray(count)
    if not jnp.issubdtype(count.dtype, jnp.integer) and not jnp.issubdtype(count.dtype, jnp.floating):
        raise ValueError(f"safe_increment: count is {count.dtype}; expected integers or real numbers")
    return increment(count)


def safe_int32_increment(count: Any) -> Array:
    """The former name of `safe_increment`, which takes every dtype."""
    return safe_increment(count)
