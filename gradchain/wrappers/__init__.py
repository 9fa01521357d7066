"""Transforms of transforms: accumulate, skip, average, lookahead."""

from gradchain.wrappers.accumulate import MultiSteps, accumulate, apply_every
from gradchain.wrappers.average import average, average_params, lookahead, lookahead_sync, reset_every
from gradchain.wrappers.conditional import ConditionalState, conditionally_mask, conditionally_transform
from gradchain.wrappers.flat import flatten
from gradchain.wrappers.groups import multi_transform, selective_transform
from gradchain.wrappers.skip import apply_if_finite, skip

__all__ = [
    "ConditionalState",
    "MultiSteps",
    "accumulate",
    "apply_every",
    "apply_if_finite",
    "average",
    "average_params",
    "conditionally_mask",
    "conditionally_transform",
    "flatten",
    "lookahead",
    "lookahead_sync",
    "multi_transform",
    "reset_every",
    "selective_transform",
    "skip",
]
