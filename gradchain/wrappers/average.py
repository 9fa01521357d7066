"""Averages of the parameters beside the ones that are trained: EMA, SWA, lookahead. Read by `eval_params`."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core import ages, words
from gradchain.core.compose import chain
from gradchain.core.control import when
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Fraction, Hyper, Period
from gradchain.core.leafwise import leafwise
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import copy, counter, shared
from gradchain.core.transform import example, optimizer, transform, wrapper
from gradchain.wrappers.base import wrap

PyTree = Any


class AverageParamsState(NamedTuple):
    count: Array  # [] int32, steps taken
    average: PyTree  # like params

    eval_field = "average"


@transform(
    traits=frozenset({"any_leaf"}),
    errors=lambda: [
        ErrorInput({"start": -1}, ValueError, ("start=-1", "start >= 0")),
        ErrorInput({"every": 0}, ValueError, ("every=0", "every >= 1")),
        ErrorInput({"every": 2**31}, ValueError, ("every=2147483648", "below 2**31")),
    ],
)
def average_params(decay: Fraction | None = 0.999, start: int = 0, every: int = 1):
    """Keep an average of the parameters that the updates lead to; the last link of a chain.

    The first one averaged (after step start + 1) is copied; then, every `every` steps,
    average = decay * average + (1 - decay) * (p + u); with decay None the arithmetic mean of all of them
    (SWA, arXiv:1803.05407).
    """
    if not 0 <= start < 2**31 or not 1 <= every < 2**31:  # counters are int32
        raise ValueError(
            f"average_params: start={words.show(start)}, every={words.show(every)}; expected start >= 0 and "
            "every >= 1, both below 2**31"
        )

    def step(g, s, p):
        n = s.count - start  # steps since averaging began, from 1
        place = (n - 1) // every  # of this step among those averaged, from 0
        weight = (
            1 / (place + 1).astype(p.real.dtype) if decay is None else jnp.where(place == 0, 1, 1 - decay)
        )
        taken = (n >= 1) & ((n - 1) % every == 0)
        new = p + g
        average = jnp.where(n < 1, new, s.average + jnp.where(taken, weight, 0) * (new - s.average))
        return g, AverageParamsState(s.count, average)

    return leafwise(AverageParamsState, step, average=copy)


@optimizer(paper="arXiv:1803.05407", example=lambda: {"tx": example("adam")})
def average(tx: Any, decay: Fraction | None = 0.999, *, start: int = 0, every: int = 1):
    """Train with `tx` and keep an average of the parameters: an EMA or, with decay None, the mean (SWA).

    `eval_params(tx, state, params)` reads it. See `average_params`, the link it adds.
    """
    return chain(as_transform(tx, "average"), average_params(decay, start, every))


class LookaheadState(NamedTuple):
    count: Array  # [] int32, steps taken
    slow: PyTree  # like params, the slow weights

    eval_field = "slow"


@transform(paper="arXiv:1907.08610", traits=frozenset({"any_leaf"}))
def lookahead_sync(sync_period: Period = 6, slow_step_size: Hyper = 0.5):
    """Every sync_period steps slow = slow + slow_step_size * (p + u - slow); the parameters become slow."""

    def step(g, s, p):
        due = s.count % jnp.round(sync_period).astype(s.count.dtype) == 0
        slow = jnp.where(due, s.slow + slow_step_size * (p + g - s.slow), s.slow)
        return jnp.where(due, slow - p, g), LookaheadState(s.count, slow)

    return leafwise(LookaheadState, step, ages=False, slow=copy)  # all leaves are synchronised together


class ResetEveryState(NamedTuple):
    count: Array  # [] int32, steps taken


@wrapper(example=lambda: {"tx": example("adam"), "period": 2})
def reset_every(tx: Any, period: Period):
    """Start the state of `tx` afresh after every `period` steps."""

    def step(inner, g, s, state, params):
        count = s.count + 1
        out, state = inner.run(g, state, params)
        due = count % jnp.round(period).astype(count.dtype) == 0
        fresh = ages.like(inner.init(g if params is None else params), state)
        return out, s._replace(count=count), when(due, lambda state, fresh: fresh, state, fresh)

    return wrap(ResetEveryState, as_transform(tx, "reset_every"), step, fields={"count": shared(counter)})


@optimizer(
    paper="arXiv:1907.08610",
    example=lambda: {"fast_optimizer": example("adam"), "sync_period": 2, "slow_step_size": 0.5},
)
def lookahead(fast_optimizer: Any, sync_period: Period, slow_step_size: Hyper, reset_state: bool = False):
    """k steps forward, one back: fast steps from slow weights, which follow every sync_period steps.

    The parameters are the fast weights; `eval_params` reads the slow ones. There is one set of parameters to
    pass around, unlike in Optax. reset_state: the fast optimizer starts afresh after each synchronisation.
    """
    fast = as_transform(fast_optimizer, "lookahead")
    if reset_state:
        fast = reset_every(fast, sync_period)
    return chain(fast, lookahead_sync(sync_period, slow_step_size))
