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
from gradchain.wrappers.adahessian import ScaleByAdahessianState, adahessian, scale_by_adahessian
from gradchain.wrappers.alice import ScaleByAliceState, alice, scale_by_alice
from gradchain.wrappers.average import AverageParamsState, asgd, average, average_params
from gradchain.wrappers.cautious import cautious, grams
from gradchain.wrappers.conditional import ConditionalState, conditionally_mask, conditionally_transform
from gradchain.wrappers.diloco import DiLoCoState, diloco
from gradchain.wrappers.flat import flatten
from gradchain.wrappers.galore import ScaleByGaLoreState, galore, scale_by_galore
from gradchain.wrappers.grafted import caspr, shampoo
from gradchain.wrappers.groups import multi_transform, selective_transform
from gradchain.wrappers.hypergradient import (
    HypergradientState,
    hypergradient,
    hypergradient_adam,
    hypergradient_sgd,
)
from gradchain.wrappers.inject import (
    InjectedSchedulesState,
    InjectedState,
    inject_hyperparams,
    inject_stateful_hyperparams,
    injected,
)
from gradchain.wrappers.lazy_rows import LazyRowsState, lazy_rows
from gradchain.wrappers.lookahead import (
    LookaheadPairsState,
    LookaheadParams,
    LookaheadSyncState,
    ResetEveryState,
    lookahead,
    lookahead_sync,
    reset_every,
)
from gradchain.wrappers.low_rank import (
    ScaleByApolloState,
    ScaleByFiraState,
    apollo,
    apollo_mini,
    fira,
    scale_by_apollo,
    scale_by_fira,
)
from gradchain.wrappers.mechanic import FlatMechanicDeltaState, FlatMechanicState, mechanize
from gradchain.wrappers.parallel import grafting, parallel
from gradchain.wrappers.primal_averaging import PrimalAveragingState, gpa_adamw, primal_averaging
from gradchain.wrappers.projected import GaLoreDimensionNumbers
from gradchain.wrappers.rates import layerwise_decay, lora_plus, mup
from gradchain.wrappers.roll_back import RollBackState, roll_back
from gradchain.wrappers.sam import SamState, SamSyncState, sam
from gradchain.wrappers.schedule_free import (
    FlatScheduleFreeState,
    schedule_free,
    schedule_free_adamw,
    schedule_free_radam,
    schedule_free_sgd,
)
from gradchain.wrappers.sharpness import LookSamState, asam, gsam, looksam
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
from gradchain.wrappers.trac import TracState, trac
from gradchain.wrappers.unfreeze import UnfreezeState, unfreeze

__all__ = [
    "AccumulateChosenState",
    "AccumulateState",
    "AverageParamsState",
    "ConditionalState",
    "DiLoCoState",
    "FlatMechanicDeltaState",
    "FlatMechanicState",
    "FlatScheduleFreeState",
    "GaLoreDimensionNumbers",
    "HutchinsonState",
    "HypergradientState",
    "InjectedSchedulesState",
    "InjectedState",
    "LazyRowsState",
    "LookSamState",
    "LookaheadPairsState",
    "LookaheadParams",
    "LookaheadSyncState",
    "MultiSteps",
    "PrimalAveragingState",
    "ResetEveryState",
    "RollBackState",
    "SamState",
    "SamSyncState",
    "ScaleByAdahessianState",
    "ScaleByAliceState",
    "ScaleByApolloState",
    "ScaleByFiraState",
    "ScaleByGaLoreState",
    "ScaleBySophiaState",
    "SkipSpikesState",
    "SkipState",
    "TracState",
    "UnfreezeState",
    "accumulate",
    "adahessian",
    "alice",
    "apollo",
    "apollo_mini",
    "apply_every",
    "apply_if_finite",
    "asam",
    "asgd",
    "average",
    "average_params",
    "caspr",
    "cautious",
    "conditionally_mask",
    "conditionally_transform",
    "diloco",
    "fira",
    "flatten",
    "galore",
    "gpa_adamw",
    "grafting",
    "grams",
    "gsam",
    "hutchinson_estimator_diag_hessian",
    "hypergradient",
    "hypergradient_adam",
    "hypergradient_sgd",
    "inject_hyperparams",
    "inject_stateful_hyperparams",
    "injected",
    "layerwise_decay",
    "lazy_rows",
    "lookahead",
    "lookahead_sync",
    "looksam",
    "lora_plus",
    "mechanize",
    "multi_transform",
    "mup",
    "parallel",
    "primal_averaging",
    "reset_every",
    "roll_back",
    "sam",
    "scale_by_adahessian",
    "scale_by_alice",
    "scale_by_apollo",
    "scale_by_fira",
    "scale_by_galore",
    "scale_by_sophia",
    "schedule_free",
    "schedule_free_adamw",
    "schedule_free_radam",
    "schedule_free_sgd",
    "selective_transform",
    "shampoo",
    "skip",
    "skip_large_updates",
    "skip_not_finite",
    "sophia",
    "split_columns",
    "split_real_and_imaginary",
    "trac",
    "unfreeze",
]
