"""Transforms of transforms: accumulate, skip, average, lookahead."""

from gradchain.wrappers.accumulate import (
    AccumulateChosenState,
    AccumulateState,
    MultiSteps,
    accumulate,
    apply_every,
    skip_large_updates,
    skip_not_finite,
)
from gradchain.wrappers.average import AverageParamsState, average, average_params
from gradchain.wrappers.conditional import ConditionalState, conditionally_mask, conditionally_transform
from gradchain.wrappers.flat import flatten
from gradchain.wrappers.galore import GaLoreDimensionNumbers, ScaleByGaLoreState, galore, scale_by_galore
from gradchain.wrappers.groups import multi_transform, selective_transform
from gradchain.wrappers.inject import (
    InjectedSchedulesState,
    InjectedState,
    inject_hyperparams,
    inject_stateful_hyperparams,
    injected,
)
from gradchain.wrappers.lookahead import (
    LookaheadPairsState,
    LookaheadParams,
    LookaheadSyncState,
    ResetEveryState,
    lookahead,
    lookahead_sync,
    reset_every,
)
from gradchain.wrappers.mechanic import FlatMechanicDeltaState, FlatMechanicState, mechanize
from gradchain.wrappers.sam import SamState, SamSyncState, sam
from gradchain.wrappers.schedule_free import (
    FlatScheduleFreeState,
    schedule_free,
    schedule_free_adamw,
    schedule_free_sgd,
)
from gradchain.wrappers.skip import SkipSpikesState, SkipState, apply_if_finite, skip
from gradchain.wrappers.sophia import (
    HutchinsonState,
    ScaleBySophiaState,
    hutchinson_estimator_diag_hessian,
    scale_by_sophia,
    sophia,
)
from gradchain.wrappers.split_columns import split_columns
from gradchain.wrappers.split_complex import split_real_and_imaginary

__all__ = [
    "AccumulateChosenState",
    "AccumulateState",
    "AverageParamsState",
    "ConditionalState",
    "FlatMechanicDeltaState",
    "FlatMechanicState",
    "FlatScheduleFreeState",
    "GaLoreDimensionNumbers",
    "HutchinsonState",
    "InjectedSchedulesState",
    "InjectedState",
    "LookaheadPairsState",
    "LookaheadParams",
    "LookaheadSyncState",
    "MultiSteps",
    "ResetEveryState",
    "SamState",
    "SamSyncState",
    "ScaleByGaLoreState",
    "ScaleBySophiaState",
    "SkipSpikesState",
    "SkipState",
    "accumulate",
    "apply_every",
    "apply_if_finite",
    "average",
    "average_params",
    "conditionally_mask",
    "conditionally_transform",
    "flatten",
    "galore",
    "hutchinson_estimator_diag_hessian",
    "inject_hyperparams",
    "inject_stateful_hyperparams",
    "injected",
    "lookahead",
    "lookahead_sync",
    "mechanize",
    "multi_transform",
    "reset_every",
    "sam",
    "scale_by_galore",
    "scale_by_sophia",
    "schedule_free",
    "schedule_free_adamw",
    "schedule_free_sgd",
    "selective_transform",
    "skip",
    "skip_large_updates",
    "skip_not_finite",
    "sophia",
    "split_columns",
    "split_real_and_imaginary",
]
