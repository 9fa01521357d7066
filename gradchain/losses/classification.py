"""Cross entropies of logits, and what is made of them."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from gradchain.losses.operands import (
    Axis,
    axes_of,
    broadcast,
    check_number,
    common_shape,
    floating,
    hide,
    integers,
    like,
    mask,
    pair,
    real,
    result_dtype,
    seen,
    weighted,
    wide,
)


def log_normalizer(logits: Array, axes: tuple[int, ...], where: Array | None = None) -> tuple[Array, Array]:
    """The largest logit, and log sum exp(logits - largest), each with the axes kept.

    Kept apart, since their sum would lose the digits of a small loss of large logits. The largest has no
    derivative: it cancels from whatever is made of both. Where nothing is included both are 0.
    """
    x = logits if where is None else jnp.where(where, logits, -jnp.inf)
    top = lax.stop_gradient(jnp.max(x, axis=axes, keepdims=True, initial=-jnp.inf))
    top = jnp.where(jnp.isfinite(top), top, 0)
    sums = jnp.sum(jnp.exp(x - top), axis=axes, keepdims=True)
    return top, jnp.log(jnp.where(sums > 0, sums, 1))


def surprise(logits: Array, axes: tuple[int, ...], where: Array | None = None) -> Array:
    """-log softmax(logits) over the axes; infinite at logits of -infinity and where the mask excludes."""
    x = logits if where is None else jnp.where(where, logits, -jnp.inf)
    top, log_sum = log_normalizer(x, axes)
    return log_sum - (x - top)


def _distributions(who: str, logits: ArrayLike, labels: ArrayLike, axis: Axis, where: ArrayLike | None):
    """Logits, labels, axes and mask in one shape, the labels 0 where masked; and the dtype of the result."""
    (x,), (y,) = floating(who, logits=logits), real(who, labels=labels)
    if y.ndim < x.ndim and jnp.issubdtype(y.dtype, jnp.integer):
        raise ValueError(
            f"{who}: labels is {seen(y)} and logits {seen(x)}; expected a probability for each class. For "
            f"the index of a class use softmax_cross_entropy_with_integer_labels, or jax.nn.one_hot first"
        )
    shape = common_shape(who, logits=x, labels=y)
    axes = axes_of(who, axis, len(shape))
    for name, z in (("logits", x), ("labels", y)):
        offset = len(shape) - z.ndim
        if any(a < offset or z.shape[a - offset] != shape[a] for a in axes):
            other = ("labels", y) if name == "logits" else ("logits", x)
            raise ValueError(
                f"{who}: {name} is {seen(z)} and {other[0]} {seen(other[1])}; expected the same number of "
                f"classes along axis {axis}"
            )
    included = mask(who, where, shape, axes)
    dtype = result_dtype(x, y)
    x, y = broadcast(shape, *wide(x, y))
    return x, hide(included, y)[0], axes, included, dtype


def softmax_cross_entropy(
    logits: ArrayLike, labels: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None
) -> Array:
    """Cross entropy of the softmax of logits and of distributions: -sum_i labels_i log softmax(logits)_i.

    Sums are over `axis`, one axis or several. `where` leaves out classes (a mask of the logits' shape) or
    whole examples (one of the shape without `axis`), whose loss is 0. A label of 0 at a logit of -infinity
    counts as 0. Computed in float32 at least.
    """
    x, y, axes, included, dtype = _distributions("softmax_cross_entropy", logits, labels, axis, where)
    return jnp.sum(weighted(y, surprise(x, axes, included)), axis=axes).astype(dtype)


def safe_softmax_cross_entropy(logits: ArrayLike, labels: ArrayLike) -> Array:
    """`softmax_cross_entropy` over the last axis, which takes logits of -infinity at labels of 0 itself."""
    x, y, axes, _, dtype = _distributions("safe_softmax_cross_entropy", logits, labels, -1, None)
    return jnp.sum(weighted(y, surprise(x, axes)), axis=axes).astype(dtype)


def poly_loss_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    epsilon: ArrayLike = 2.0,
    axis: Axis = -1,
    where: ArrayLike | None = None,
) -> Array:
    """Cross entropy with another weight of its first polynomial term.

    loss = cross entropy + epsilon * sum_i labels_i (1 - softmax(logits)_i)

    2.0 was best for classification of images, -1.0 for detection. Arguments: `softmax_cross_entropy`.

    arXiv:2204.12511.
    """
    x, y, axes, included, dtype = _distributions("poly_loss_cross_entropy", logits, labels, axis, where)
    bits = surprise(x, axes, included)
    entropy = jnp.sum(weighted(y, bits), axis=axes)
    missing = jnp.sum(y * -jnp.expm1(-bits), axis=axes)  # 1 - p, exact also where p is nearly 1
    return (entropy + like(epsilon, entropy) * missing).astype(dtype)


def softmax_cross_entropy_with_integer_labels(
    logits: ArrayLike,
    labels: ArrayLike,
    axis: int | tuple[int, ...] = -1,
    where: ArrayLike | None = None,
) -> Array:
    """Cross entropy of the softmax of logits and of the classes: -log softmax(logits)[label].

    Labels have the logits' shape without `axis`. With several axes a label is the flat index into them, in
    the order given. `where` leaves out classes (a mask of the logits' shape) or whole examples (one of the
    labels' shape), whose loss is 0; so is that of an excluded class. Labels below 0 count from the last
    class, others beyond the classes give NaN.
    """
    who = "softmax_cross_entropy_with_integer_labels"
    (x,) = floating(who, logits=logits)
    y = integers(who, labels, "; for a probability of each class use softmax_cross_entropy")
    if axis is None:
        raise ValueError(f"{who}: axis=None; expected the axis of the classes, or a tuple of axes")
    axes = axes_of(who, axis, x.ndim)
    others = tuple(a for a in range(x.ndim) if a not in axes)
    batch = tuple(x.shape[a] for a in others)
    if y.ndim != len(batch) or any(n != m and 1 not in (n, m) for n, m in zip(y.shape, batch, strict=True)):
        raise ValueError(
            f"{who}: labels is {seen(y)} and logits {seen(x)} with the classes on axis {axis}; "
            f"expected labels of the shape {list(batch)}"
        )
    included, dtype = mask(who, where, x.shape, axes), x.dtype
    classes = math.prod(x.shape[a] for a in axes)

    def flat(z: Array) -> Array:  # [*batch, classes]
        z = z.transpose(others + axes).reshape(*batch, classes)
        return jnp.broadcast_to(z, (*jnp.broadcast_shapes(batch, y.shape), classes))

    x = flat(x)
    y = jnp.broadcast_to(y, x.shape[:-1]).astype(y.dtype if y.dtype in (jnp.int32, jnp.int64) else jnp.int32)
    included = None if included is None else flat(included)
    return _of_class(x, y, included).astype(dtype)


def _of_class(x: Array, y: Array, included: Array | None) -> Array:
    """-log softmax(x)[y] over the last axis of x, in float32 at least."""
    y = jnp.where(y < 0, y + x.shape[-1], y)
    known = (y >= 0) & (y < x.shape[-1])
    at = jnp.where(known, y, 0)[..., None]
    top, log_sum = (n[..., 0] for n in log_normalizer(wide(x)[0], (x.ndim - 1,), included))
    own = jnp.take_along_axis(x, at, -1)[..., 0]  # of the logits as they came, which are then read only
    if included is None:
        return jnp.where(known, log_sum - (own.astype(top.dtype) - top), jnp.nan)
    own_included = jnp.take_along_axis(included, at, -1)[..., 0]
    loss = log_sum - (jnp.where(own_included, own, 0).astype(top.dtype) - top)
    loss = jnp.where(known, jnp.where(own_included, loss, 0), jnp.nan)
    return jnp.where(jnp.any(included, -1), loss, 0)


def _sigmoid_terms(who: str, logits: ArrayLike, labels: ArrayLike):
    """Logits and labels in one shape, and the dtype of the result."""
    (x,), (y,) = floating(who, logits=logits), real(who, labels=labels)
    return *pair(who, logits=x, labels=y), x.dtype


def _binary_entropy(x: Array, y: Array) -> Array:
    return weighted(y, jax.nn.softplus(-x)) + weighted(1 - y, jax.nn.softplus(x))


def sigmoid_binary_cross_entropy(logits: ArrayLike, labels: ArrayLike) -> Array:
    """Cross entropy of each sigmoid with its label, each for itself; labels are from 0 to 1.

    loss = -labels log sigmoid(logits) - (1 - labels) log(1 - sigmoid(logits))

    For classes that do not exclude each other. Computed in float32 at least, returned in the logits' dtype.
    """
    x, y, dtype = _sigmoid_terms("sigmoid_binary_cross_entropy", logits, labels)
    return _binary_entropy(x, y).astype(dtype)


def _log_miss(x: Array, y: Array) -> Array:
    """log(y (1 - p) + (1 - y) p) for p = sigmoid(x): the logarithm of 1 - p_t, also where that vanishes."""
    log_q, log_p = -jax.nn.softplus(x), -jax.nn.softplus(-x)
    top = jnp.maximum(jnp.where(y > 0, log_q, -jnp.inf), jnp.where(y < 1, log_p, -jnp.inf))
    top = lax.stop_gradient(jnp.where(jnp.isfinite(top), top, 0))
    q, p = (jnp.exp(jnp.minimum(z - top, 80)) for z in (log_q, log_p))  # what has the weight 0 may be large
    return jnp.log(y * q + (1 - y) * p) + top


def sigmoid_focal_loss(
    logits: ArrayLike, labels: ArrayLike, *, alpha: ArrayLike | None = None, gamma: ArrayLike = 2.0
) -> Array:
    """Cross entropy of sigmoids, in which what is classified well weighs less.

    p_t = labels * sigmoid(logits) + (1 - labels) * (1 - sigmoid(logits))
    loss = alpha_t (1 - p_t)^gamma * sigmoid_binary_cross_entropy(logits, labels)

    alpha_t is alpha for labels of 1 and 1 - alpha for labels of 0, and 1 without alpha. Labels are from 0 to
    1; gamma = 0 leaves the cross entropy.

    arXiv:1708.02002.
    """
    who = "sigmoid_focal_loss"
    check_number(who, lambda a: 0 <= a <= 1, "None or a number from 0 to 1", alpha=alpha)
    check_number(who, lambda g: g >= 0, "a number >= 0", gamma=gamma)
    x, y, dtype = _sigmoid_terms(who, logits, labels)
    loss = _binary_entropy(x, y) * jnp.exp(like(gamma, x) * _log_miss(x, y))
    if alpha is not None:
        positive = like(alpha, x)
        loss = loss * (positive * y + (1 - positive) * (1 - y))
    return loss.astype(dtype)
