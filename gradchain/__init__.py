"""gradchain: optimizers for JAX as chains of pure gradient transformations."""

from gradchain.checkpoint.errors import CheckpointError, DamagedError
from gradchain.checkpoint.files import load, save
from gradchain.checkpoint.imported import from_optax
from gradchain.checkpoint.managed import Checkpointer
from gradchain.checkpoint.report import LoadReport, Restored
from gradchain.checkpoint.state import load_state, set_state, state_dict
from gradchain.config import ConfigError, from_config, to_config
from gradchain.core import slots, tree
from gradchain.core.compose import chain, named_chain
from gradchain.core.foreign import foreign
from gradchain.core.hyper import Decay, Fraction, Hyper, Limit, Period, Signed, tunable
from gradchain.core.leafwise import leafwise
from gradchain.core.link import treewise
from gradchain.core.masks import freeze, masked, partition
from gradchain.core.reading import with_axes
from gradchain.core.slots import Axes, shared
from gradchain.core.transform import REGISTRY, Transform, optimizer, transform, wrapper
from gradchain.core.tree import apply_updates, global_norm
from gradchain.math import numerics
from gradchain.matrices import linalg
from gradchain.matrices.per_matrix import per_matrix
from gradchain.report.convert import convert
from gradchain.report.evaluate import eval_params
from gradchain.report.hyperparams import hyperparams, set_hyperparams
from gradchain.report.metrics import metrics
from gradchain.report.monitor import monitored
from gradchain.report.scaled import scale_loss
from gradchain.report.table import Description, describe
from gradchain.rules.adaptive.adadelta import adadelta, scale_by_adadelta
from gradchain.rules.adaptive.adagrad import adagrad, scale_by_rss
from gradchain.rules.adaptive.adam import adam, adamw, amsgrad, nadam, scale_by_adam, scale_by_amsgrad
from gradchain.rules.adaptive.radam import radam, scale_by_radam
from gradchain.rules.adaptive.rmsprop import rmsprop, scale_by_rms, scale_by_stddev
from gradchain.rules.factored.adafactor import (
    adafactor,
    scale_by_adafactor,
    scale_by_factored_rms,
    scale_by_param_block_rms,
)
from gradchain.rules.layerwise.trust import lamb, lars, scale_by_lars, scale_by_trust_ratio
from gradchain.rules.matrix.muon import muon, scale_by_muon, scale_by_shape
from gradchain.rules.momentum.sgd import sgd, trace
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
from gradchain.rules.sign.lion import lion, scale_by_lion
from gradchain.schedules import (
    SCHEDULES,
    Schedule,
    constant_schedule,
    cosine_decay_schedule,
    cosine_onecycle_schedule,
    exponential_decay,
    inverse_sqrt_schedule,
    join_schedules,
    linear_onecycle_schedule,
    linear_schedule,
    piecewise_constant_schedule,
    piecewise_interpolate_schedule,
    polynomial_schedule,
    sgdr_schedule,
    staircase_schedule,
    warmup_constant_schedule,
    warmup_cosine_decay_schedule,
    warmup_exponential_decay_schedule,
    wsd_schedule,
)
from gradchain.sharding.layout import Layout, LayoutError, init, layout
from gradchain.sharding.mesh import data_axes, make_mesh
from gradchain.sharding.microbatch import microbatch_grad, microbatch_value_and_grad
from gradchain.sharding.offload import offload
from gradchain.sharding.params import param_shardings
from gradchain.sharding.split import ShardingWarning
from gradchain.sharding.zero import gather_params, zero
from gradchain.storage import codecs
from gradchain.storage.loss_scale import loss_scale
from gradchain.storage.parameters import kahan, master_weights, round_stochastically, split_weights
from gradchain.storage.release import gradient_release
from gradchain.storage.stored import stored
from gradchain.wrappers.accumulate import MultiSteps, accumulate, apply_every
from gradchain.wrappers.average import average, average_params, lookahead, lookahead_sync, reset_every
from gradchain.wrappers.skip import apply_if_finite, skip

__all__ = [
    "REGISTRY",
    "SCHEDULES",
    "Axes",
    "CheckpointError",
    "Checkpointer",
    "ConfigError",
    "DamagedError",
    "Decay",
    "Description",
    "Fraction",
    "Hyper",
    "Layout",
    "LayoutError",
    "Limit",
    "LoadReport",
    "MultiSteps",
    "Period",
    "Restored",
    "Schedule",
    "ShardingWarning",
    "Signed",
    "Transform",
    "accumulate",
    "adadelta",
    "adafactor",
    "adagrad",
    "adam",
    "adamw",
    "adaptive_grad_clip",
    "add_decayed_weights",
    "add_l1",
    "add_noise",
    "amsgrad",
    "apply_every",
    "apply_if_finite",
    "apply_updates",
    "average",
    "average_params",
    "chain",
    "clip",
    "clip_by_block_rms",
    "clip_by_global_norm",
    "codecs",
    "constant_schedule",
    "convert",
    "cosine_decay_schedule",
    "cosine_onecycle_schedule",
    "data_axes",
    "describe",
    "ema",
    "eval_params",
    "exponential_decay",
    "foreign",
    "freeze",
    "from_config",
    "from_optax",
    "gather_params",
    "global_norm",
    "gradient_release",
    "hyperparams",
    "identity",
    "init",
    "inverse_sqrt_schedule",
    "join_schedules",
    "kahan",
    "lamb",
    "lars",
    "layout",
    "leafwise",
    "linalg",
    "linear_onecycle_schedule",
    "linear_schedule",
    "lion",
    "load",
    "load_state",
    "lookahead",
    "lookahead_sync",
    "loss_scale",
    "make_mesh",
    "masked",
    "master_weights",
    "metrics",
    "microbatch_grad",
    "microbatch_value_and_grad",
    "monitored",
    "muon",
    "nadam",
    "named_chain",
    "noisy_sgd",
    "numerics",
    "offload",
    "optimizer",
    "param_shardings",
    "partition",
    "per_matrix",
    "piecewise_constant_schedule",
    "piecewise_interpolate_schedule",
    "polynomial_schedule",
    "proximal_l1",
    "radam",
    "reset_every",
    "rmsprop",
    "round_stochastically",
    "save",
    "scale",
    "scale_by_adadelta",
    "scale_by_adafactor",
    "scale_by_adam",
    "scale_by_amsgrad",
    "scale_by_factored_rms",
    "scale_by_lars",
    "scale_by_learning_rate",
    "scale_by_lion",
    "scale_by_muon",
    "scale_by_param_block_rms",
    "scale_by_radam",
    "scale_by_rms",
    "scale_by_rss",
    "scale_by_schedule",
    "scale_by_shape",
    "scale_by_stddev",
    "scale_by_trust_ratio",
    "scale_loss",
    "set_hyperparams",
    "set_state",
    "set_to_zero",
    "sgd",
    "sgdr_schedule",
    "shared",
    "skip",
    "slots",
    "snapshot",
    "split_weights",
    "staircase_schedule",
    "state_dict",
    "stored",
    "to_config",
    "trace",
    "transform",
    "tree",
    "treewise",
    "tunable",
    "warmup_constant_schedule",
    "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule",
    "with_axes",
    "wrapper",
    "wsd_schedule",
    "zero",
    "zero_nans",
]
