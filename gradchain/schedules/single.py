"""Schedules of one formula, and the curves that every transition is made of."""

import math
from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from gradchain.schedules.base import (
    Bound,
    Delay,
    Flag,
    Length,
    Number,
    Positive,
    Schedule,
    as_float,
    as_int,
    known,
    schedule,
)

# A curve turns the fractions of a transition that are done and left (their sum is 1) into the weights of
# its start and its end. Both are computed without cancellation: a transition to or from 0 keeps its digits
# at both ends.
Curve = Callable[[Array, Array], tuple[Array, Array]]


def _linear(done: Array, left: Array) -> tuple[Array, Array]:
    return left, done


def _cosine(done: Array, left: Array) -> tuple[Array, Array]:
    """(1 + cos(pi done)) / 2 and the rest, by the half angle."""
    return jnp.sin(math.pi / 2 * left) ** 2, jnp.sin(math.pi / 2 * done) ** 2


def _one_minus_sqrt(done: Array, left: Array) -> tuple[Array, Array]:
    root = jnp.sqrt(done)
    return left / (1 + root), root  # 1 - root = (1 - done) / (1 + root)


CURVES: dict[str, Curve] = {"linear": _linear, "cosine": _cosine, "1-sqrt": _one_minus_sqrt}


def powered(curve: Curve, power: float | Array) -> Curve:
    """The curve whose weight of the start is that of `curve` to a power."""
    if known(power) and power == 1.0:
        return curve

    def weights(done: Array, left: Array) -> tuple[Array, Array]:
        start, end = curve(done, left)
        inside = end < 1
        rest = -jnp.expm1(power * jnp.log1p(-jnp.where(inside, end, 0)))  # 1 - (1 - end)^power
        return start**power, jnp.where(inside, rest, 1)

    return weights


def transition(count: Array, start, end, steps, curve: Curve = _linear) -> Array:
    """From `start` at count 0 to `end` at count `steps`, both exact and held; no steps at all: `end`."""
    start, end, steps = as_float(start), as_float(end), as_int(steps)
    count = jnp.clip(count, 0, steps)
    total = as_float(jnp.maximum(steps, 1))
    of_start, of_end = curve(as_float(count) / total, as_float(steps - count) / total)
    value = jnp.where(count > 0, start * of_start + end * of_end, start)
    return jnp.where(count < steps, value, end)


def moving(steps, value: Array, start) -> Array:
    """The value of a schedule that moves; of one that has no steps for it, `start` (Optax's "constant")."""
    if known(steps):
        return value if steps else jnp.broadcast_to(as_float(start), value.shape)
    return jnp.where(as_int(steps) > 0, value, as_float(start))


def _bounded(value: Array, bound, rising) -> Array:
    if bound is None:
        return value
    return jnp.where(rising, jnp.minimum(value, as_float(bound)), jnp.maximum(value, as_float(bound)))


@schedule
class constant_schedule(Schedule):
    """The same value at every step."""

    value: Number

    def _at(self, count):
        return as_float(self.value)


@schedule
class linear_schedule(Schedule):
    """From one value to another in a straight line.

    value = init_value + (end_value - init_value) * d
    d = clip(count - transition_begin, 0, transition_steps) / transition_steps
    No transition_steps at all: it stays at init_value.
    """

    init_value: Number
    end_value: Number
    transition_steps: Delay
    transition_begin: Delay = 0

    def _at(self, count):
        n = count - self.transition_begin
        value = transition(n, self.init_value, self.end_value, self.transition_steps)
        return moving(self.transition_steps, value, self.init_value)


@schedule
class polynomial_schedule(Schedule):
    """From one value to another along a power of the steps that are left.

    value = (init_value - end_value) * (1 - d)^power + end_value
    d = clip(count - transition_begin, 0, transition_steps) / transition_steps
    No transition_steps at all: it stays at init_value.
    """

    init_value: Number
    end_value: Number
    power: Positive
    transition_steps: Delay
    transition_begin: Delay = 0

    def _at(self, count):
        n, curve = count - self.transition_begin, powered(_linear, self.power)
        value = transition(n, self.init_value, self.end_value, self.transition_steps, curve)
        return moving(self.transition_steps, value, self.init_value)


@schedule
class exponential_decay(Schedule):
    """Multiplies by decay_rate every transition_steps; in between smoothly, or not at all with `staircase`.

    value = init_value * decay_rate^(n / transition_steps), n = max(count - transition_begin, 0)
    staircase: the quotient is rounded down
    end_value is the least value if decay_rate < 1, otherwise the largest.
    The power is exp(quotient * log(decay_rate)), with the logarithm of a number taken in float64: a rate like
    0.999999 has lost most of its difference from 1 in float32. A factor above the largest float stops there.
    No transition_steps at all: it stays at init_value.
    """

    init_value: Number
    transition_steps: Delay
    decay_rate: Positive
    transition_begin: Delay = 0
    staircase: Flag = False
    end_value: Bound = None

    def _at(self, count):
        n, rate = jnp.maximum(count - self.transition_begin, 0), self.decay_rate
        period = jnp.maximum(as_int(self.transition_steps), 1)
        quotient = as_float(n // period) if self.staircase else as_float(n) / as_float(period)
        log_rate = jnp.log(rate) if isinstance(rate, Array) else math.log(rate)
        log_largest = math.log(float(jnp.finfo(quotient.dtype).max)) - 1e-4
        factor = jnp.exp(jnp.minimum(quotient * log_rate, log_largest))
        value = _bounded(as_float(self.init_value) * factor, self.end_value, rate >= 1)
        return moving(self.transition_steps, value, self.init_value)


@schedule
class cosine_decay_schedule(Schedule):
    """Half a cosine from init_value down to alpha * init_value, then held.

    value = init_value * ((1 - alpha) * w^exponent + alpha)
    w = (1 + cos(pi * min(count, decay_steps) / decay_steps)) / 2
    Source: arXiv:1608.03983
    """

    init_value: Number
    decay_steps: Length
    alpha: Number = 0.0
    exponent: Positive = 1.0

    def _at(self, count):
        end = self.init_value * self.alpha
        return transition(count, self.init_value, end, self.decay_steps, powered(_cosine, self.exponent))


@schedule
class staircase_schedule(Schedule):
    """Adds an increment every transition_steps: for rates, batch sizes or accumulation steps.

    value_t = value_{t-1} + increment at every transition_steps-th step after transition_begin, that is
    init_value + increment * (max(count - transition_begin, 0) // transition_steps)
    end_value is the largest value if increment > 0, otherwise the least; None: no bound. The value is a
    float also where it counts something: integers are exact up to 2^24.
    """

    init_value: Number
    increment: Number
    transition_steps: Length = 1
    transition_begin: Delay = 0
    end_value: Bound = None

    def _at(self, count):
        stairs = jnp.maximum(count - self.transition_begin, 0) // as_int(self.transition_steps)
        value = as_float(self.init_value) + as_float(self.increment) * as_float(stairs)
        return _bounded(value, self.end_value, self.increment > 0)

    def _check(self):
        init, step, end = self.init_value, self.increment, self.end_value
        if end is not None and known(init, step, end) and (end - init) * step < 0:
            self._fail("end_value", end, f"a bound {'above' if step > 0 else 'below'} init_value = {init!r}")
