"""Links without an algorithm of their own: scaling, the learning rate, zeros."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import slots, tree
from gradchain.core.hyper import Hyper, Signed
from gradchain.core.leafwise import leafwise
from gradchain.core.transform import transform
from gradchain.math.numerics import real_dtype, times


@transform(traits=frozenset({"any_leaf"}))
def identity():
    """Pass updates through: u = g."""
    return leafwise(None, lambda g: g)


@transform(traits=frozenset({"any_leaf"}))
def set_to_zero():
    """Set every update to zero: u = 0."""
    return leafwise(None, lambda g: jnp.zeros_like(g))


@transform(example=lambda: {"step_size": 0.5})
def scale(step_size: Signed):
    """Multiply updates by a number: u = step_size * g."""
    return leafwise(None, lambda g: step_size * g)


class ScaleByScheduleState(NamedTuple):
    count: Array  # [] int32, steps taken


@transform(example=lambda: {"step_size_fn": 0.5})
def scale_by_schedule(step_size_fn: Signed):
    """Multiply updates by a schedule of the step: u = step_size_fn(t) * g, t = 0 at the first update."""
    return leafwise(ScaleByScheduleState, lambda g, s: (step_size_fn * g, s))


class ScaleByLearningRateState(NamedTuple):
    count: Array  # [] int32, steps taken


@transform(record=("learning_rate",), example=lambda: {"learning_rate": 0.1})
def scale_by_learning_rate(learning_rate: Hyper | None = None, *, flip_sign: bool = True):
    """Descend: u = -learning_rate * g. The last link of an optimizer, as a rule.

    The state holds the learning rate of the last step, also when it is constant, for `metrics`.
    flip_sign=False leaves the sign. Without a learning rate updates are left as they are, the sign too.
    """
    if learning_rate is None:
        return leafwise(None, lambda g: g)
    sign = -1 if flip_sign else 1
    return leafwise(ScaleByLearningRateState, lambda g, s: (times(sign * learning_rate, g), s))


@jax.jit
def scaled(g: Array, factor: Array) -> Array:
    """factor * g, in float32 at least: for links that work on whole trees."""
    g = tree.wide(g)
    return g * factor.astype(real_dtype(g))


def loss_of(value: Array, dtype, who: str) -> Array:
    """The extra argument `value` as a number of the dtype; an error for anything else than a scalar."""
    value = jnp.asarray(value, dtype)
    if value.ndim:
        raise ValueError(f"{who}: value has shape {list(value.shape)}; expected the loss, a scalar")
    return value


class ZeroNansState(NamedTuple):
    found_nan: Array  # per leaf [] bool, whether the last gradient held a NaN


@transform()
def zero_nans():
    """Replace NaN by zero, element by element; the state says in which leaves there was one."""

    def step(g, s):
        nan = jnp.isnan(g)
        return jnp.where(nan, 0, g), ZeroNansState(jnp.any(nan))

    return leafwise(ZeroNansState, step, found_nan=slots.flag)
