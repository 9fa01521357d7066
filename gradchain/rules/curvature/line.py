"""The line search: a step that decreases a function of one variable and flattens its slope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from gradchain.core import tree
from gradchain.math.numerics import safe_divide, safe_sqrt

NEAR_END = 0.05  # of an interval: how close to its ends a trial may be
FAR = 0.1  # of an interval whose far end has no finite value
SHRINK = 0.66  # an interval that two trials have not made smaller than this is halved


class Point(NamedTuple):
    step: Array  # []
    value: Array  # [] the function there
    slope: Array  # [] its derivative there


class Wolfe(NamedTuple):
    """What a step has to fulfil, from what is known at 0."""

    start: Point
    slope_rtol: Any
    curv_rtol: Any
    approx_dec_rtol: Any  # None: sufficient decrease alone
    tol: Any

    def decrease_error(self, p: Point) -> Array:
        """By how much the value is above f(0) + slope_rtol t f'(0), or fails the approximate condition."""
        error = p.value - self.start.value - self.slope_rtol * p.step * self.start.slope
        if self.approx_dec_rtol is not None:
            above = p.value - self.start.value - self.approx_dec_rtol * jnp.abs(self.start.value)
            steep = p.slope - (2 * self.slope_rtol - 1) * self.start.slope
            error = jnp.minimum(error, jnp.maximum(above, steep))
        return _error(error)

    def curvature_error(self, p: Point) -> Array:
        """By how much |f'(t)| is above curv_rtol |f'(0)|."""
        return _error(jnp.abs(p.slope) - self.curv_rtol * jnp.abs(self.start.slope))


def _error(x: Array) -> Array:
    return jnp.where(jnp.isnan(x), jnp.inf, jnp.maximum(x, 0))


class Found(NamedTuple):
    """The end of a search."""

    point: Point
    grad: Any  # at the point
    steps: Array  # [] int32, evaluations
    decrease_error: Array  # []
    curvature_error: Array  # []


class Search(NamedTuple):
    trial: Array  # [] the step to try next
    low: Point  # the end of the interval with the lower value, whose slope shows into it
    high: Point  # the other end, once there is one
    bracketed: Array  # [] bool, whether there is
    widths: tuple[Array, Array]  # of the interval, one and two trials ago
    best: Found  # the lowest point that decreases
    taken: Array  # [] bool, whether there is one
    least: Array  # [] the smallest decrease error of a trial
    done: Array  # [] bool


def wolfe_search(
    evaluate: Callable[[Array], tuple[Array, Array, Any]],
    rules: Wolfe,
    grad: Any,
    first: Array,
    *,
    longest: Any,
    increase_factor: Any,
    precision: Any,
    most: Any,
) -> Found:
    """A step with sufficient decrease and small curvature; else the best that decreases, or 0.

    Algorithms 3.5 and 3.6 of Nocedal and Wright, 2nd edition: a step is increased until an interval is known
    to hold one, which then shrinks, both by cubics through values and slopes. `evaluate(t)` gives value,
    slope and gradient at t; where one is not finite the step was too long. `grad` is that at 0.
    """
    start, dtype = rules.start, rules.start.value.dtype
    zero, no = jnp.zeros((), dtype), jnp.zeros((), bool)
    downhill = start.slope < 0
    # What the slope foretells of a step of 1 that must decrease and does not.
    foretold = _error((1 - rules.slope_rtol) * start.slope)
    still = Found(
        start,
        grad,
        jnp.zeros((), jnp.int32),
        foretold.astype(dtype),
        rules.curvature_error(start).astype(dtype),
    )
    infinite = jnp.full((), jnp.inf, dtype)
    top = infinite if longest is None else jnp.asarray(longest, dtype)
    begin = Search(
        jnp.minimum(first, top), start, start, no, (infinite, infinite), still, no, infinite, ~downhill
    )

    def going(s: Search):
        return ~s.done & (s.best.steps.astype(dtype) < most)

    def turn(s: Search) -> Search:
        value, slope, grad = evaluate(s.trial)
        fine = jnp.isfinite(value) & jnp.isfinite(slope)
        p = Point(s.trial, jnp.where(fine, value, jnp.inf), jnp.where(fine, slope, 0))
        decrease, curvature = rules.decrease_error(p), rules.curvature_error(p)
        enough = fine & (decrease <= rules.tol)
        accepted = enough & (curvature <= rules.tol)
        noise = _noise(s.low, p)
        bad = ~enough | (p.value >= s.low.value + noise)
        inward = jnp.where(s.bracketed, s.high.step - s.low.step, 1)
        turned = p.slope * inward >= 0
        low = _where(bad, s.low, p)
        high = _where(bad, p, _where(turned, s.low, s.high))
        bracketed = s.bracketed | bad | turned
        width = jnp.abs(high.step - low.step)
        inner = _inside(low, high, width > SHRINK * s.widths[1])
        trial = jnp.where(bracketed, inner, jnp.minimum(_outside(s.low, p, increase_factor), top))
        better = (enough | (p.value < start.value)) & (~s.taken | (p.value <= s.best.point.value))
        better = accepted | better
        steps = s.best.steps + 1
        here = Found(p, grad, steps, decrease, curvature)
        best = _where(better, here, s.best._replace(steps=steps))
        taken = s.taken | better
        small = width <= precision * jnp.maximum(high.step, low.step)
        stuck = (trial == low.step) | (trial == high.step) | (trial == p.step)
        done = accepted | (bracketed & ((small & taken) | stuck)) | (~bracketed & (p.step >= top))
        widths = (jnp.where(bracketed, width, jnp.inf), s.widths[0])
        least = jnp.minimum(s.least, jnp.where(fine, decrease, jnp.inf))
        return _like(Search(trial, low, high, bracketed, widths, best, taken, least, done), s)

    end = lax.while_loop(going, turn, _like(begin, begin))
    tried = end.best.steps > 0
    error = jnp.where(end.taken | ~tried, end.best.decrease_error, end.least)
    return end.best._replace(decrease_error=jnp.where(downhill | (start.slope == 0), error, foretold) + zero)


def _noise(p: Point, q: Point) -> Array:
    """What two values may differ by through rounding alone."""
    size = jnp.maximum(jnp.abs(p.value), jnp.where(jnp.isfinite(q.value), jnp.abs(q.value), 0))
    return 4 * jnp.finfo(p.value.dtype).eps * size


def _where(condition: Array, x, y):
    return tree.where(condition, x, y)


def _like(new: Search, old: Search) -> Search:
    return jax.tree.map(lambda x, y: jnp.asarray(x, y.dtype), new, old)


def cubic_minimum(p: Point, q: Point) -> Array:
    """Where the cubic through two points has its minimum, NaN where it has none; equation 3.59.

    Where the values are one but for rounding, and the slopes are not, where a line through the slopes is 0.
    """
    length = q.step - p.step
    mixed = p.slope + q.slope - 3 * safe_divide(q.value - p.value, length)
    inside = jnp.square(mixed) - p.slope * q.slope
    root = jnp.where(inside >= 0, jnp.sign(length) * safe_sqrt(jnp.maximum(inside, 0)), jnp.nan)
    cubic = q.step - length * (q.slope + root - mixed) / (q.slope - p.slope + 2 * root)
    secant = q.step - length * safe_divide(q.slope, q.slope - p.slope)
    flat = (jnp.abs(q.value - p.value) <= _noise(p, q)) & (p.slope * q.slope < 0)
    return jnp.where(flat, secant, cubic)


def _inside(low: Point, high: Point, slow: Array) -> Array:
    """The next trial between two points."""
    length = high.step - low.step
    share = (cubic_minimum(low, high) - low.step) / length
    share = jnp.where(jnp.isfinite(high.value), share, FAR)
    share = jnp.where(slow & jnp.isfinite(high.value) | ~jnp.isfinite(share), 0.5, share)
    return low.step + jnp.clip(share, NEAR_END, 1 - NEAR_END) * length


def _outside(before: Point, p: Point, factor: Any) -> Array:
    """The next trial beyond a point: where the cubic has its minimum, 1.1 to factor^2 times as far."""
    aim, far = cubic_minimum(before, p), factor * factor * p.step
    known = jnp.isfinite(aim) & (aim > before.step)
    return jnp.where(known, jnp.clip(aim, 1.1 * p.step, far), far)
