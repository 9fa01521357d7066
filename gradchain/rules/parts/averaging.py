"""ema: an exponential moving average of the updates."""

from __future__ import annotations

from typing import Any, NamedTuple

from jax import Array

from gradchain.core.hyper import Decay
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import typed, zeros
from gradchain.core.transform import transform
from gradchain.math import numerics

PyTree = Any


class EmaState(NamedTuple):
    count: Array  # [] int32, steps taken
    ema: PyTree  # like params, E[g]


@transform(example=lambda: {"decay": 0.9})
def ema(decay: Decay, debias: bool = True, accumulator_dtype: DType | None = None):
    """Average past updates: momentum as a mean, not a sum (that is `trace`).

    m = decay m + (1 - decay) g;  u = m / (1 - decay^t), or with debias=False u = m
    """

    def step(g, s):
        m = numerics.ema(s.ema, g, decay)
        return (numerics.debias(m, decay, s.count) if debias else m), EmaState(s.count, m)

    return leafwise(EmaState, step, ema=typed(zeros, accumulator_dtype))
