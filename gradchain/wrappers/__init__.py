"""Transforms of transforms: accumulate, skip, average, lookahead."""

from gradchain.wrappers.accumulate import MultiSteps, accumulate, apply_every
from gradchain.wrappers.average import average, average_params, lookahead, lookahead_sync, reset_every
from gradchain.wrappers.galore import GaLoreDimensionNumbers, ScaleByGaLoreState, galore, scale_by_galore
from gradchain.wrappers.sam import SamState, SamSyncState, sam
from gradchain.wrappers.skip import apply_if_finite, skip
from gradchain.wrappers.sophia import (
    HutchinsonState,
    ScaleBySophiaState,
    hutchinson_estimator_diag_hessian,
    scale_by_sophia,
    sophia,
)

__all__ = [
    "GaLoreDimensionNumbers",
    "HutchinsonState",
    "MultiSteps",
    "SamState",
    "SamSyncState",
    "ScaleByGaLoreState",
    "ScaleBySophiaState",
    "accumulate",
    "apply_every",
    "apply_if_finite",
    "average",
    "average_params",
    "galore",
    "hutchinson_estimator_diag_hessian",
    "lookahead",
    "lookahead_sync",
    "reset_every",
    "sam",
    "scale_by_galore",
    "scale_by_sophia",
    "skip",
    "sophia",
]
