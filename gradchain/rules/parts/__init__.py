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
from gradchain.rules.parts.snapshot import snapshot

__all__ = [
    "adaptive_grad_clip",
    "add_decayed_weights",
    "add_l1",
    "add_noise",
    "clip",
    "clip_by_block_rms",
    "clip_by_global_norm",
    "ema",
    "identity",
    "noisy_sgd",
    "proximal_l1",
    "scale",
    "scale_by_learning_rate",
    "scale_by_schedule",
    "set_to_zero",
    "snapshot",
    "zero_nans",
]
