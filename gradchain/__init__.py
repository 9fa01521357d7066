"""gradchain: optimizers for JAX as chains of pure gradient transformations."""

from typing import TYPE_CHECKING

from gradchain import (
    absent,
    assignment,
    contrib,
    experimental,
    losses,
    microbatching,
    perturbations,
    plot,
    projections,
    rules,
    schedules,
    second_order,
    transforms,
    tree,
    tree_utils,
    types,
    wrappers,
    writers,
)
from gradchain import typing as typing
from gradchain.catalogue.advice import Suggestion, recipe
from gradchain.catalogue.search import Found, search
from gradchain.checkpoint.errors import CheckpointError, DamagedError
from gradchain.checkpoint.files import load, save
from gradchain.checkpoint.imported import from_optax
from gradchain.checkpoint.managed import Checkpointer
from gradchain.checkpoint.report import LoadReport, Restored
from gradchain.checkpoint.state import load_state, set_state, state_dict
from gradchain.checkpoint.torch_state import from_torch
from gradchain.config import ConfigError, from_config, from_repr, to_config
from gradchain.core import slots
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
from gradchain.doctor.diagnose import diagnose
from gradchain.doctor.findings import Diagnosis, Finding
from gradchain.frameworks.keras import keras
from gradchain.losses import (
    convex_kl_divergence,
    cosine_distance,
    cosine_similarity,
    ctc_loss,
    ctc_loss_with_forward_probs,
    generalized_kl_divergence,
    hinge_loss,
    huber_loss,
    kl_divergence,
    l2_loss,
    log_cosh,
    ntxent,
    safe_softmax_cross_entropy,
    sigmoid_binary_cross_entropy,
    sigmoid_focal_loss,
    smooth_labels,
    softmax_cross_entropy,
    softmax_cross_entropy_with_integer_labels,
    squared_error,
)
from gradchain.math import numerics
from gradchain.math.distributions import multi_normal
from gradchain.math.safe import safe_increment, safe_int32_increment, safe_norm, safe_root_mean_squares
from gradchain.matrices import linalg
from gradchain.matrices.per_matrix import per_matrix
from gradchain.matrices.solvers import matrix_inverse_pth_root, nnls, power_iteration
from gradchain.microbatching import microbatch
from gradchain.report.convert import convert
from gradchain.report.evaluate import eval_params, schedule_free_eval_params
from gradchain.report.factors import factors
from gradchain.report.hyperparams import hyperparams, set_hyperparams
from gradchain.report.map_params import tree_map_params
from gradchain.report.metrics import metrics
from gradchain.report.monitor import monitored
from gradchain.report.notebook import Shown, show
from gradchain.report.notebook import load_ipython_extension as load_ipython_extension
from gradchain.report.posterior import ivon_sample
from gradchain.report.scalars import scalars
from gradchain.report.scaled import scale_loss
from gradchain.report.sparsity import sparsity
from gradchain.report.table import Description, describe
from gradchain.rules import *
from gradchain.schedules import *
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
from gradchain.tree import (
    bias_correction,
    incremental_update,
    periodic_update,
    scale_gradient,
    update_infinity_moment,
    update_moment,
    update_moment_per_elem_norm,
)
from gradchain.tuning.find_lr import RateTest, find_lr
from gradchain.tuning.result import Sweep
from gradchain.tuning.sweep import sweep
from gradchain.tuning.training import trainer
from gradchain.types import *
from gradchain.wrappers import *

__version__ = "0.1.0"  # nowhere else but in CITATION.cff

__all__ = [
    "REGISTRY",
    "Axes",
    "CheckpointError",
    "Checkpointer",
    "ConfigError",
    "DamagedError",
    "Decay",
    "Description",
    "Diagnosis",
    "Finding",
    "Found",
    "Fraction",
    "Hyper",
    "Layout",
    "LayoutError",
    "Limit",
    "LoadReport",
    "Period",
    "RateTest",
    "Restored",
    "ShardingWarning",
    "Shown",
    "Signed",
    "Suggestion",
    "Sweep",
    "Transform",
    "apply_updates",
    "assignment",
    "bias_correction",
    "chain",
    "codecs",
    "contrib",
    "convert",
    "convex_kl_divergence",
    "cosine_distance",
    "cosine_similarity",
    "ctc_loss",
    "ctc_loss_with_forward_probs",
    "data_axes",
    "describe",
    "diagnose",
    "eval_params",
    "experimental",
    "factors",
    "find_lr",
    "foreign",
    "freeze",
    "from_config",
    "from_optax",
    "from_repr",
    "from_torch",
    "gather_params",
    "generalized_kl_divergence",
    "global_norm",
    "gradient_release",
    "hinge_loss",
    "huber_loss",
    "hyperparams",
    "incremental_update",
    "init",
    "ivon_sample",
    "kahan",
    "keras",
    "kl_divergence",
    "l2_loss",
    "layout",
    "leafwise",
    "linalg",
    "load",
    "load_state",
    "log_cosh",
    "loss_scale",
    "losses",
    "make_mesh",
    "masked",
    "master_weights",
    "matrix_inverse_pth_root",
    "metrics",
    "microbatch",
    "microbatch_grad",
    "microbatch_value_and_grad",
    "microbatching",
    "monitored",
    "multi_normal",
    "named_chain",
    "nnls",
    "ntxent",
    "numerics",
    "offload",
    "optimizer",
    "param_shardings",
    "partition",
    "per_matrix",
    "periodic_update",
    "perturbations",
    "plot",
    "power_iteration",
    "projections",
    "recipe",
    "round_stochastically",
    "safe_increment",
    "safe_int32_increment",
    "safe_norm",
    "safe_root_mean_squares",
    "safe_softmax_cross_entropy",
    "save",
    "scalars",
    "scale_gradient",
    "scale_loss",
    "schedule_free_eval_params",
    "schedules",
    "search",
    "second_order",
    "set_hyperparams",
    "set_state",
    "shared",
    "show",
    "sigmoid_binary_cross_entropy",
    "sigmoid_focal_loss",
    "slots",
    "smooth_labels",
    "softmax_cross_entropy",
    "softmax_cross_entropy_with_integer_labels",
    "sparsity",
    "split_weights",
    "squared_error",
    "state_dict",
    "stored",
    "sweep",
    "to_config",
    "trainer",
    "transform",
    "transforms",
    "tree",
    "tree_map_params",
    "tree_utils",
    "treewise",
    "tunable",
    "update_infinity_moment",
    "update_moment",
    "update_moment_per_elem_norm",
    "with_axes",
    "with_extra_args_support",
    "wrapper",
    "writers",
    "zero",
]
__all__ += rules.__all__
__all__ += schedules.__all__
__all__ += types.__all__
__all__ += wrappers.__all__


# Names that Optax has there too, of what trees and schedules do not know.
tree.map_params = tree_utils.tree_map_params = tree_map_params  # pyright: ignore[reportAttributeAccessIssue]
schedules.inject_hyperparams = wrappers.inject_hyperparams  # pyright: ignore[reportAttributeAccessIssue]
schedules.inject_stateful_hyperparams = wrappers.inject_hyperparams  # pyright: ignore
schedules.InjectHyperparamsState = types.InjectHyperparamsState  # pyright: ignore
schedules.InjectStatefulHyperparamsState = types.InjectStatefulHyperparamsState  # pyright: ignore


if not TYPE_CHECKING:  # to which every name would be there

    def __getattr__(name: str):
        raise absent.missing(name, __all__)
