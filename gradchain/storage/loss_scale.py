"""loss_scale: gradients of a scaled loss, for float16, with a scale that finds its size by itself."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core import tree, words
from gradchain.core.foreign import as_transform
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import counter, scalar, shared
from gradchain.core.transform import example, wrapper
from gradchain.math.numerics import increment
from gradchain.wrappers.base import wrap


class LossScaleState(NamedTuple):
    scale: Array  # [] what the loss of the next step is multiplied with
    good_steps: Array  # [] int32, finite steps in a row at this scale
    skipped: Array  # [] int32, steps left out so far

    metrics = (("loss_scale", "scale"), "skipped")


@wrapper(
    paper="arXiv:1710.03740",
    traits=frozenset({"sometimes"}),
    example=lambda: {"tx": example("adam")},
    errors=lambda: [
        ErrorInput({"init_scale": 0.5}, ValueError, ("minimum_scale <= init_scale", "'init_scale': 0.5")),
        ErrorInput({"growth_factor": 1.0}, ValueError, ("growth_factor is 1.0", "more than 1")),
        ErrorInput({"growth_interval": 2**31}, ValueError, ("growth_interval is 2147483648", "below 2**31")),
    ],
)
def loss_scale(
    tx: Any,
    init_scale: float = 2.0**15,
    growth_interval: int = 2000,
    growth_factor: float = 2.0,
    backoff_factor: float = 0.5,
    *,
    minimum_scale: float = 1.0,
    maximum_scale: float = 2.0**24,
):
    """Take gradients of a loss that `scale_loss` multiplied, and divide them by the scale before `tx`.

    Gradients that are not all finite: the step is left out, parameters and inner state stay, and the scale
    is multiplied with backoff_factor. After growth_interval finite steps in a row it is multiplied with
    growth_factor. So it stays near the largest at which float16 gradients do not overflow, and few of them
    round to zero. The division is in float32; clipping and norms inside `tx` see the gradients themselves.
    """
    given = {"init_scale": init_scale, "minimum_scale": minimum_scale, "maximum_scale": maximum_scale}
    if not 0 < minimum_scale <= init_scale <= maximum_scale < float("inf"):
        raise ValueError(
            f"loss_scale: expected 0 < minimum_scale <= init_scale <= maximum_scale, not {words.show(given)}"
        )
    if not 0 < backoff_factor < 1 < growth_factor < float("inf"):
        raise ValueError(
            f"loss_scale: growth_factor is {words.show(growth_factor)}, backoff_factor "
            f"{words.show(backoff_factor)}; "
            "expected more than 1, and between 0 and 1"
        )
    if not 1 <= growth_interval < 2**31:  # good_steps is int32
        raise ValueError(
            f"loss_scale: growth_interval is {words.show(growth_interval)}; expected a whole number >= 1, "
            "below 2**31"
        )

    def step(inner, g, s, state, params):
        finite = tree.all_finite(g)
        out, state = inner.run_if(finite, g, state, params, 1 / s.scale)
        good = jnp.where(finite, increment(s.good_steps), 0)
        due = good >= growth_interval
        larger = jnp.minimum(s.scale * growth_factor, maximum_scale)
        smaller = jnp.maximum(s.scale * backoff_factor, minimum_scale)
        s = LossScaleState(
            scale=jnp.where(finite, jnp.where(due, larger, s.scale), smaller).astype(s.scale.dtype),
            good_steps=jnp.where(due, 0, good),
            skipped=jnp.where(finite, s.skipped, increment(s.skipped)),
        )
        return out, s, state

    return wrap(
        LossScaleState,
        as_transform(tx, "loss_scale"),
        step,
        fields={
            "scale": shared(lambda p: dataclasses.replace(scalar(p), fill=init_scale)),
            "good_steps": shared(counter),
            "skipped": shared(counter),
        },
    )
