"""What chains are made of: scales, clipping, decay, noise, averages."""

from gradchain.rules.parts.averaging import ema
from gradchain.rules.parts.basic import (
    identity,
    scale,
    scale_by_learning_rate,
    scale_by_schedule,
    set_to_zero,
    zero_nans,
)
from gradchain.rules.parts.clipping import adaptive_grad_clip, clip, clip_by_block_rms, clip_by_global_norm
from gradchain.rules.parts.decay import add_decayed_weights, add_l1, proximal_l1
from gradchain.rules.parts.noise import add_noise, noisy_sgd
from gradchain.rules.parts.snapshot import MonitoredState, SnapshotState, measure_with_ema, monitor, snapshot
from gradchain.rules.parts.stateless import stateless, stateless_with_tree_map

__all__ = [
    "MonitoredState",
    "SnapshotState",
    "adaptive_grad_clip",
    "add_decayed_weights",
    "add_l1",
    "add_noise",
    "clip",
    "clip_by_block_rms",
    "clip_by_global_norm",
    "ema",
    "identity",
    "measure_with_ema",
    "monitor",
    "noisy_sgd",
    "proximal_l1",
    "scale",
    "scale_by_learning_rate",
    "scale_by_schedule",
    "set_to_zero",
    "snapshot",
    "stateless",
    "stateless_with_tree_map",
    "zero_nans",
]
