"""Transforms of transforms: accumulate, skip, average, lookahead, mechanize, schedule_free."""

from gradchain.wrappers.accumulate import MultiSteps, accumulate, apply_every
from gradchain.wrappers.average import average, average_params, lookahead, lookahead_sync, reset_every
from gradchain.wrappers.mechanic import FlatMechanicDeltaState, FlatMechanicState, mechanize
from gradchain.wrappers.schedule_free import (
    FlatScheduleFreeState,
    schedule_free,
    schedule_free_adamw,
    schedule_free_sgd,
)
from gradchain.wrappers.skip import apply_if_finite, skip
from gradchain.wrappers.split_complex import split_real_and_imaginary

__all__ = [
    "FlatMechanicDeltaState",
    "FlatMechanicState",
    "FlatScheduleFreeState",
    "MultiSteps",
    "accumulate",
    "apply_every",
    "apply_if_finite",
    "average",
    "average_params",
    "lookahead",
    "lookahead_sync",
    "mechanize",
    "reset_every",
    "schedule_free",
    "schedule_free_adamw",
    "schedule_free_sgd",
    "skip",
    "split_real_and_imaginary",
]
