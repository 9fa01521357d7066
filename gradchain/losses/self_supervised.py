"""Losses of embeddings: like ones near to each other, others apart."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from gradchain.losses.operands import (
    axes_of,
    broadcast,
    check_number,
    common_shape,
    floating,
    hide,
    like,
    result_dtype,
    seen,
    wide,
)
from gradchain.losses.regression import cosine_similarity
from gradchain.math.numerics import safe_divide, safe_sqrt


def ntxent(embeddings: ArrayLike, labels: ArrayLike, temperature: ArrayLike = 0.07) -> Array:
    """Normalised, temperature-scaled cross entropy of pairs with one label, against all of other labels.

    loss = mean over pairs i != j with labels_i = labels_j of
           -log(exp(s_ij) / (exp(s_ij) + sum over k with labels_k != labels_i of exp(s_ik)))
    s = cosine similarities / temperature

    Embeddings are [batch, features], labels [batch]; the result is one number, 0 where there is no pair.

    arXiv:2002.05709.
    """
    check_number("ntxent", lambda t: t > 0, "a number > 0", temperature=temperature)
    (x,), y = floating("ntxent", embeddings=embeddings), jnp.asarray(labels)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise ValueError(
            f"ntxent: embeddings is {seen(x)} and labels {seen(y)}; "
            f"expected embeddings [batch, features] and labels [batch]"
        )
    dtype, n = x.dtype, x.shape[0]
    eps = float(jnp.finfo(dtype).eps)
    (x,) = wide(x)
    s = cosine_similarity(x[None], x[:, None], epsilon=eps)  # [batch, batch]
    s = s / jnp.asarray(temperature, s.dtype)
    same = y[:, None] == y[None]
    pairs = same & ~jnp.eye(n, dtype=bool)
    others = jnp.where(same, -jnp.inf, s)
    top = lax.stop_gradient(jnp.max(others, axis=1, keepdims=True, initial=-jnp.inf))
    top = jnp.where(jnp.isfinite(top), top, 0)
    sums = jnp.sum(jnp.exp(others - top), axis=1, keepdims=True)
    log_others = jnp.where(sums > 0, jnp.log(jnp.where(sums > 0, sums, 1)) + top, -jnp.inf)
    losses = jax.nn.softplus(jnp.broadcast_to(log_others, s.shape) - s)
    return safe_divide(jnp.sum(hide(pairs, losses)[0]), jnp.sum(pairs).astype(s.dtype)).astype(dtype)


def _distance(x: Array, axis: int, degree: ArrayLike, eps: ArrayLike) -> Array:
    """(sum |x|^degree + eps)^(1 / degree) along the axis, with a derivative of 0 where that is 0."""
    if isinstance(degree, int | float) and degree == 2:
        return safe_sqrt(jnp.sum(jnp.square(x), axis=axis) + jnp.asarray(eps, x.dtype))
    size = jnp.abs(x)
    if isinstance(degree, int | float) and degree == jnp.inf:
        return jnp.max(size, axis=axis, initial=0)
    p = jnp.asarray(degree, x.dtype)
    least = jnp.asarray(eps, x.dtype) ** (1 / p)
    largest = lax.stop_gradient(jnp.maximum(jnp.max(size, axis=axis, keepdims=True, initial=0), least))
    scale = jnp.where(largest > 0, largest, 1)  # divided out, so that no power overflows
    relative = size / scale
    moved = relative > 0
    powers = jnp.where(moved, jnp.where(moved, relative, 1) ** p, 0)
    sums = jnp.sum(powers, axis=axis) + (least / scale).squeeze(axis) ** p
    some = sums > 0
    return scale.squeeze(axis) * jnp.where(some, jnp.where(some, sums, 1) ** (1 / p), 0)


def triplet_margin_loss(
    anchors: ArrayLike,
    positives: ArrayLike,
    negatives: ArrayLike,
    axis: int = -1,
    norm_degree: ArrayLike = 2,
    margin: ArrayLike = 1.0,
    eps: ArrayLike = 1e-6,
) -> Array:
    """How far a positive is not nearer to its anchor than a negative, by a margin.

    loss = max(0, d(anchor, positive) - d(anchor, negative) + margin)
    d(x, y) = (sum |x - y|^norm_degree + eps)^(1 / norm_degree)

    `norm_degree` is 1 at least, also infinity. Optax's differences keep their sign, so that its odd degrees
    are no distances. Balntas et al. 2016.
    """
    who = "triplet_margin_loss"
    check_number(who, lambda p: p >= 1, "a number >= 1", norm_degree=norm_degree)
    check_number(who, lambda e: e >= 0, "a number >= 0", eps=eps)
    a, p, n = floating(who, anchors=anchors, positives=positives, negatives=negatives)
    shape = common_shape(who, anchors=a, positives=p)
    common_shape(who, anchors=a, negatives=n)
    shape = jnp.broadcast_shapes(shape, n.shape)
    dtype = result_dtype(a, p, n)
    x, y, z = broadcast(shape, *wide(a, p, n))
    (along,) = axes_of(who, axis, x.ndim)
    near, far = (_distance(x - other, along, norm_degree, eps) for other in (y, z))
    return jnp.maximum(near - far + like(margin, near), 0).astype(dtype)
