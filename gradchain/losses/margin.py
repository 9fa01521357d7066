"""Losses of scores and classes that are 0 where the margin is large enough."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from gradchain.losses.operands import (
    floating,
    integers,
    pair,
    real,
    result_dtype,
    same_shape,
    seen,
    wide,
)
from gradchain.projections import projection_simplex_last


def hinge_loss(predictor_outputs: ArrayLike, targets: ArrayLike) -> Array:
    """Hinge loss of two classes, -1 and 1: max(0, 1 - output * target), each for itself."""
    p, t = real("hinge_loss", predictor_outputs=predictor_outputs, targets=targets)
    x, y = pair("hinge_loss", predictor_outputs=p, targets=t)
    return jnp.maximum(1 - x * y, 0).astype(result_dtype(p, t))


def perceptron_loss(predictor_outputs: ArrayLike, targets: ArrayLike) -> Array:
    """Perceptron loss of two classes, -1 and 1: max(0, -output * target), each for itself."""
    p, t = real("perceptron_loss", predictor_outputs=predictor_outputs, targets=targets)
    same_shape("perceptron_loss", predictor_outputs=p, targets=t)
    x, y = wide(p, t)
    return jnp.maximum(-x * y, 0).astype(result_dtype(p, t))


def sparsemax_loss(logits: ArrayLike, labels: ArrayLike) -> Array:
    """Sparsemax loss of two classes, labels 0 and 1: 0 where the margin is 1, quadratic up to -1.

    with x = logit for labels of 0 and -logit otherwise:
    loss = 0 for x <= -1, x for x >= 1, (x + 1)^2 / 4 between

    Section 4.4 of Blondel et al. 2020, arXiv:1901.02324.
    """
    (p,), (t,) = floating("sparsemax_loss", logits=logits), real("sparsemax_loss", labels=labels)
    x, y = pair("sparsemax_loss", logits=p, labels=t)
    x = jnp.where(y != 0, -x, x)
    inside = jnp.maximum(jnp.minimum(x, 1), -1)
    return (jnp.square(inside + 1) / 4 + jnp.maximum(x - 1, 0)).astype(p.dtype)


def _against_own(who: str, scores: ArrayLike, labels: ArrayLike) -> tuple[Array, Array, Array]:
    """Scores less that of the label [..., n], which score is the label's, and which labels are classes."""
    (x,), y = floating(who, scores=scores), integers(who, labels)
    if x.ndim == 0 or x.shape[:-1] != y.shape:
        raise ValueError(
            f"{who}: scores is {seen(x)} and labels {seen(y)}; "
            f"expected scores [..., classes] and labels [...]"
        )
    n = x.shape[-1]
    known = (y >= 0) & (y < n)
    at = jnp.where(known, y, 0)[..., None]
    (x,) = wide(x)
    own = lax.broadcasted_iota(at.dtype, x.shape, x.ndim - 1) == at
    return x - jnp.take_along_axis(x, at, -1), own, known


def multiclass_hinge_loss(scores: ArrayLike, labels: ArrayLike) -> Array:
    """Hinge loss of integer labels: max(0, 1 + the largest other score - the label's score).

    Scores are [..., classes], labels and the result [...]. Labels that are no class give NaN.
    """
    x, own, known = _against_own("multiclass_hinge_loss", scores, labels)
    loss = jnp.max(x + jnp.where(own, 0, 1).astype(x.dtype), axis=-1)
    return jnp.where(known, loss, jnp.nan).astype(jnp.asarray(scores).dtype)


def multiclass_perceptron_loss(scores: ArrayLike, labels: ArrayLike) -> Array:
    """Perceptron loss of integer labels: the largest score less the label's score.

    Scores are [..., classes], labels and the result [...]. Labels that are no class give NaN. Collins 2002.
    """
    x, _, known = _against_own("multiclass_perceptron_loss", scores, labels)
    return jnp.where(known, jnp.max(x, axis=-1), jnp.nan).astype(jnp.asarray(scores).dtype)


def multiclass_sparsemax_loss(scores: ArrayLike, labels: ArrayLike) -> Array:
    """Sparsemax loss of integer labels; its gradient is sparsemax(scores) - one_hot(label).

    with p = sparsemax(s), the projection of the scores on the simplex:
    loss = <p, s> - |p|^2 / 2 + 1 / 2 - s[label]

    Scores are [..., classes], labels and the result [...]. Labels that are no class give NaN.

    arXiv:1602.02068.
    """
    x, _, known = _against_own("multiclass_sparsemax_loss", scores, labels)
    top = lax.stop_gradient(jnp.max(x, axis=-1, keepdims=True))  # p sums to 1: its derivative cancels
    below = jnp.maximum(x - top, -2)  # of what is 1 below the largest, p is 0
    p = projection_simplex_last(below)
    loss = jnp.sum(p * below - jnp.square(p) / 2, axis=-1) + (top[..., 0] + 0.5)
    return jnp.where(known, loss, jnp.nan).astype(jnp.asarray(scores).dtype)
