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
    clip_by_block_norm,
    clip_by_block_rms,
    clip_by_global_norm,
    unitwise_clip,
    unitwise_norm,
)
from gradchain.rules.parts.decay import (
    AddDecayToStartState,
    add_cautious_decayed_weights,
    add_decay_to_start,
    add_decayed_weights,
    add_l1,
    proximal_decay,
    proximal_l1,
)
from gradchain.rules.parts.factors import scale_by_depth, scale_by_path
from gradchain.rules.parts.history import (
    ClipBySpikesState,
    LimitNormGrowthState,
    NormalizeByHistoryState,
    clip_by_spikes,
    limit_norm_growth,
    normalize_by_history,
)
from gradchain.rules.parts.layer_norms import (
    SnapshotLayerGradsState,
    SnapshotLayerUpdatesState,
    snapshot_layer_grads,
    snapshot_layer_updates,
)
from gradchain.rules.parts.noise import AddNoiseState, add_noise, noisy_sgd
from gradchain.rules.parts.nonnegative import NonNegativeParamsState, keep_params_nonnegative
from gradchain.rules.parts.orthogonal import PCGradState, orthograd, pcgrad
from gradchain.rules.parts.past_norm import ClipByPastNormState, clip_by_past_norm
from gradchain.rules.parts.privacy import (
    PrivateAggregateState,
    differentially_private_aggregate,
    per_example_global_norm_clip,
    per_example_layer_norm_clip,
)
from gradchain.rules.parts.snapshot import MonitoredState, SnapshotState, measure_with_ema, monitor, snapshot
from gradchain.rules.parts.stateless import stateless, stateless_with_tree_map
from gradchain.rules.parts.width import scale_by_mup

__all__ = [
    "AdaptiveGradClipState",
    "AddDecayToStartState",
    "AddNoiseState",
    "ClipByPastNormState",
    "ClipBySpikesState",
    "EmaState",
    "GlobalNormState",
    "LimitNormGrowthState",
    "MonitoredState",
    "NonNegativeParamsState",
    "NormalizeByHistoryState",
    "PCGradState",
    "PrivateAggregateState",
    "ScaleByLearningRateState",
    "ScaleByScheduleState",
    "SnapshotLayerGradsState",
    "SnapshotLayerUpdatesState",
    "SnapshotState",
    "ZeroNansState",
    "adaptive_grad_clip",
    "add_cautious_decayed_weights",
    "add_decay_to_start",
    "add_decayed_weights",
    "add_l1",
    "add_noise",
    "clip",
    "clip_by_block_norm",
    "clip_by_block_rms",
    "clip_by_global_norm",
    "clip_by_past_norm",
    "clip_by_spikes",
    "differentially_private_aggregate",
    "ema",
    "identity",
    "keep_params_nonnegative",
    "limit_norm_growth",
    "measure_with_ema",
    "monitor",
    "noisy_sgd",
    "normalize_by_history",
    "orthograd",
    "pcgrad",
    "per_example_global_norm_clip",
    "per_example_layer_norm_clip",
    "proximal_decay",
    "proximal_l1",
    "scale",
    "scale_by_depth",
    "scale_by_learning_rate",
    "scale_by_mup",
    "scale_by_path",
    "scale_by_schedule",
    "set_to_zero",
    "snapshot",
    "snapshot_layer_grads",
    "snapshot_layer_updates",
    "stateless",
    "stateless_with_tree_map",
    "unitwise_clip",
    "unitwise_norm",
    "zero_nans",
]
