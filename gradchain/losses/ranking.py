"""Losses of lists that are to be put in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from gradchain.losses.classification import surprise
from gradchain.losses.operands import broadcast, common_shape, floating, hide, mask, real, weighted, wide
from gradchain.math.numerics import safe_divide


def _mean(losses: Array, where: Array | None) -> Array:
    """The mean over lists that have an item; 0 where there is none."""
    included = jnp.ones(losses.shape, bool) if where is None else where
    return safe_divide(jnp.sum(hide(where, losses)[0]), jnp.sum(included).astype(losses.dtype))


def ranking_softmax_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    where: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    reduce_fn: Callable[..., Any] | None = jnp.mean,
) -> Array:
    """Cross entropy of the scores of a list with the relevance of its items.

    loss = -sum_i weights_i labels_i log softmax(logits)_i

    All are [..., items]; `where` says which items there are. The losses of the lists go to
    reduce_fn(losses, where=lists that have an item), by default their mean; None returns them, 0 for lists
    without items. In the logits' dtype.

    arXiv:1811.04415.
    """
    who = "ranking_softmax_loss"
    (x,), (y,) = floating(who, logits=logits), real(who, labels=labels)
    shape, dtype = common_shape(who, logits=x, labels=y), x.dtype
    x, y = broadcast(shape, *wide(x, y))
    included = mask(who, where, shape)
    if weights is not None:
        (w,) = real(who, weights=weights)
        common_shape(who, logits=x, weights=w)
        y = y * jnp.broadcast_to(w, shape).astype(y.dtype)
    (y,) = hide(included, y)
    losses = jnp.sum(weighted(y, surprise(x, (len(shape) - 1,), included)), axis=-1)
    lists = None if included is None else jnp.any(included, -1)
    if reduce_fn is jnp.mean:
        return _mean(losses, lists).astype(dtype)
    losses = losses.astype(dtype)
    return losses if reduce_fn is None else reduce_fn(losses, where=lists)
