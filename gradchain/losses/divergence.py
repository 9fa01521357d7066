"""Kullback-Leibler divergences of distributions given by their logarithms."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from gradchain.losses.operands import Axis, axes_of, floating, hide, mask, pair, result_dtype, weighted


def _logs(who: str, log_predictions: ArrayLike, axis: Axis, where: ArrayLike | None, **other: ArrayLike):
    """The two distributions with 0 where masked, the axes and mask, and the dtype of the result."""
    p, t = floating(who, log_predictions=log_predictions, **other)
    x, y = pair(who, log_predictions=p, **dict.fromkeys(other, t))
    included = mask(who, where, x.shape)
    return *hide(included, x, y), axes_of(who, axis, x.ndim), included, result_dtype(p, t)


def _relative(log_p: Array, t: Array) -> Array:
    """t (log t - log p), and 0 where t is 0; the derivative by t is -log p there instead of -infinity."""
    log_t = jnp.log(jnp.where(t == 0, 1, t))
    return weighted(t, log_t - log_p)


def kl_divergence(
    log_predictions: ArrayLike, targets: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None
) -> Array:
    """Divergence of predictions, given by their logarithms, from targets: sum t (log t - log p).

    A target of 0 counts as 0, also where log p is -infinity. The sum is over `axis` and over what `where`
    includes. Kullback and Leibler 1951.
    """
    x, t, axes, _, dtype = _logs("kl_divergence", log_predictions, axis, where, targets=targets)
    return jnp.sum(_relative(x, t), axis=axes).astype(dtype)


def kl_divergence_with_log_targets(
    log_predictions: ArrayLike, log_targets: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None
) -> Array:
    """`kl_divergence` of targets that are given by their logarithms too: sum exp(log t) (log t - log p).

    A target of probability 0, whose logarithm is -infinity, counts as 0.
    """
    x, y, axes, included, dtype = _logs(
        "kl_divergence_with_log_targets", log_predictions, axis, where, log_targets=log_targets
    )
    none = y == -jnp.inf
    terms = weighted(jnp.exp(y), jnp.where(none, 0, y) - jnp.where(none, 0, x))
    return jnp.sum(hide(included, terms)[0], axis=axes).astype(dtype)


def generalized_kl_divergence(
    log_predictions: ArrayLike, targets: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None
) -> Array:
    """Divergence that need not sum to 1: sum t (log t - log p) - t + p, never below 0.

    The Bregman divergence of x log x - x. Arguments: `kl_divergence`. Boyd and Vandenberghe 2004, page 90.
    """
    x, t, axes, included, dtype = _logs(
        "generalized_kl_divergence", log_predictions, axis, where, targets=targets
    )
    terms = _relative(x, t) + (jnp.exp(x) - t)
    return jnp.sum(hide(included, terms)[0], axis=axes).astype(dtype)


def convex_kl_divergence(
    log_predictions: ArrayLike, targets: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None
) -> Array:
    """An older name of `generalized_kl_divergence`."""
    return generalized_kl_divergence(log_predictions, targets, axis, where)
