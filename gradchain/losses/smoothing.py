"""Targets made softer."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from gradchain.losses.operands import Axis, axes_of, check_number, floating, hide, like, mask, wide
from gradchain.math.numerics import safe_divide


def smooth_labels(
    labels: ArrayLike, alpha: ArrayLike, *, axis: Axis = -1, where: ArrayLike | None = None
) -> Array:
    """One-hot labels mixed with equal probabilities of all classes: (1 - alpha) * labels + alpha / classes.

    Classes are what lies along `axis`. Those that `where` excludes get 0 and do not count.

    arXiv:1906.02629.
    """
    who = "smooth_labels"
    check_number(who, lambda a: 0 <= a <= 1, "a number from 0 to 1", alpha=alpha)
    (y,) = floating(who, labels=labels)
    axes, included = axes_of(who, axis, y.ndim), mask(who, where, y.shape)
    (x,) = hide(included, *wide(y))
    share = like(alpha, x)
    if included is None:
        return ((1 - share) * x + share / max(math.prod(x.shape[a] for a in axes), 1)).astype(y.dtype)
    count = jnp.sum(included, axis=axes, keepdims=True).astype(x.dtype)
    part = jnp.broadcast_to(safe_divide(share, count), x.shape)
    return hide(included, (1 - share) * x + part)[0].astype(y.dtype)
