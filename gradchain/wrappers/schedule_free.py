"""schedule_free: an optimizer with averages in the place of its momentum and of a schedule."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import words
from gradchain.core.compose import chain, sets
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType, whole
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import copy, counter, filled, scalar, shared, typed
from gradchain.core.transform import example, optimizer, wrapper
from gradchain.math.numerics import compute_dtype, in_kernel, increment, real_dtype, safe_divide
from gradchain.rules.adaptive.radam import rectified, scale_by_rectification
from gradchain.rules.adaptive.rmsprop import scale_by_rms
from gradchain.rules.momentum.sgd import sgd
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay
from gradchain.schedules.joined import warmup_constant_schedule
from gradchain.wrappers.base import wrap

PyTree = Any
PAPER: Any = {"family": "rate_free", "paper": "arXiv:2405.15682"}
TOO_MANY = ErrorInput({"warmup_steps": 2**31}, ValueError, ("warmup_steps is 2147483648", "at most"))


class FlatScheduleFreeState(NamedTuple):
    b1: Array  # [] of the last step
    weight_sum: Array  # [] sum of the weights of the steps
    step_count: Array  # [] int32, steps taken, plus first_count
    max_lr: Array  # [] the largest learning rate so far
    z: PyTree  # like params, where the wrapped optimizer has gone

    eval_field = "z"

    def eval_leaf(self, y: Array) -> Array:
        """x, the average, of the parameter y and its z."""
        return (y - (1 - self.b1) * self.z) / self.b1


@jax.jit
def interpolated(y, z, u, pull, push):
    """The updates of y and of z, in what they are computed in."""
    dtype = compute_dtype(y, u)
    y, wide_z, u = (x.astype(dtype) for x in (y, z, u))
    pull, push = (x.astype(real_dtype(u)) for x in (pull, push))
    new_z = (wide_z + u).astype(z.dtype)
    return in_kernel(pull * (wide_z - y) + push * u, new_z == new_z, new_z), new_z


@wrapper(
    **PAPER,
    example=lambda: {"base_optimizer": example("sgd"), "learning_rate": 0.1},
    errors=lambda: [
        ErrorInput({"b1": 0.0}, ValueError, ("b1 is 0.0", "above 0")),
        ErrorInput({"first_count": -1}, ValueError, ("first_count is -1", "0 or 1")),
    ],
)
def schedule_free(
    base_optimizer: Any,
    learning_rate: Hyper,
    b1: Decay = 0.9,
    weight_lr_power: Hyper = 2.0,
    state_dtype: DType | None = None,
    *,
    weight_power: Hyper = 0.0,
    weight_by_max: bool = False,
    first_count: int = 0,
    rectify: Decay | None = None,
):
    """Run an optimizer without momentum on z; the parameters are y, between z and its average x.

    z = z + u(gradient at y);  w = t^weight_power lr^weight_lr_power;  c = w / sum of w
    x = (1 - c) x + c z;  y = (1 - b1) z + b1 x
    `eval_params(tx, state, params)` is x, which is not kept: (y - (1 - b1) z) / b1. The learning rate is the
    one of the base, here for the weights alone. state_dtype is that of z.
    weight_by_max: the largest rate so far for lr (the authors' code and Optax). Schedules start at
    first_count: 1 is Optax's, which never looks at their value at 0. rectify: the rate of the weights is that
    behind `scale_by_rectification(rectify)`.
    """
    if isinstance(b1, int | float) and b1 == 0:
        raise ValueError(f"schedule_free: b1 is {words.show(b1)}; expected a number above 0 and below 1")
    base = as_transform(base_optimizer, "schedule_free")
    if name := sets(base):
        raise ValueError(
            f"schedule_free: {name} would set the parameters y where the steps of z are wanted; prune, round "
            "or project what eval_params gives when training is over"
        )
    if first_count not in (0, 1):
        raise ValueError(f"schedule_free: first_count is {words.show(first_count)}; expected 0 or 1")

    def step(inner, g, s, state, params):
        u, state = inner.updates(g, state, params)
        rate = jnp.asarray(learning_rate, s.max_lr.dtype)
        count = increment(s.step_count)
        if rectify is not None:
            rate = rate * rectified(rectify, count - first_count).astype(rate.dtype)
        largest, t = jnp.maximum(s.max_lr, rate), (count - first_count).astype(s.max_lr.dtype)
        weight = t**weight_power * (largest if weight_by_max else rate) ** weight_lr_power
        total = s.weight_sum + weight
        c = safe_divide(weight, total)
        now = jnp.asarray(b1, s.b1.dtype)
        ratio = safe_divide(now, s.b1, otherwise=1)  # 1, unless b1 changes
        pull, push = ratio * c + (1 - ratio), 1 - now * (1 - c)
        rows = [
            interpolated(y, z, x, pull, push)
            for y, z, x in zip(*map(jax.tree.leaves, (params, s.z, u)), strict=True)
        ]
        z = jax.tree.structure(s.z).unflatten([z for _, z in rows])
        s = s._replace(b1=now, weight_sum=total, step_count=count, max_lr=largest, z=z)
        return inner.given(jax.tree.structure(params).unflatten([u for u, _ in rows]), params), s, state

    return wrap(
        FlatScheduleFreeState,
        base,
        step,
        clock="step_count",
        params=True,
        fields={
            "b1": shared(filled(scalar, b1)),
            "weight_sum": shared(scalar),
            "step_count": shared(filled(counter, first_count)),
            "max_lr": shared(scalar),
            "z": typed(copy, state_dtype),
        },
    )


def _warmed(learning_rate, warmup_steps: int | None, first_count: int):
    """The learning rate with its warm-up, lr (t + 1) / warmup_steps at step t from 0; Optax's: lr t / ..."""
    if warmup_steps is None:
        return learning_rate
    if first_count or warmup_steps < 1:
        return warmup_constant_schedule(0.0, learning_rate, warmup_steps)
    return warmup_constant_schedule(learning_rate / warmup_steps, learning_rate, warmup_steps - 1)


@optimizer(**PAPER, errors=lambda: [TOO_MANY])
def schedule_free_sgd(
    learning_rate: Hyper = 1.0,
    warmup_steps: Annotated[int, whole(0)] | None = None,
    b1: Decay = 0.9,
    weight_decay: Hyper | None = None,
    weight_lr_power: Hyper = 2.0,
    state_dtype: DType | None = None,
    *,
    weight_power: Hyper = 0.0,
    weight_by_max: bool = False,
    first_count: int = 0,
):
    """Gradient descent, schedule-free: see `schedule_free`. The decay, of y, joins the gradient.

    The learning rate grows to its value in warmup_steps steps, the first being learning_rate / warmup_steps.
    first_count=1 is Optax's: its first step has length 0.
    """
    rest: Any = {"weight_power": weight_power, "weight_by_max": weight_by_max, "first_count": first_count}
    rate = _warmed(learning_rate, warmup_steps, first_count)
    base = chain(*optional_decay(weight_decay), sgd(rate))
    return chain(schedule_free(base, rate, b1, weight_lr_power, state_dtype, **rest))


@optimizer(**PAPER, errors=lambda: [TOO_MANY])
def schedule_free_adamw(
    learning_rate: Hyper = 0.0025,
    warmup_steps: Annotated[int, whole(0)] | None = None,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    weight_lr_power: Hyper = 2.0,
    state_dtype: DType | None = None,
    *,
    weight_power: Hyper = 0.0,
    weight_by_max: bool = False,
    first_count: int = 0,
):
    """AdamW, schedule-free: RMSprop with bias correction and decay of y within `schedule_free`.

    The learning rate grows to its value in warmup_steps steps, the first being learning_rate / warmup_steps.
    first_count=1 is Optax's: its first step has length 0.
    """
    rest: Any = {"weight_power": weight_power, "weight_by_max": weight_by_max, "first_count": first_count}
    rate = _warmed(learning_rate, warmup_steps, first_count)
    scaled = scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True)
    base = chain(scaled, *optional_decay(weight_decay), scale_by_learning_rate(rate))
    return chain(schedule_free(base, rate, b1, weight_lr_power, state_dtype, **rest))


@optimizer(
    family="rate_free", paper="arXiv:2405.15682; arXiv:1908.03265", near=("schedule_free_adamw", "radam")
)
def schedule_free_radam(
    learning_rate: Hyper = 0.0025,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    weight_lr_power: Hyper = 2.0,
    state_dtype: DType | None = None,
    *,
    weight_power: Hyper = 0.0,
):
    """RAdam, schedule-free: `schedule_free_adamw` whose rate is rectified, so that it needs no warm-up.

    As long as the second moment cannot be trusted, 5 steps for b2 = 0.999, nothing moves.
    """
    scaled = scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True)
    decay, rate = optional_decay(weight_decay), scale_by_learning_rate(learning_rate)
    base = chain(scaled, *decay, scale_by_rectification(b2), rate)
    rest: Any = {"weight_power": weight_power, "rectify": b2}
    return chain(schedule_free(base, learning_rate, b1, weight_lr_power, state_dtype, **rest))
