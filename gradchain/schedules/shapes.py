"""Schedules of other shapes: over time, reflected, in cycles, along a sigmoid."""

import math
from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.schedules.base import (
    Delay,
    Flag,
    Length,
    Number,
    Positive,
    Schedule,
    as_float,
    as_int,
    known,
    length,
    optional,
    schedule,
)
from gradchain.schedules.single import transition


@schedule
class inverse_time_schedule(Schedule):
    """One over a line: init_value / (1 + decay_rate * n / transition_steps), n = max(count - begin, 0).

    begin is transition_begin; staircase: the quotient n / transition_steps is rounded down. It has no end.
    """

    init_value: Number
    transition_steps: Length
    decay_rate: Positive
    transition_begin: Delay = 0
    staircase: Flag = False

    def _at(self, count):
        n, period = jnp.maximum(count - self.transition_begin, 0), as_int(self.transition_steps)
        quotient = as_float(n // period) if self.staircase else as_float(n) / as_float(period)
        return as_float(self.init_value) / (1 + as_float(self.decay_rate) * quotient)


def _rex(done: Array, left: Array) -> tuple[Array, Array]:
    return 2 * left / (1 + left), done / (1 + left)


@schedule
class rex_schedule(Schedule):
    """Reflected exponential: from init_value to end_value, slowly at first and fast at the end.

    value = end_value + (init_value - end_value) * (1 - d) / (1/2 + (1 - d) / 2), d = count / decay_steps
    Source: arXiv:2107.04197
    """

    init_value: Number
    decay_steps: Length
    end_value: Number = 0.0

    def _at(self, count):
        return transition(count, self.init_value, self.end_value, self.decay_steps, _rex)


def _sigmoid(done: Array, left: Array, steepness, center) -> tuple[Array, Array]:
    """(sigmoid(s (c - d)) - sigmoid(s (c - 1))) / (sigmoid(s c) - sigmoid(s (c - 1))), and the rest."""
    s, c = as_float(steepness), as_float(center)
    first, last, here = jax.nn.sigmoid(s * (c - jnp.stack([0 * done, 0 * done + 1, done])))
    return (here - last) / (first - last), (first - here) / (first - last)


@schedule
class sigmoid_schedule(Schedule):
    """From one value to another along a sigmoid, both ends exact.

    value = end_value + (init_value - end_value) * w(d), d the fraction of the transition that is done
    w(d) = (f(d) - f(1)) / (f(0) - f(1)), f(d) = 1 / (1 + exp(steepness * (d - center)))
    """

    init_value: Number
    end_value: Number
    transition_steps: Length
    transition_begin: Delay = 0
    steepness: Positive = 10.0
    center: Positive = 0.5

    def _at(self, count):
        curve = partial(_sigmoid, steepness=self.steepness, center=self.center)
        n = count - self.transition_begin
        return transition(n, self.init_value, self.end_value, self.transition_steps, curve)


@schedule
class cyclic_schedule(Schedule):
    """Triangles: up from low to peak in up_steps, down again in down_steps, and so on.

    value = low + (peak - low) * height * decay, height from 0 to 1 and back
    decay = shrink^cycle * gamma^count, cycle from 0: torch's "triangular2" is shrink=0.5, "exp_range" gamma
    down_steps None: as many as up_steps.
    Source: arXiv:1506.01186
    """

    low: Number
    peak: Number
    up_steps: Length
    down_steps: Annotated[int | Array | None, optional(length)] = None
    shrink: Positive = 1.0
    gamma: Positive = 1.0

    def _at(self, count):
        up = as_int(self.up_steps)
        down = up if self.down_steps is None else as_int(self.down_steps)
        cycle, n = count // (up + down), count % (up + down)
        falling = as_float(up + down - n) / as_float(down)
        height = jnp.where(n < up, as_float(n) / as_float(up), falling)
        size = _power(self.shrink, as_float(cycle)) * _power(self.gamma, as_float(count))
        return as_float(self.low) + (as_float(self.peak) - as_float(self.low)) * height * size


def _power(rate, n: Array) -> Array:
    """rate^n, with the logarithm of a number taken in float64."""
    if known(rate) and rate == 1.0:
        return jnp.ones_like(n)
    return jnp.exp(n * (jnp.log(rate) if isinstance(rate, Array) else math.log(rate)))
