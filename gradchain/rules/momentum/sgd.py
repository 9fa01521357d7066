"""Gradient descent, with heavy-ball or Nesterov momentum: trace, sgd."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradchain.core.compose import chain
from gradchain.core.hyper import Fraction, Hyper
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.rules.parts.basic import scale_by_learning_rate

PyTree = Any


class TraceState(NamedTuple):
    trace: PyTree  # like params, sum of decay^age g


@transform(paper="Polyak 1964; Sutskever et al. 2013", example=lambda: {"decay": 0.9})
def trace(decay: Fraction, nesterov: bool = False, accumulator_dtype: DType | None = None):
    """Accumulate past updates: momentum as a decaying sum, not an average (that is `ema`).

    v = g + decay v;  u = v
    nesterov: u = g + decay v, the momentum of one step ahead.
    """

    def step(g, s):
        v = g + decay * s.trace
        return (g + decay * v if nesterov else v), TraceState(v)

    return leafwise(TraceState, step, trace=typed(zeros, accumulator_dtype))


@optimizer(paper="Robbins & Monro 1951; Sutskever et al. 2013", example=lambda: {"learning_rate": 0.1})
def sgd(
    learning_rate: Hyper,
    momentum: Fraction | None = None,
    nesterov: bool = False,
    accumulator_dtype: DType | None = None,
):
    """Gradient descent: p = p - lr * g, or with momentum p = p - lr * v, see `trace`."""
    rate = scale_by_learning_rate(learning_rate)
    return chain(rate) if momentum is None else chain(trace(momentum, nesterov, accumulator_dtype), rate)
