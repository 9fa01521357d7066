"""Links and wrappers that Optax has in `transforms`; here they are in the root as well."""

# Written by .ci/stubs.py: make stubs

from gradchain import AddNoiseState as AddNoiseState
from gradchain import ApplyIfFiniteState as ApplyIfFiniteState
from gradchain import ConditionFn as ConditionFn
from gradchain import ConditionallyMaskState as ConditionallyMaskState
from gradchain import ConditionallyTransformState as ConditionallyTransformState
from gradchain import EmaState as EmaState
from gradchain import MaskedNode as MaskedNode
from gradchain import MaskedState as MaskedState
from gradchain import MonitorState as MonitorState
from gradchain import MultiSteps as MultiSteps
from gradchain import MultiStepsState as MultiStepsState
from gradchain import NonNegativeParamsState as NonNegativeParamsState
from gradchain import PartitionState as PartitionState
from gradchain import ShouldSkipUpdateFunction as ShouldSkipUpdateFunction
from gradchain import SnapshotState as SnapshotState
from gradchain import TraceState as TraceState
from gradchain import ZeroNansState as ZeroNansState
from gradchain import adaptive_grad_clip as adaptive_grad_clip
from gradchain import add_decayed_weights as add_decayed_weights
from gradchain import add_noise as add_noise
from gradchain import apply_if_finite as apply_if_finite
from gradchain import chain as chain
from gradchain import clip as clip
from gradchain import clip_by_block_rms as clip_by_block_rms
from gradchain import clip_by_global_norm as clip_by_global_norm
from gradchain import conditionally_mask as conditionally_mask
from gradchain import conditionally_transform as conditionally_transform
from gradchain import ema as ema
from gradchain import flatten as flatten
from gradchain import freeze as freeze
from gradchain import keep_params_nonnegative as keep_params_nonnegative
from gradchain import masked as masked
from gradchain import measure_with_ema as measure_with_ema
from gradchain import monitor as monitor
from gradchain import named_chain as named_chain
from gradchain import partition as partition
from gradchain import per_example_global_norm_clip as per_example_global_norm_clip
from gradchain import per_example_layer_norm_clip as per_example_layer_norm_clip
from gradchain import selective_transform as selective_transform
from gradchain import skip_large_updates as skip_large_updates
from gradchain import skip_not_finite as skip_not_finite
from gradchain import snapshot as snapshot
from gradchain import trace as trace
from gradchain import unitwise_clip as unitwise_clip
from gradchain import unitwise_norm as unitwise_norm
from gradchain import zero_nans as zero_nans

__all__ = [
    "AddNoiseState",
    "ApplyIfFiniteState",
    "ConditionFn",
    "ConditionallyMaskState",
    "ConditionallyTransformState",
    "EmaState",
    "MaskedNode",
    "MaskedState",
    "MonitorState",
    "MultiSteps",
    "MultiStepsState",
    "NonNegativeParamsState",
    "PartitionState",
    "ShouldSkipUpdateFunction",
    "SnapshotState",
    "TraceState",
    "ZeroNansState",
    "adaptive_grad_clip",
    "add_decayed_weights",
    "add_noise",
    "apply_if_finite",
    "chain",
    "clip",
    "clip_by_block_rms",
    "clip_by_global_norm",
    "conditionally_mask",
    "conditionally_transform",
    "ema",
    "flatten",
    "freeze",
    "keep_params_nonnegative",
    "masked",
    "measure_with_ema",
    "monitor",
    "named_chain",
    "partition",
    "per_example_global_norm_clip",
    "per_example_layer_norm_clip",
    "selective_transform",
    "skip_large_updates",
    "skip_not_finite",
    "snapshot",
    "trace",
    "unitwise_clip",
    "unitwise_norm",
    "zero_nans",
]
