"""Averages of the parameters beside the ones that are trained: EMA, SWA. Read by `eval_params`."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core import words
from gradchain.core.compose import chain
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Fraction, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import copy
from gradchain.core.transform import example, optimizer, transform
from gradchain.rules.momentum.asgd import scale_by_asgd
from gradchain.rules.parts.decay import optional_decay
from gradchain.wrappers.lookahead import LookaheadSyncState

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


@optimizer(
    paper="Polyak & Juditsky 1992; arXiv:1107.2490",
    near=("sgd", "average", "schedule_free_sgd"),
    errors=lambda: [ErrorInput({"t0": -1}, ValueError, ("t0 is -1", "0 or more"))],
)
def asgd(
    learning_rate: Hyper = 1e-2,
    lambd: Hyper = 1e-4,
    power: Hyper = 0.75,
    t0: int = 1_000_000,
    weight_decay: Hyper = 0.0,
):
    """Averaged SGD: see `scale_by_asgd`; `eval_params(tx, state, params)` is the mean of the parameters.

    The mean begins after t0 + 1 steps, until then it is the parameters. weight_decay * p joins the gradient.
    """
    if not 0 <= t0 < 2**31 - 2:
        raise ValueError(f"asgd: t0 is {words.show(t0)}; expected 0 or more, below 2**31 - 2")
    steps = scale_by_asgd(learning_rate, lambd, power)
    return chain(*optional_decay(weight_decay), steps, average_params(None, start=t0 + 1))


LookaheadState = LookaheadSyncState  # under this name states were pickled before
