"""`optax.transforms`, see gradchain.optax."""

# Written by .ci/stubs.py: make stubs

from gradchain.optax import AddNoiseState as AddNoiseState
from gradchain.optax import ApplyIfFiniteState as ApplyIfFiniteState
from gradchain.optax import ConditionFn as ConditionFn
from gradchain.optax import ConditionallyMaskState as ConditionallyMaskState
from gradchain.optax import ConditionallyTransformState as ConditionallyTransformState
from gradchain.optax import EmaState as EmaState
from gradchain.optax import MaskedNode as MaskedNode
from gradchain.optax import MaskedState as MaskedState
from gradchain.optax import MonitorState as MonitorState
from gradchain.optax import MultiSteps as MultiSteps
from gradchain.optax import MultiStepsState as MultiStepsState
from gradchain.optax import NonNegativeParamsState as NonNegativeParamsState
from gradchain.optax import PartitionState as PartitionState
from gradchain.optax import ShouldSkipUpdateFunction as ShouldSkipUpdateFunction
from gradchain.optax import SnapshotState as SnapshotState
from gradchain.optax import TraceState as TraceState
from gradchain.optax import ZeroNansState as ZeroNansState
from gradchain.optax import adaptive_grad_clip as adaptive_grad_clip
from gradchain.optax import add_decayed_weights as add_decayed_weights
from gradchain.optax import add_noise as add_noise
from gradchain.optax import apply_if_finite as apply_if_finite
from gradchain.optax import chain as chain
from gradchain.optax import clip as clip
from gradchain.optax import clip_by_block_rms as clip_by_block_rms
from gradchain.optax import clip_by_global_norm as clip_by_global_norm
from gradchain.optax import conditionally_mask as conditionally_mask
from gradchain.optax import conditionally_transform as conditionally_transform
from gradchain.optax import ema as ema
from gradchain.optax import flatten as flatten
from gradchain.optax import freeze as freeze
from gradchain.optax import keep_params_nonnegative as keep_params_nonnegative
from gradchain.optax import masked as masked
from gradchain.optax import measure_with_ema as measure_with_ema
from gradchain.optax import monitor as monitor
from gradchain.optax import named_chain as named_chain
from gradchain.optax import partition as partition
from gradchain.optax import per_example_global_norm_clip as per_example_global_norm_clip
from gradchain.optax import per_example_layer_norm_clip as per_example_layer_norm_clip
from gradchain.optax import selective_transform as selective_transform
from gradchain.optax import skip_large_updates as skip_large_updates
from gradchain.optax import skip_not_finite as skip_not_finite
from gradchain.optax import snapshot as snapshot
from gradchain.optax import trace as trace
from gradchain.optax import unitwise_clip as unitwise_clip
from gradchain.optax import unitwise_norm as unitwise_norm
from gradchain.optax import zero_nans as zero_nans

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
