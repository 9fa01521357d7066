"""Schedules of what has been consumed, samples or tokens, and of batches that grow."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from gradchain.core import words
from gradchain.schedules.base import (
    Length,
    Positive,
    Schedule,
    as_float,
    as_int,
    choice,
    known,
    schedule,
)

MOST = 2**31 - 1  # of an int32
UNIT = 2**30  # twice the remainder of a division by it, and a bit, fit into 32 bits


def _part(owner: Schedule, name: str, value: Any) -> Callable:
    if not callable(value):
        owner._fail(name, value, "a schedule")
    return value


Part = Annotated[Callable, _part]


def _quotient(count: Array, size: Array | int, unit: Array | int) -> Array:
    """floor(count * size / unit) as uint32 below 2^31, without a product of 62 bits; no size: below unit."""
    if known(size, unit):
        shared = math.gcd(int(size), int(unit))
        size, unit = int(size) // shared, int(unit) // shared
        if size * unit <= MOST:
            n, d = jnp.uint32(size), jnp.uint32(unit)
            return count // d * n + count % d * n // d
    n, d = jnp.asarray(size).astype(jnp.uint32), jnp.asarray(unit).astype(jnp.uint32)

    def digit(i, value):  # long division, from the highest bit of the count
        quotient, rest = value
        rest = 2 * rest + jnp.where(count >> (30 - i).astype(jnp.uint32) & 1, n, 0)
        return 2 * quotient + rest // d, rest % d

    zero = jnp.zeros_like(count + n + d)
    return lax.fori_loop(0, 31, digit, (zero, zero))[0]


def units_of(count: Array, size: Array | int, unit: Array | int) -> Array:
    """floor(count * size / unit), exact, and 2^31 - 1 where it is more."""
    t = jnp.minimum(count, MOST).astype(jnp.uint32)
    whole, rest = divmod(size, unit) if known(size, unit) else (as_int(size) // unit, as_int(size) % unit)
    whole = jnp.asarray(whole).astype(jnp.uint32)
    fits = t <= MOST // jnp.maximum(whole, 1)
    product = jnp.where(fits, t * whole, jnp.uint32(MOST))
    return as_int(jnp.minimum(product + _quotient(t, rest, unit), jnp.uint32(MOST)))


@schedule
class by_samples(Schedule):
    """A schedule of the samples (or tokens) consumed instead of the updates, for batches of one size.

    value = schedule(floor(count * batch_size / unit)), the product exact far beyond 2^31
    The lengths of `schedule` are in units: with unit=1_000_000, in millions of tokens. Batches that change
    in size: `by_counted_samples`.
    """

    schedule: Part
    batch_size: Length
    unit: Length = 1

    def _at(self, count):
        return self.schedule(units_of(count, self.batch_size, self.unit))

    def _check(self):
        if known(self.unit) and self.unit > UNIT:
            self._fail("unit", self.unit, "at most 2**30")


class SamplesState(NamedTuple):
    count: Array  # [] int32, updates so far
    units: Array  # [] int32, whole units consumed
    samples: Array  # [] int32, consumed beyond those, less than a unit


@dataclasses.dataclass(frozen=True)
class by_counted_samples:
    """A schedule of the samples consumed, which its state counts: for batches that change in size.

    batch_size is a number, a function of the step, or None: then each update is given samples=, the number
    that its batch has; `each` multiplies it (tokens in a sample, samples in a microbatch). The value is that
    of schedule(units), units of `unit` samples consumed before this update: two int32, exact to 2^31 units.
    A StatefulSchedule: inject_hyperparams(adamw)(learning_rate=by_counted_samples(...)).
    """

    schedule: Callable[[Array], Any]
    batch_size: int | Callable[[Array], Any] | None = None
    unit: int = 1
    each: int = 1

    def __post_init__(self):
        for name, most in (("unit", UNIT), ("each", MOST)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise ValueError(
                    f"by_counted_samples: {name} is {words.show(value)}, expected an integer from 1 to {most}"
                )

    def init(self) -> SamplesState:
        """Nothing consumed."""
        return SamplesState(*(jnp.zeros((), jnp.int32) for _ in range(3)))

    def update(self, state: SamplesState, **extra: Any) -> SamplesState:
        """The samples of one more batch."""
        batch = self.batch_size(state.count) if callable(self.batch_size) else self.batch_size
        if batch is None:
            if "samples" not in extra:
                raise TypeError(
                    "by_counted_samples needs samples, the size of the batch: call "
                    "update(grads, state, params, samples=...), or give batch_size"
                )
            batch = extra["samples"]
        batch = jnp.round(jnp.asarray(batch)).astype(jnp.int32).reshape(())
        whole = units_of(batch, self.each, self.unit)
        rest = self._rest(batch) + state.samples
        more = whole + rest // self.unit
        units = jnp.where(state.units > MOST - more, MOST, state.units + more)
        count = jnp.where(state.count < MOST, state.count + 1, MOST)
        return SamplesState(count, units.astype(jnp.int32), (rest % self.unit).astype(jnp.int32))

    def _rest(self, batch: Array) -> Array:
        """batch * each modulo unit: unsigned 32-bit products keep their lowest bits."""
        product = batch.astype(jnp.uint32) * jnp.uint32(self.each)
        whole = units_of(batch, self.each, self.unit).astype(jnp.uint32) * jnp.uint32(self.unit)
        return (product - whole).astype(jnp.int32)

    def __call__(self, state: SamplesState, **extra: Any) -> Any:
        """The value for this update."""
        return self.schedule(state.units)


@schedule
class batch_ramp_schedule(Schedule):
    """How many microbatches make a batch: from `start` to `end` in ramp_steps, rounded down to `multiple`.

    value = multiple * floor((start + (end - start) * min(count, ramp_steps) / ramp_steps) / multiple)
    It is for `microbatch_grad(loss, end)(params, batch, steps=ramp(count).astype(int))`, which runs so many
    of a batch's microbatches without compiling again, and for `every` of `accumulate`.
    Source: arXiv:1711.00489
    """

    start: Length
    end: Length
    ramp_steps: Length
    multiple: Length = 1

    def _at(self, count):
        start, end, steps = map(as_int, (self.start, self.end, self.ramp_steps))
        more = units_of(jnp.minimum(count, steps), jnp.maximum(end - start, 0), self.ramp_steps)
        return as_float((start + more) // as_int(self.multiple) * as_int(self.multiple))

    def _check(self):
        if known(self.start, self.end) and self.end < self.start:
            self._fail("end", self.end, f"at least start = {self.start!r}")
        if known(self.start, self.multiple) and self.multiple > self.start:
            self._fail("multiple", self.multiple, f"at most start = {self.start!r}")


@schedule
class batch_scaled_schedule(Schedule):
    """A learning rate that follows the size of the batch: value = schedule(count) * (batch(count) / full)^p.

    p = 1/2 for rule="sqrt" (Adam and its kin, arXiv:2205.10287), 1 for "linear" (SGD, arXiv:1706.02677).
    `schedule` is for batches of `full`, in what `batch` counts, such as microbatches: `batch_ramp_schedule`.
    """

    schedule: Part
    batch: Part
    full: Positive
    rule: Annotated[str, choice("sqrt", "linear")] = "sqrt"

    def _at(self, count):
        share = as_float(self.batch(count)) / as_float(self.full)
        return as_float(self.schedule(count)) * (jnp.sqrt(share) if self.rule == "sqrt" else share)
