"""Transforms of transforms: accumulate, skip, average, lookahead."""

from gradchain.wrappers.accumulate import MultiSteps, accumulate, apply_every
from gradchain.wrappers.average import average, average_params, lookahead, lookahead_sync, reset_every
from gradchain.wrappers.skip import apply_if_finite, skip
from gradchain.wrappers.split_complex import split_real_and_imaginary

__all__ = [
    "MultiSteps",
    "accumulate",
    "apply_every",
    "apply_if_finite",
    "average",
    "average_params",
    "lookahead",
    "lookahead_sync",
    "reset_every",
    "skip",
    "split_real_and_imaginary",
]
