"""What chains are made of: scales, clipping, decay, noise, averages."""

from gradchain.rules.parts.averaging import EmaState, ema
from gradchain.rules.parts.basic import (
    ScaleByLearningRateState,
    ScaleByScheduleState,
    ZeroNansState,
    identity,
    scale,
    scale_by_learning_rate,
    scale_by_schedule,
    set_to_zero,
    zero_nans,
)
from gradchain.rules.parts.clipping import (
    AdaptiveGradClipState,
    GlobalNormState,
    adaptive_grad_clip,
    clip,
    clip_by_block_rms,
    clip_by_global_norm,
    unitwise_clip,
    unitwise_norm,
)
from gradchain.rules.parts.decay import (
    add_cautious_decayed_weights,
    add_decayed_weights,
    add_l1,
    proximal_decay,
    proximal_l1,
)
from gradchain.rules.parts.noise import AddNoiseState, add_noise, noisy_sgd
from gradchain.rules.parts.nonnegative import NonNegativeParamsState, keep_params_nonnegative
from gradchain.rules.parts.orthogonal import PCGradState, orthograd, pcgrad
from gradchain.rules.parts.privacy import (
    PrivateAggregateState,
    differentially_private_aggregate,
    per_example_global_norm_clip,
    per_example_layer_norm_clip,
)
from gradchain.rules.parts.snapshot import MonitoredState, SnapshotState, measure_with_ema, monitor, snapshot
from gradchain.rules.parts.stateless import stateless, stateless_with_tree_map

__all__ = [
    "AdaptiveGradClipState",
    "AddNoiseState",
    "EmaState",
    "GlobalNormState",
    "MonitoredState",
    "NonNegativeParamsState",
    "PCGradState",
    "PrivateAggregateState",
    "ScaleByLearningRateState",
    "ScaleByScheduleState",
    "SnapshotState",
    "ZeroNansState",
    "adaptive_grad_clip",
    "add_cautious_decayed_weights",
    "add_decayed_weights",
    "add_l1",
    "add_noise",
    "clip",
    "clip_by_block_rms",
    "clip_by_global_norm",
    "differentially_private_aggregate",
    "ema",
    "identity",
    "keep_params_nonnegative",
    "measure_with_ema",
    "monitor",
    "noisy_sgd",
    "orthograd",
    "pcgrad",
    "per_example_global_norm_clip",
    "per_example_layer_norm_clip",
    "proximal_decay",
    "proximal_l1",
    "scale",
    "scale_by_learning_rate",
    "scale_by_schedule",
    "set_to_zero",
    "snapshot",
    "stateless",
    "stateless_with_tree_map",
    "unitwise_clip",
    "unitwise_norm",
    "zero_nans",
]
