"""Schedules made of others, one after the other."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Annotated, Any

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
    choice,
    items,
    known,
    length,
    optional,
    schedule,
    steps,
)
from gradchain.schedules.single import CURVES, exponential_decay, powered, transition

Part = Callable[[Array], Any]


def sequence(count: Array, parts: Sequence[Part], boundaries: Sequence[int | Array]) -> Array:
    """The value of the last part whose boundary is reached; each part counts from its own boundary."""
    value = as_float(parts[0](count))
    for boundary, part in zip(map(as_int, boundaries), parts[1:], strict=True):
        value = jnp.where(count < boundary, value, as_float(part(jnp.maximum(count - boundary, 0))))
    return value


def _schedules(owner: Schedule, name: str, value: Any) -> tuple:
    found = items(owner, name, value)
    for i, part in enumerate(found):
        if not callable(part):
            owner._fail(f"{name}[{i}]", part, "a schedule")
    return found


@schedule
class join_schedules(Schedule):
    """One schedule after another; from boundaries[i] on schedules[i + 1] is used, counting from 0 again.

    The parts may be any functions of the count; with schedules of this library the whole is a value too.
    """

    schedules: Annotated[tuple[Part, ...], _schedules]
    boundaries: Annotated[tuple[int | Array, ...], steps]

    def _at(self, count):
        return sequence(count, self.schedules, self.boundaries)

    def _check(self):
        if not self.schedules:
            self._fail("schedules", self.schedules, "at least one schedule")
        if len(self.boundaries) != len(self.schedules) - 1:
            expected = f"{len(self.schedules) - 1} of them for {len(self.schedules)} schedules"
            self._fail("boundaries", self.boundaries, expected)


def _warmup(init_value, peak_value, warmup_steps) -> Part:
    return partial(transition, start=init_value, end=peak_value, steps=warmup_steps)


@schedule
class warmup_constant_schedule(Schedule):
    """A straight line from init_value to peak_value in warmup_steps, then held.

    No warmup steps: peak_value from the first update on (Optax: init_value for ever).
    """

    init_value: Number
    peak_value: Number
    warmup_steps: Delay

    def _at(self, count):
        return transition(count, self.init_value, self.peak_value, self.warmup_steps)


@schedule
class warmup_cosine_decay_schedule(Schedule):
    """A straight line from init_value to peak_value, half a cosine from there to end_value, then held.

    decay_steps is the whole length, the warmup included: the cosine takes decay_steps - warmup_steps.
    With d the fraction of the cosine that is done,
    value = end_value + (peak_value - end_value) * ((1 + cos(pi d)) / 2)^exponent
    This is Optax's rule, except that a peak_value of 0 gives a transition too (Optax: 0 throughout).
    Source: arXiv:1608.03983
    """

    init_value: Number
    peak_value: Number
    warmup_steps: Delay
    decay_steps: Length
    end_value: Number = 0.0
    exponent: Positive = 1.0

    def _at(self, count):
        warmup = _warmup(self.init_value, self.peak_value, self.warmup_steps)
        decay = partial(
            transition,
            start=self.peak_value,
            end=self.end_value,
            steps=as_int(self.decay_steps) - as_int(self.warmup_steps),
            curve=powered(CURVES["cosine"], self.exponent),
        )
        return sequence(count, (warmup, decay), (self.warmup_steps,))

    def _check(self):
        if known(self.warmup_steps, self.decay_steps) and self.decay_steps <= self.warmup_steps:
            expected = f"more than warmup_steps = {self.warmup_steps!r}, which it includes"
            self._fail("decay_steps", self.decay_steps, expected)


@schedule
class warmup_exponential_decay_schedule(Schedule):
    """A straight line from init_value to peak_value in warmup_steps, then exponential_decay from peak_value.

    transition_begin counts from the end of the warmup; the other arguments are those of exponential_decay.
    """

    init_value: Number
    peak_value: Number
    warmup_steps: Delay
    transition_steps: Delay
    decay_rate: Positive
    transition_begin: Delay = 0
    staircase: Flag = False
    end_value: Bound = None

    def _at(self, count):
        warmup = _warmup(self.init_value, self.peak_value, self.warmup_steps)
        decay = exponential_decay(
            self.peak_value,
            self.transition_steps,
            self.decay_rate,
            self.transition_begin,
            self.staircase,
            self.end_value,
        )
        return sequence(count, (warmup, decay), (self.warmup_steps,))


@schedule
class wsd_schedule(Schedule):
    """Warmup, stable, decay: up to peak_value, which is held, then down to end_value, which is held.

    With d the fraction of the cooldown that is done,
    value = end_value + (peak_value - end_value) * w(d)
    linear: w = 1 - d;  cosine: w = (1 + cos(pi d)) / 2;  1-sqrt: w = 1 - sqrt(d)
    No cooldown_steps at all: end_value follows at once. A run can be prolonged from its stable part by
    changing stable_steps alone.
    Source: arXiv:2404.06395; the forms of cooldown: arXiv:2405.18392
    """

    init_value: Number
    peak_value: Number
    warmup_steps: Delay
    stable_steps: Delay
    cooldown_steps: Delay
    end_value: Number = 0.0
    cooldown: Annotated[str, choice(*CURVES)] = "1-sqrt"

    def _at(self, count):
        warmup = _warmup(self.init_value, self.peak_value, self.warmup_steps)
        curve = CURVES[self.cooldown]
        cooldown = partial(
            transition, start=self.peak_value, end=self.end_value, steps=self.cooldown_steps, curve=curve
        )
        return sequence(count, (warmup, cooldown), (as_int(self.warmup_steps) + as_int(self.stable_steps),))


@schedule
class inverse_sqrt_schedule(Schedule):
    """A straight line from init_value to peak_value in warmup_steps, then one over the root of the step.

    value = peak_value * sqrt(timescale / (timescale + count - warmup_steps)); it has no end.
    timescale None: warmup_steps, so that the value is peak_value * sqrt(warmup_steps / count).
    Source: arXiv:1706.03762
    """

    init_value: Number
    peak_value: Number
    warmup_steps: Delay
    timescale: Annotated[int | Array | None, optional(length)] = None

    def _at(self, count):
        warmup = _warmup(self.init_value, self.peak_value, self.warmup_steps)
        timescale = as_float(self.warmup_steps if self.timescale is None else self.timescale)

        def decay(n: Array) -> Array:
            return as_float(self.peak_value) * jnp.sqrt(timescale / (timescale + as_float(n)))

        return sequence(count, (warmup, decay), (self.warmup_steps,))

    def _check(self):
        if self.timescale is None and known(self.warmup_steps) and self.warmup_steps == 0:
            self._fail("timescale", None, "a number of steps, as there are no warmup_steps")


def _cycles(owner: Schedule, name: str, value: Any) -> tuple[warmup_cosine_decay_schedule, ...]:
    def cycle(i: int, arguments: Any) -> warmup_cosine_decay_schedule:
        if isinstance(arguments, warmup_cosine_decay_schedule):
            return arguments
        if not isinstance(arguments, Mapping):
            owner._fail(f"{name}[{i}]", arguments, "a mapping of arguments or a warmup_cosine_decay_schedule")
        try:
            return warmup_cosine_decay_schedule(**arguments)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{type(owner).__name__}: {name}[{i}]: {error}") from None

    return tuple(cycle(i, arguments) for i, arguments in enumerate(items(owner, name, value)))


@schedule
class sgdr_schedule(Schedule):
    """Warm restarts: cycles of warmup_cosine_decay_schedule in turn; the end of the last is held.

    Each element of cosine_kwargs gives the arguments of a cycle as a mapping, or is the cycle; decay_steps
    is how long a cycle lasts, so the value at its end is replaced by the start of the next.
    Source: arXiv:1608.03983
    """

    cosine_kwargs: Annotated[tuple[warmup_cosine_decay_schedule, ...], _cycles]

    def _at(self, count):
        ends = accumulate(as_int(cycle.decay_steps) for cycle in self.cosine_kwargs[:-1])
        return sequence(count, self.cosine_kwargs, tuple(ends))

    def _check(self):
        if not self.cosine_kwargs:
            self._fail("cosine_kwargs", self.cosine_kwargs, "at least one cycle")
