"""Losses of masks: how far predicted and true regions overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from gradchain.core.words import show
from gradchain.losses.operands import axes_of, like, real, result_dtype, seen, wide
from gradchain.math.numerics import safe_divide

REDUCTIONS = {"mean": jnp.mean, "sum": jnp.sum, "none": None}


def _regions(who: str, predictions: ArrayLike, targets: ArrayLike, apply: bool) -> tuple[Array, Array, Any]:
    """Probabilities and targets [..., classes], and the dtype of the result."""
    p, t = real(who, predictions=predictions, targets=targets)
    if t.ndim == p.ndim - 1 and p.shape[-1] == 1:
        t = t[..., None]
    if p.ndim == t.ndim - 1 and t.shape[-1] == 1:
        p = p[..., None]
    if p.ndim == 0 or p.shape != t.shape:
        one_hot = "; one-hot encode the targets: jax.nn.one_hot(targets, classes)"
        raise ValueError(
            f"{who}: predictions is {seen(p)} and targets {seen(t)}; expected the same shape [..., classes]"
            + (one_hot if t.shape == p.shape[:-1] else "")
        )
    dtype = result_dtype(p, t)
    p, t = wide(p, t)
    if apply:
        p = jax.nn.sigmoid(p) if p.shape[-1] == 1 else jax.nn.softmax(p, axis=-1)
    return p, t, dtype


def dice_loss(
    predictions: ArrayLike,
    targets: ArrayLike,
    *,
    class_weights: ArrayLike | None = None,
    smooth: ArrayLike = 1.0,
    alpha: ArrayLike = 0.5,
    beta: ArrayLike = 0.5,
    apply_softmax: bool = True,
    reduction: str = "mean",
    ignore_background: bool = False,
    axis: int | Sequence[int] | None = None,
) -> Array:
    """1 - the overlap of predicted and true regions, for each class; by alpha and beta the Tversky loss.

    loss_c = 1 - (I + smooth) / (I + alpha (P - I) + beta (T - I) + smooth)

    with I = sum p t, P = sum p and T = sum t over `axis`, by default all but the first and the last, which is
    the classes'. alpha weighs false positives, beta false negatives. p is the softmax of predictions, the
    sigmoid for one class, or with apply_softmax=False the predictions. The classes' losses, times
    `class_weights` [classes], give their mean, their sum or with "none" themselves.

    arXiv:1606.04797, arXiv:1706.05721.
    """
    who = "dice_loss"
    if reduction not in REDUCTIONS:
        raise ValueError(f"{who}: reduction={show(reduction)}; expected 'mean', 'sum' or 'none'")
    p, t, dtype = _regions(who, predictions, targets, apply_softmax)
    axes = tuple(range(1, p.ndim - 1)) if axis is None else axes_of(who, _plain(axis), p.ndim)
    if p.ndim - 1 in axes:
        raise ValueError(f"{who}: axis={show(axis)}; expected axes before the last, which is the classes'")
    both, predicted, true = (jnp.sum(x, axis=axes) for x in (p * t, p, t))
    more, over, under = (like(x, both) for x in (smooth, alpha, beta))
    union = both + over * (predicted - both) + under * (true - both) + more
    losses = 1 - safe_divide(both + more, union, otherwise=1)  # nothing predicted, nothing there
    if class_weights is not None:
        (w,) = real(who, class_weights=class_weights)
        if w.shape != p.shape[-1:]:
            raise ValueError(
                f"{who}: class_weights is {seen(w)}; expected the shape [{p.shape[-1]}], the classes"
            )
        losses = losses * like(w, losses)
    if ignore_background and p.shape[-1] > 1:
        losses = losses[..., 1:]
    reduce = REDUCTIONS[reduction]
    return (losses if reduce is None else reduce(losses, axis=-1)).astype(dtype)


def _plain(axis) -> int | tuple[int, ...]:
    """Axes as Python integers: they may come as an array."""
    return tuple(int(a) for a in axis) if np.ndim(axis) else int(axis)


def _balanced(size: Array) -> Array:
    """Weights 1 / size^2 along the last axis, whose mean is 1; the absent weigh as the rarest."""
    present = size > 0
    largest = jnp.max(size, axis=-1, keepdims=True, initial=0)
    weights = jnp.where(present, jnp.square(safe_divide(largest, size)), 0)
    weights = jnp.where(present, weights, jnp.max(weights, axis=-1, keepdims=True, initial=0))
    mean = jnp.mean(weights, axis=-1, keepdims=True)
    return safe_divide(weights, jnp.broadcast_to(mean, weights.shape), otherwise=1)


def multiclass_generalized_dice_loss(
    predictions: ArrayLike,
    targets: ArrayLike,
    *,
    smooth: ArrayLike = 1.0,
    apply_softmax: bool = True,
    ignore_background: bool = False,
    per_class: bool = False,
) -> Array:
    """Dice loss in which a class weighs 1 / its size^2, so that small regions count as much as large ones.

    loss = 1 - (2 sum_c w_c I_c + smooth) / (sum_c w_c (P_c + T_c) + smooth), w_c = 1 / T_c^2

    for each example, then their mean; weights are scaled to a mean of 1, and a class that is absent weighs as
    the rarest. I, P, T: `dice_loss`. per_class=True gives Optax's number instead: each class's Dice loss
    times its weight, from sizes in the whole batch, and the mean.

    arXiv:1707.03237.
    """
    who = "multiclass_generalized_dice_loss"
    p, t, dtype = _regions(who, predictions, targets, apply_softmax)
    first = 1 if ignore_background and p.shape[-1] > 1 else 0
    if per_class:
        size = jnp.sum(t, axis=tuple(range(t.ndim - 1)))
        w = 1 / (jnp.square(size) + 1e-7)
        losses = dice_loss(
            p, t, class_weights=w / jnp.sum(w) * w.size, smooth=smooth, apply_softmax=False, reduction="none"
        )
        return jnp.mean(losses[..., first:]).astype(dtype)
    axes = tuple(range(1, p.ndim - 1))
    both, predicted, true = (jnp.sum(x, axis=axes)[..., first:] for x in (p * t, p, t))
    w = _balanced(true)
    overlap, sizes = (jnp.sum(w * x, axis=-1) for x in (2 * both, predicted + true))
    more = like(smooth, overlap)
    return jnp.mean(1 - safe_divide(overlap + more, sizes + more, otherwise=1)).astype(dtype)


def binary_dice_loss(
    predictions: ArrayLike, targets: ArrayLike, *, smooth: ArrayLike = 1.0, apply_sigmoid: bool = True
) -> Array:
    """`dice_loss` of one region, a number for each example; predictions and targets are [...] or [..., 1].

    With apply_sigmoid=False the predictions are probabilities.
    """
    p, t = real("binary_dice_loss", predictions=predictions, targets=targets)
    if p.ndim == t.ndim and p.shape[-1:] != (1,):
        p, t = p[..., None], t[..., None]
    return dice_loss(p, t, smooth=smooth, apply_softmax=apply_sigmoid)
