"""A transformation that works in some steps only, as a function of the step says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import Array

from gradchain.core import kinds, returned, tree, words
from gradchain.core.control import when
from gradchain.core.foreign import as_transform
from gradchain.core.slots import counter, shared
from gradchain.core.transform import example, wrapper
from gradchain.math.numerics import increment
from gradchain.wrappers.base import Inner, Wrapper, wrap

PyTree = Any


class ConditionalState(NamedTuple):
    step: Array  # [] int32, updates so far, those without the transformation included


def every_other(step, **extra):
    """Whether a step is even: 0, the first, is."""
    return step % 2 == 0


def _conditional(
    who: str, inner: Any, holds: Callable[..., Any], forward: bool, run: Callable[..., Any]
) -> Wrapper:
    if not forward and not kinds.takes(holds, 1):
        raise TypeError(
            f"{who}: should_transform_fn is {words.show(holds)}; expected "
            "a function of one argument, the step"
        )

    def step(inner: Inner, g, s, state, params):
        found = holds(s.step, **inner.extra) if forward else holds(s.step)
        due = returned.truth(found, who, "should_transform_fn", holds)
        out, state = run(inner, due, g, state, params)
        return out, s._replace(step=increment(s.step)), state

    return wrap(ConditionalState, as_transform(inner, who), step, fields={"step": shared(counter)})


@wrapper(
    traits=frozenset({"sometimes"}),
    example=lambda: {"inner": example("adam"), "should_transform_fn": every_other},
)
def conditionally_mask(inner: Any, should_transform_fn: Callable[..., Any], forward_extra_args: bool = False):
    """Run a transformation in some steps; in the others updates are zero and its state stays.

    should_transform_fn(step) is a truth value, step 0 the first; with forward_extra_args it gets the extra
    arguments of the update as well. A step in which it does not run costs nothing.
    """

    def run(inner: Inner, due, g, state, params):
        return inner.run_if(due, g, state, params)

    return _conditional("conditionally_mask", inner, should_transform_fn, forward_extra_args, run)


@wrapper(
    traits=frozenset({"sometimes"}),
    example=lambda: {"inner": example("adam"), "should_transform_fn": every_other},
)
def conditionally_transform(
    inner: Any, should_transform_fn: Callable[..., Any], forward_extra_args: bool = False
):
    """Run a transformation in some steps; in the others updates pass as they are and its state stays.

    should_transform_fn(step) is a truth value, step 0 the first; with forward_extra_args it gets the extra
    arguments of the update as well.
    """

    def run(inner: Inner, due, g, state, params):
        shapes, _ = jax.eval_shape(inner.run, g, state, params)
        passed = tree.apply_updates(params, g) if inner.ctx.apply else g
        carry = (jax.tree.map(lambda x, like: x.astype(like.dtype), passed, shapes), state)
        return when(due, lambda carry, g, p: inner.run(g, carry[1], p), carry, g, params)

    return _conditional("conditionally_transform", inner, should_transform_fn, forward_extra_args, run)
