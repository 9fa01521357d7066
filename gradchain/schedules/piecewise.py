"""Schedules given by points: values that jump or are interpolated between steps."""

from functools import partial
from itertools import pairwise
from typing import Annotated

import jax.numpy as jnp
from jax import Array

from gradchain.schedules.base import (
    Fraction,
    Length,
    Number,
    Positive,
    Schedule,
    as_float,
    as_int,
    choice,
    known,
    schedule,
    step_pairs,
)
from gradchain.schedules.joined import sequence
from gradchain.schedules.single import CURVES, transition

Pairs = Annotated[tuple[tuple[int | Array, float | Array], ...], step_pairs]


def _products(init_value: float | Array, factors) -> list[float | Array]:
    """init_value, then its product with the factors so far."""
    values = [init_value]
    for factor in factors:
        values.append(values[-1] * factor)
    return values


def _interpolate(count: Array, points, values, kind: str) -> Array:
    """Through values[i] at points[i], points[0] = 0; the last value is held; of equal points, the last."""
    points = [as_int(p) for p in points]
    parts = [
        partial(transition, start=a, end=b, steps=q - p, curve=CURVES[kind])
        for (p, q), (a, b) in zip(pairwise(points), pairwise(values), strict=True)
    ]
    return sequence(count, [*parts, lambda n: values[-1]], points[1:])


@schedule
class piecewise_constant_schedule(Schedule):
    """init_value, multiplied by a factor from each boundary on.

    value = init_value * product of the factors f_i with boundary b_i <= count
    boundaries_and_scales is {b_i: f_i}, or pairs of them in order; it is kept as pairs.
    """

    init_value: Number
    boundaries_and_scales: Pairs = ()

    def _at(self, count):
        values = _products(self.init_value, (factor for _, factor in self.boundaries_and_scales))
        value = as_float(values[0])
        for (boundary, _), after in zip(self.boundaries_and_scales, values[1:], strict=True):
            value = jnp.where(count < as_int(boundary), value, as_float(after))
        return value


@schedule
class piecewise_interpolate_schedule(Schedule):
    """init_value, multiplied by a factor at each boundary, and interpolated in between: "linear" or "cosine".

    value at b_i = init_value * f_1 * ... * f_i; the last one is held.
    boundaries_and_scales is {b_i: f_i}, or pairs of them in order; it is kept as pairs.
    """

    interpolate_type: Annotated[str, choice("linear", "cosine")]
    init_value: Number
    boundaries_and_scales: Pairs = ()

    def _at(self, count):
        points = [0, *(boundary for boundary, _ in self.boundaries_and_scales)]
        values = _products(self.init_value, (factor for _, factor in self.boundaries_and_scales))
        return _interpolate(count, points, values, self.interpolate_type)


def _share(part: float | Array, whole: int | Array) -> int | Array:
    """A part of the steps, rounded down; 0.29 of 100 is 29, although the product in float64 is just below."""
    if isinstance(part, Array) or isinstance(whole, Array):
        product = as_float(part) * as_float(whole)
        return as_int(jnp.floor(product * (1 + float(jnp.finfo(product.dtype).eps))))
    return int(part * whole * (1 + 1e-12))


@schedule
class linear_onecycle_schedule(Schedule):
    """Up, down, and out, in straight lines.

    With low = peak_value / div_factor and T = transition_steps, the value is low at 0, peak_value at
    pct_start T, low at pct_final T, low / final_div_factor at T, and then held. The points are rounded down
    to whole steps (where Optax loses one to the rounding of a float it is kept: 0.29 of 100 is 29).
    PyTorch's OneCycleLR(total_steps=N, pct_start=p, anneal_strategy="linear", three_phase=True) has its
    points at p N - 1, 2 p N - 2 and N - 1, not rounded: update N has the last value, here update N + 1.
    Where p N is whole, the same values come from transition_steps = N - 1,
    pct_start = (p N - 1) / (N - 1), pct_final = (2 p N - 2) / (N - 1).
    Source: arXiv:1708.07120
    """

    transition_steps: Length
    peak_value: Number
    pct_start: Fraction = 0.3
    pct_final: Fraction = 0.85
    div_factor: Positive = 25.0
    final_div_factor: Positive = 1e4

    def _at(self, count):
        low = self.peak_value / self.div_factor
        a, b = _share(self.pct_start, self.transition_steps), _share(self.pct_final, self.transition_steps)
        values = [low, self.peak_value, low, low / self.final_div_factor]
        return _interpolate(count, [0, a, b, self.transition_steps], values, "linear")

    def _check(self):
        if known(self.pct_start, self.pct_final) and self.pct_final < self.pct_start:
            self._fail("pct_final", self.pct_final, f"at least pct_start = {self.pct_start!r}")


@schedule
class cosine_onecycle_schedule(Schedule):
    """Up and down along half cosines.

    With low = peak_value / div_factor and T = transition_steps, the value is low at 0, peak_value at
    pct_start T, low / final_div_factor at T, and then held. The points are rounded down to whole steps
    (where Optax loses one to the rounding of a float it is kept: 0.29 of 100 is 29).
    PyTorch's OneCycleLR(total_steps=N, pct_start=p) has its points at p N - 1 and N - 1, not rounded:
    update N has the last value, here update N + 1. Where p N is whole, the same values come from
    transition_steps = N - 1, pct_start = (p N - 1) / (N - 1).
    Source: arXiv:1708.07120
    """

    transition_steps: Length
    peak_value: Number
    pct_start: Fraction = 0.3
    div_factor: Positive = 25.0
    final_div_factor: Positive = 1e4

    def _at(self, count):
        low = self.peak_value / self.div_factor
        a = _share(self.pct_start, self.transition_steps)
        values = [low, self.peak_value, low / self.final_div_factor]
        return _interpolate(count, [0, a, self.transition_steps], values, "cosine")
