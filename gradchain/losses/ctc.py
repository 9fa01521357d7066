"""Connectionist temporal classification: the likelihood of labels, however they lie in time."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from gradchain.losses.classification import surprise
from gradchain.losses.operands import floating, integers, real, seen, truth, wide


def _checked(who: str, logits, logit_paddings, labels, label_paddings) -> tuple[Array, Array, Array, Array]:
    (x,), y = floating(who, logits=logits), integers(who, labels)
    x_pad, y_pad = real(who, logit_paddings=logit_paddings, label_paddings=label_paddings)
    if x.ndim != 3 or y.ndim != 2 or x.shape[0] != y.shape[0]:
        raise ValueError(
            f"{who}: logits is {seen(x)} and labels {seen(y)}; expected logits [batch, frames, classes] and "
            f"labels [batch, length]"
        )
    for name, pad, other in (("logit_paddings", x_pad, x.shape[:2]), ("label_paddings", y_pad, y.shape)):
        if pad.shape != other:
            raise ValueError(f"{who}: {name} is {seen(pad)}; expected the shape {list(other)}")
    return wide(x)[0], truth(x_pad), y, truth(y_pad)


def ctc_loss_with_forward_probs(
    logits: ArrayLike,
    logit_paddings: ArrayLike,
    labels: ArrayLike,
    label_paddings: ArrayLike,
    *,
    blank_id: int = 0,
    log_epsilon: ArrayLike = -1e5,
) -> tuple[Array, Array, Array]:
    """`ctc_loss`, and the logarithms of the forward probabilities, in float32 at least.

    blank_t(n) = p_t(blank) (blank(n) + label(n)), n labels done and the last of them over
    label_t(n) = p_t(y_n) (label(n) + blank(n-1) + label(n-1) unless y_n = y_(n-1)), the n-th under way

    on the right those of frame t - 1. Returned are the losses [batch], log blank [frames, batch, length + 1],
    whose last row has log label added, and log label [frames, batch, length].
    """
    who = "ctc_loss_with_forward_probs"
    x, frame_padded, y, padded = _checked(who, logits, logit_paddings, labels, label_paddings)
    if not -x.shape[-1] <= blank_id < x.shape[-1]:
        raise ValueError(f"{who}: blank_id={blank_id}; expected one of the {x.shape[-1]} classes of logits")
    nothing = jnp.asarray(log_epsilon, x.dtype)  # stands for log 0
    log_p = -surprise(x, (2,))
    log_p = jnp.where(jnp.isneginf(log_p), nothing, log_p).transpose(1, 0, 2)  # [frames, batch, classes]
    known = (y >= 0) & (y < x.shape[-1])
    at = jnp.broadcast_to(jnp.where(known, y, 0), (x.shape[1], *y.shape))
    log_blank, log_label = log_p[:, :, blank_id], jnp.take_along_axis(log_p, at, -1)
    # What a label adds to the next one at once; between equal ones there must be a blank.
    apart = jnp.where(y[:, :-1] == y[:, 1:], nothing, jnp.zeros((), x.dtype))
    batch, length = y.shape
    start = jnp.full((batch, length + 1), nothing).at[:, :1].set(0), jnp.full((batch, length), nothing)

    def over(blank: Array, label: Array) -> Array:  # the n-th label ends: [batch, length + 1]
        return jnp.concatenate([blank[:, :1], jnp.logaddexp(blank[:, 1:], label)], 1)

    def frame(before, now):
        blank, label = before
        p_blank, p_label, skipped = now
        next_blank = over(blank, label) + p_blank[:, None]
        begun = jnp.concatenate([blank[:, :1], jnp.logaddexp(blank[:, 1:-1], label[:, :-1] + apart)], 1)
        next_label = jnp.logaddexp(label, begun[:, :length]) + p_label
        new = tuple(
            jnp.where(skipped[:, None], old, x)
            for old, x in zip(before, (next_blank, next_label), strict=True)
        )
        return new, new

    last, (blanks, label_rows) = lax.scan(frame, start, (log_blank, log_label, frame_padded.T))
    done = over(*last)  # [batch, length + 1]
    count = length - jnp.sum(padded, 1)
    loss = -jnp.take_along_axis(done, count[:, None], 1)[:, 0]
    loss = jnp.where(jnp.all(known | padded, 1), loss, jnp.nan)
    return loss, blanks.at[-1:].set(jnp.broadcast_to(done, blanks[-1:].shape)), label_rows


def ctc_loss(
    logits: ArrayLike,
    logit_paddings: ArrayLike,
    labels: ArrayLike,
    label_paddings: ArrayLike,
    *,
    blank_id: int = 0,
    log_epsilon: ArrayLike = -1e5,
) -> Array:
    """-log of the probability that the frames spell the labels, blanks and repetitions left out: [batch].

    Logits are [batch, frames, classes], labels integers [batch, length]; paddings, [batch, frames] and
    [batch, length], are 1 where there is no frame or label, those of labels at the end. Labels that do not
    fit into the frames have the loss -`log_epsilon`, about; one that is no class, NaN. In float32 at least.

    Graves et al. 2006.
    """
    return jax.tree.leaves(
        ctc_loss_with_forward_probs(
            logits, logit_paddings, labels, label_paddings, blank_id=blank_id, log_epsilon=log_epsilon
        )
    )[0]
