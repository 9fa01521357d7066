"""gradchain: optimizers for JAX as chains of pure gradient transformations."""

from gradchain import rules, wrappers
from gradchain.checkpoint.errors import CheckpointError, DamagedError
from gradchain.checkpoint.files import load, save
from gradchain.checkpoint.imported import from_optax
from gradchain.checkpoint.managed import Checkpointer
from gradchain.checkpoint.report import LoadReport, Restored
from gradchain.checkpoint.state import load_state, set_state, state_dict
from gradchain.config import ConfigError, from_config, to_config
from gradchain.core import slots, tree
from gradchain.core.compose import chain, named_chain
from gradchain.core.foreign import foreign, with_extra_args_support
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
from gradchain.report.map_params import tree_map_params
from gradchain.report.metrics import metrics
from gradchain.report.monitor import monitored
from gradchain.report.scaled import scale_loss
from gradchain.report.table import Description, describe
from gradchain.rules import *
from gradchain.schedules import (
    SCHEDULES,
    Schedule,
    StatefulSchedule,
    WrappedSchedule,
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
from gradchain.wrappers import *

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
    "Period",
    "Restored",
    "Schedule",
    "ShardingWarning",
    "Signed",
    "StatefulSchedule",
    "Transform",
    "WrappedSchedule",
    "apply_updates",
    "chain",
    "codecs",
    "constant_schedule",
    "convert",
    "cosine_decay_schedule",
    "cosine_onecycle_schedule",
    "data_axes",
    "describe",
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
    "init",
    "inverse_sqrt_schedule",
    "join_schedules",
    "kahan",
    "layout",
    "leafwise",
    "linalg",
    "linear_onecycle_schedule",
    "linear_schedule",
    "load",
    "load_state",
    "loss_scale",
    "make_mesh",
    "masked",
    "master_weights",
    "metrics",
    "microbatch_grad",
    "microbatch_value_and_grad",
    "monitored",
    "named_chain",
    "numerics",
    "offload",
    "optimizer",
    "param_shardings",
    "partition",
    "per_matrix",
    "piecewise_constant_schedule",
    "piecewise_interpolate_schedule",
    "polynomial_schedule",
    "round_stochastically",
    "save",
    "scale_loss",
    "set_hyperparams",
    "set_state",
    "sgdr_schedule",
    "shared",
    "slots",
    "split_weights",
    "staircase_schedule",
    "state_dict",
    "stored",
    "to_config",
    "transform",
    "tree",
    "tree_map_params",
    "treewise",
    "tunable",
    "warmup_constant_schedule",
    "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule",
    "with_axes",
    "with_extra_args_support",
    "wrapper",
    "wsd_schedule",
    "zero",
]
__all__ += rules.__all__
__all__ += wrappers.__all__
