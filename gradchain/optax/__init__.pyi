"""Optax's surface: its names, signatures, numbers and form of the state, on gradchain's algorithms.

    import gradchain.optax as optax

A program written for Optax runs with this one import changed. What a factory returns is an instance of
Optax's own GradientTransformationExtraArgs, where Optax is installed; `tx.transform` is gradchain's
transform, whose state is a dict of links: tx.flat(state, params) gives it, tx.formed(flat, params) Optax's
form again. Functions of gradchain (`describe`, `save`, `load_state`, ...) take either."""

# Written by .ci/stubs.py: make stubs

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Literal

from gradchain import typing as _t
from gradchain import plot as plot
from gradchain import writers as writers
from gradchain.catalogue.advice import Suggestion as Suggestion
from gradchain.catalogue.advice import recipe as recipe
from gradchain.catalogue.search import Found as Found
from gradchain.catalogue.search import search as search
from gradchain.checkpoint.errors import CheckpointError as CheckpointError
from gradchain.checkpoint.errors import DamagedError as DamagedError
from gradchain.checkpoint.files import load as load
from gradchain.checkpoint.files import save as save
from gradchain.checkpoint.imported import from_optax as from_optax
from gradchain.checkpoint.managed import Checkpointer as Checkpointer
from gradchain.checkpoint.report import LoadReport as LoadReport
from gradchain.checkpoint.report import Restored as Restored
from gradchain.checkpoint.state import load_state as load_state
from gradchain.checkpoint.state import set_state as set_state
from gradchain.checkpoint.state import state_dict as state_dict
from gradchain.checkpoint.torch_state import from_torch as from_torch
from gradchain.config import ConfigError as ConfigError
from gradchain.config import from_config as from_config
from gradchain.config import from_repr as from_repr
from gradchain.config import to_config as to_config
from gradchain.core import slots as slots
from gradchain.core.hyper import Decay as Decay
from gradchain.core.hyper import Fraction as Fraction
from gradchain.core.hyper import Hyper as Hyper
from gradchain.core.hyper import Limit as Limit
from gradchain.core.hyper import Period as Period
from gradchain.core.hyper import Signed as Signed
from gradchain.core.hyper import tunable as tunable
from gradchain.core.leafwise import leafwise as leafwise
from gradchain.core.link import treewise as treewise
from gradchain.core.recipe import REGISTRY as REGISTRY
from gradchain.core.slots import Axes as Axes
from gradchain.core.slots import shared as shared
from gradchain.core.transform import Transform as Transform
from gradchain.core.transform import optimizer as optimizer
from gradchain.core.transform import transform as transform
from gradchain.core.transform import wrapper as wrapper
from gradchain.core.tree import apply_updates as apply_updates
from gradchain.core.tree import global_norm as global_norm
from gradchain.doctor.diagnose import diagnose as diagnose
from gradchain.doctor.findings import Diagnosis as Diagnosis
from gradchain.doctor.findings import Finding as Finding
from gradchain.frameworks.keras import keras as keras
from gradchain.losses import convex_kl_divergence as convex_kl_divergence
from gradchain.losses import cosine_distance as cosine_distance
from gradchain.losses import cosine_similarity as cosine_similarity
from gradchain.losses import ctc_loss as ctc_loss
from gradchain.losses import ctc_loss_with_forward_probs as ctc_loss_with_forward_probs
from gradchain.losses import generalized_kl_divergence as generalized_kl_divergence
from gradchain.losses import hinge_loss as hinge_loss
from gradchain.losses import huber_loss as huber_loss
from gradchain.losses import kl_divergence as kl_divergence
from gradchain.losses import l2_loss as l2_loss
from gradchain.losses import log_cosh as log_cosh
from gradchain.losses import ntxent as ntxent
from gradchain.losses import safe_softmax_cross_entropy as safe_softmax_cross_entropy
from gradchain.losses import sigmoid_binary_cross_entropy as sigmoid_binary_cross_entropy
from gradchain.losses import sigmoid_focal_loss as sigmoid_focal_loss
from gradchain.losses import smooth_labels as smooth_labels
from gradchain.losses import softmax_cross_entropy as softmax_cross_entropy
from gradchain.losses import softmax_cross_entropy_with_integer_labels as softmax_cross_entropy_with_integer_labels
from gradchain.losses import squared_error as squared_error
from gradchain.math import numerics as numerics
from gradchain.math.distributions import multi_normal as multi_normal
from gradchain.math.safe import safe_increment as safe_increment
from gradchain.math.safe import safe_int32_increment as safe_int32_increment
from gradchain.math.safe import safe_norm as safe_norm
from gradchain.math.safe import safe_root_mean_squares as safe_root_mean_squares
from gradchain.matrices import linalg as linalg
from gradchain.matrices.per_matrix import per_matrix as per_matrix
from gradchain.matrices.solvers import matrix_inverse_pth_root as matrix_inverse_pth_root
from gradchain.matrices.solvers import nnls as nnls
from gradchain.matrices.solvers import power_iteration as power_iteration
from gradchain.microbatching import microbatch as microbatch
from gradchain.optax import assignment as assignment
from gradchain.optax import contrib as contrib
from gradchain.optax import experimental as experimental
from gradchain.optax import losses as losses
from gradchain.optax import microbatching as microbatching
from gradchain.optax import perturbations as perturbations
from gradchain.optax import projections as projections
from gradchain.optax import schedules as schedules
from gradchain.optax import second_order as second_order
from gradchain.optax import transforms as transforms
from gradchain.optax import tree as tree
from gradchain.optax import tree_utils as tree_utils
from gradchain.optax import types as types
from gradchain.optax.special import freeze as freeze
from gradchain.optax.special import inject_hyperparams as inject_hyperparams
from gradchain.optax.special import inject_stateful_hyperparams as inject_stateful_hyperparams
from gradchain.optax.special import with_extra_args_support as with_extra_args_support
from gradchain.optax.surface import Transformation as Transformation
from gradchain.optax.types import AddNoiseState as AddNoiseState
from gradchain.optax.types import EmptyState as EmptyState
from gradchain.optax.types import GradientTransformation as GradientTransformation
from gradchain.optax.types import GradientTransformationExtraArgs as GradientTransformationExtraArgs
from gradchain.optax.types import MaskedNode as MaskedNode
from gradchain.report.convert import convert as convert
from gradchain.report.evaluate import eval_params as eval_params
from gradchain.report.evaluate import schedule_free_eval_params as schedule_free_eval_params
from gradchain.report.factors import factors as factors
from gradchain.report.hyperparams import hyperparams as hyperparams
from gradchain.report.hyperparams import set_hyperparams as set_hyperparams
from gradchain.report.map_params import tree_map_params as tree_map_params
from gradchain.report.metrics import metrics as metrics
from gradchain.report.notebook import Shown as Shown
from gradchain.report.notebook import show as show
from gradchain.report.posterior import ivon_sample as ivon_sample
from gradchain.report.scalars import scalars as scalars
from gradchain.report.scaled import scale_loss as scale_loss
from gradchain.report.sparsity import sparsity as sparsity
from gradchain.report.table import Description as Description
from gradchain.report.table import describe as describe
from gradchain.rules import AdanState as AdanState
from gradchain.rules import AdaptiveGradClipState as AdaptiveGradClipState
from gradchain.rules import AddDecayToStartState as AddDecayToStartState
from gradchain.rules import AdemamixState as AdemamixState
from gradchain.rules import BacktrackingLinesearchInfo as BacktrackingLinesearchInfo
from gradchain.rules import BacktrackingValueState as BacktrackingValueState
from gradchain.rules import COCOBState as COCOBState
from gradchain.rules import ClipByPastNormState as ClipByPastNormState
from gradchain.rules import ClipBySpikesState as ClipBySpikesState
from gradchain.rules import DAdaptAdamWState as DAdaptAdamWState
from gradchain.rules import DoGState as DoGState
from gradchain.rules import DoWGState as DoWGState
from gradchain.rules import EmaState as EmaState
from gradchain.rules import FactoredState as FactoredState
from gradchain.rules import GlobalNormState as GlobalNormState
from gradchain.rules import GrokfastEmaState as GrokfastEmaState
from gradchain.rules import GrokfastMaState as GrokfastMaState
from gradchain.rules import LimitNormGrowthState as LimitNormGrowthState
from gradchain.rules import MadgradState as MadgradState
from gradchain.rules import MomoAdamState as MomoAdamState
from gradchain.rules import MomoState as MomoState
from gradchain.rules import MonitoredState as MonitoredState
from gradchain.rules import MuonDimensionNumbers as MuonDimensionNumbers
from gradchain.rules import NonNegativeParamsState as NonNegativeParamsState
from gradchain.rules import NormalizeByHistoryState as NormalizeByHistoryState
from gradchain.rules import OptimisticGradientState as OptimisticGradientState
from gradchain.rules import PCGradState as PCGradState
from gradchain.rules import PolyakState as PolyakState
from gradchain.rules import PrivateAggregateState as PrivateAggregateState
from gradchain.rules import ProdigyState as ProdigyState
from gradchain.rules import PruneByMagnitudeState as PruneByMagnitudeState
from gradchain.rules import PruneNOfMState as PruneNOfMState
from gradchain.rules import QuantizeParamsState as QuantizeParamsState
from gradchain.rules import ReduceLROnPlateauState as ReduceLROnPlateauState
from gradchain.rules import ReduceVarianceState as ReduceVarianceState
from gradchain.rules import SM3State as SM3State
from gradchain.rules import ScaleByAccsgdState as ScaleByAccsgdState
from gradchain.rules import ScaleByAdaDeltaState as ScaleByAdaDeltaState
from gradchain.rules import ScaleByAdaiState as ScaleByAdaiState
from gradchain.rules import ScaleByAdamMiniState as ScaleByAdamMiniState
from gradchain.rules import ScaleByAdamState as ScaleByAdamState
from gradchain.rules import ScaleByAdamodState as ScaleByAdamodState
from gradchain.rules import ScaleByAdanormState as ScaleByAdanormState
from gradchain.rules import ScaleByAggmoState as ScaleByAggmoState
from gradchain.rules import ScaleByAmosState as ScaleByAmosState
from gradchain.rules import ScaleByAmsgradState as ScaleByAmsgradState
from gradchain.rules import ScaleByAsgdState as ScaleByAsgdState
from gradchain.rules import ScaleByBacktrackingLinesearchState as ScaleByBacktrackingLinesearchState
from gradchain.rules import ScaleByBeliefState as ScaleByBeliefState
from gradchain.rules import ScaleByCameState as ScaleByCameState
from gradchain.rules import ScaleByDiffgradState as ScaleByDiffgradState
from gradchain.rules import ScaleByDion2State as ScaleByDion2State
from gradchain.rules import ScaleByDionState as ScaleByDionState
from gradchain.rules import ScaleByDistanceOverGradientsState as ScaleByDistanceOverGradientsState
from gradchain.rules import ScaleByFocusState as ScaleByFocusState
from gradchain.rules import ScaleByFtrlState as ScaleByFtrlState
from gradchain.rules import ScaleByIvonState as ScaleByIvonState
from gradchain.rules import ScaleByKateState as ScaleByKateState
from gradchain.rules import ScaleByKlShampooState as ScaleByKlShampooState
from gradchain.rules import ScaleByLBFGSState as ScaleByLBFGSState
from gradchain.rules import ScaleByLearningRateState as ScaleByLearningRateState
from gradchain.rules import ScaleByLionState as ScaleByLionState
from gradchain.rules import ScaleByMuonState as ScaleByMuonState
from gradchain.rules import ScaleByNormuonState as ScaleByNormuonState
from gradchain.rules import ScaleByNovogradState as ScaleByNovogradState
from gradchain.rules import ScaleByPsgdLraState as ScaleByPsgdLraState
from gradchain.rules import ScaleByPsgdState as ScaleByPsgdState
from gradchain.rules import ScaleByQhmState as ScaleByQhmState
from gradchain.rules import ScaleByRStdDevState as ScaleByRStdDevState
from gradchain.rules import ScaleByRacsState as ScaleByRacsState
from gradchain.rules import ScaleByRectificationState as ScaleByRectificationState
from gradchain.rules import ScaleByRmsState as ScaleByRmsState
from gradchain.rules import ScaleByRpropState as ScaleByRpropState
from gradchain.rules import ScaleByRssState as ScaleByRssState
from gradchain.rules import ScaleByScheduleState as ScaleByScheduleState
from gradchain.rules import ScaleBySgdSaiState as ScaleBySgdSaiState
from gradchain.rules import ScaleByShampooState as ScaleByShampooState
from gradchain.rules import ScaleBySoapState as ScaleBySoapState
from gradchain.rules import ScaleBySpamState as ScaleBySpamState
from gradchain.rules import ScaleBySplusState as ScaleBySplusState
from gradchain.rules import ScaleByZoomLinesearchState as ScaleByZoomLinesearchState
from gradchain.rules import SimplifiedAdemamixState as SimplifiedAdemamixState
from gradchain.rules import SnapshotLayerGradsState as SnapshotLayerGradsState
from gradchain.rules import SnapshotLayerUpdatesState as SnapshotLayerUpdatesState
from gradchain.rules import SnapshotState as SnapshotState
from gradchain.rules import StepByOutputsState as StepByOutputsState
from gradchain.rules import StepOnSphereState as StepOnSphereState
from gradchain.rules import TraceState as TraceState
from gradchain.rules import UpdateNormState as UpdateNormState
from gradchain.rules import ZeroNansState as ZeroNansState
from gradchain.rules import ZoomLinesearchInfo as ZoomLinesearchInfo
from gradchain.rules import cubic_sparsity as cubic_sparsity
from gradchain.rules import matrices_alone as matrices_alone
from gradchain.rules import measure_with_ema as measure_with_ema
from gradchain.rules import per_example_global_norm_clip as per_example_global_norm_clip
from gradchain.rules import per_example_layer_norm_clip as per_example_layer_norm_clip
from gradchain.rules import unitwise_clip as unitwise_clip
from gradchain.rules import unitwise_norm as unitwise_norm
from gradchain.rules import value_and_grad_from_state as value_and_grad_from_state
from gradchain.schedules import SCHEDULES as SCHEDULES
from gradchain.schedules import SamplesState as SamplesState
from gradchain.schedules import Schedule as Schedule
from gradchain.schedules import StatefulSchedule as StatefulSchedule
from gradchain.schedules import WrappedSchedule as WrappedSchedule
from gradchain.schedules import WrappedScheduleState as WrappedScheduleState
from gradchain.schedules import batch_ramp_schedule as batch_ramp_schedule
from gradchain.schedules import batch_scaled_schedule as batch_scaled_schedule
from gradchain.schedules import by_counted_samples as by_counted_samples
from gradchain.schedules import by_samples as by_samples
from gradchain.schedules import constant_schedule as constant_schedule
from gradchain.schedules import cosine_decay_schedule as cosine_decay_schedule
from gradchain.schedules import cosine_onecycle_schedule as cosine_onecycle_schedule
from gradchain.schedules import cyclic_schedule as cyclic_schedule
from gradchain.schedules import exponential_decay as exponential_decay
from gradchain.schedules import inverse_sqrt_schedule as inverse_sqrt_schedule
from gradchain.schedules import inverse_time_schedule as inverse_time_schedule
from gradchain.schedules import join_schedules as join_schedules
from gradchain.schedules import linear_onecycle_schedule as linear_onecycle_schedule
from gradchain.schedules import linear_schedule as linear_schedule
from gradchain.schedules import piecewise_constant_schedule as piecewise_constant_schedule
from gradchain.schedules import piecewise_interpolate_schedule as piecewise_interpolate_schedule
from gradchain.schedules import polynomial_schedule as polynomial_schedule
from gradchain.schedules import rex_schedule as rex_schedule
from gradchain.schedules import sgdr_schedule as sgdr_schedule
from gradchain.schedules import sigmoid_schedule as sigmoid_schedule
from gradchain.schedules import staircase_schedule as staircase_schedule
from gradchain.schedules import warmup_constant_schedule as warmup_constant_schedule
from gradchain.schedules import warmup_cosine_decay_schedule as warmup_cosine_decay_schedule
from gradchain.schedules import warmup_exponential_decay_schedule as warmup_exponential_decay_schedule
from gradchain.schedules import wsd_schedule as wsd_schedule
from gradchain.sharding.layout import Layout as Layout
from gradchain.sharding.layout import LayoutError as LayoutError
from gradchain.sharding.layout import init as init
from gradchain.sharding.layout import layout as layout
from gradchain.sharding.mesh import data_axes as data_axes
from gradchain.sharding.mesh import make_mesh as make_mesh
from gradchain.sharding.microbatch import microbatch_grad as microbatch_grad
from gradchain.sharding.microbatch import microbatch_value_and_grad as microbatch_value_and_grad
from gradchain.sharding.params import param_shardings as param_shardings
from gradchain.sharding.split import ShardingWarning as ShardingWarning
from gradchain.sharding.zero import gather_params as gather_params
from gradchain.storage import codecs as codecs
from gradchain.storage.release import gradient_release as gradient_release
from gradchain.tree import bias_correction as bias_correction
from gradchain.tree import incremental_update as incremental_update
from gradchain.tree import periodic_update as periodic_update
from gradchain.tree import scale_gradient as scale_gradient
from gradchain.tree import update_infinity_moment as update_infinity_moment
from gradchain.tree import update_moment as update_moment
from gradchain.tree import update_moment_per_elem_norm as update_moment_per_elem_norm
from gradchain.tuning.find_lr import RateTest as RateTest
from gradchain.tuning.find_lr import find_lr as find_lr
from gradchain.tuning.result import Sweep as Sweep
from gradchain.tuning.sweep import sweep as sweep
from gradchain.tuning.training import trainer as trainer
from gradchain.types import AddDecayedWeightsState as AddDecayedWeightsState
from gradchain.types import ApplyEvery as ApplyEvery
from gradchain.types import ApplyIfFiniteState as ApplyIfFiniteState
from gradchain.types import ClipByGlobalNormState as ClipByGlobalNormState
from gradchain.types import ClipState as ClipState
from gradchain.types import ConditionFn as ConditionFn
from gradchain.types import ConditionallyMaskState as ConditionallyMaskState
from gradchain.types import ConditionallyTransformState as ConditionallyTransformState
from gradchain.types import DifferentiallyPrivateAggregateState as DifferentiallyPrivateAggregateState
from gradchain.types import GaLoreState as GaLoreState
from gradchain.types import InjectHyperparamsState as InjectHyperparamsState
from gradchain.types import InjectStatefulHyperparamsState as InjectStatefulHyperparamsState
from gradchain.types import LookaheadState as LookaheadState
from gradchain.types import MaskOrFn as MaskOrFn
from gradchain.types import MaskedState as MaskedState
from gradchain.types import MechanicState as MechanicState
from gradchain.types import MonitorState as MonitorState
from gradchain.types import MultiStepsState as MultiStepsState
from gradchain.types import MultiTransformState as MultiTransformState
from gradchain.types import MuonState as MuonState
from gradchain.types import NormalizeState as NormalizeState
from gradchain.types import OptState as OptState
from gradchain.types import Params as Params
from gradchain.types import PartitionState as PartitionState
from gradchain.types import SAMState as SAMState
from gradchain.types import ScalarOrSchedule as ScalarOrSchedule
from gradchain.types import ScaleByAdanState as ScaleByAdanState
from gradchain.types import ScaleByAdemamixState as ScaleByAdemamixState
from gradchain.types import ScaleByOptimisticGradientState as ScaleByOptimisticGradientState
from gradchain.types import ScaleBySM3State as ScaleBySM3State
from gradchain.types import ScaleBySimplifiedAdEMAMixState as ScaleBySimplifiedAdEMAMixState
from gradchain.types import ScaleByTrustRatioState as ScaleByTrustRatioState
from gradchain.types import ScaleState as ScaleState
from gradchain.types import ScheduleFreeState as ScheduleFreeState
from gradchain.types import ShouldSkipUpdateFunction as ShouldSkipUpdateFunction
from gradchain.types import SophiaState as SophiaState
from gradchain.types import SplitRealAndImaginaryState as SplitRealAndImaginaryState
from gradchain.types import TransformInitFn as TransformInitFn
from gradchain.types import TransformUpdateExtraArgsFn as TransformUpdateExtraArgsFn
from gradchain.types import TransformUpdateFn as TransformUpdateFn
from gradchain.types import Updates as Updates
from gradchain.types import WeightDecaySchedule as WeightDecaySchedule
from gradchain.types import init_empty_state as init_empty_state
from gradchain.wrappers import AccumulateChosenState as AccumulateChosenState
from gradchain.wrappers import AccumulateState as AccumulateState
from gradchain.wrappers import AverageParamsState as AverageParamsState
from gradchain.wrappers import ConditionalState as ConditionalState
from gradchain.wrappers import DiLoCoState as DiLoCoState
from gradchain.wrappers import FlatMechanicDeltaState as FlatMechanicDeltaState
from gradchain.wrappers import FlatMechanicState as FlatMechanicState
from gradchain.wrappers import FlatScheduleFreeState as FlatScheduleFreeState
from gradchain.wrappers import GaLoreDimensionNumbers as GaLoreDimensionNumbers
from gradchain.wrappers import HutchinsonState as HutchinsonState
from gradchain.wrappers import HypergradientState as HypergradientState
from gradchain.wrappers import InjectedSchedulesState as InjectedSchedulesState
from gradchain.wrappers import InjectedState as InjectedState
from gradchain.wrappers import LazyRowsState as LazyRowsState
from gradchain.wrappers import LookSamState as LookSamState
from gradchain.wrappers import LookaheadPairsState as LookaheadPairsState
from gradchain.wrappers import LookaheadParams as LookaheadParams
from gradchain.wrappers import LookaheadSyncState as LookaheadSyncState
from gradchain.wrappers import PrimalAveragingState as PrimalAveragingState
from gradchain.wrappers import ResetEveryState as ResetEveryState
from gradchain.wrappers import RollBackState as RollBackState
from gradchain.wrappers import SamState as SamState
from gradchain.wrappers import SamSyncState as SamSyncState
from gradchain.wrappers import ScaleByAdahessianState as ScaleByAdahessianState
from gradchain.wrappers import ScaleByAliceState as ScaleByAliceState
from gradchain.wrappers import ScaleByApolloState as ScaleByApolloState
from gradchain.wrappers import ScaleByFiraState as ScaleByFiraState
from gradchain.wrappers import ScaleByGaLoreState as ScaleByGaLoreState
from gradchain.wrappers import ScaleBySophiaState as ScaleBySophiaState
from gradchain.wrappers import SkipSpikesState as SkipSpikesState
from gradchain.wrappers import SkipState as SkipState
from gradchain.wrappers import TracState as TracState
from gradchain.wrappers import UnfreezeState as UnfreezeState
from gradchain.wrappers import skip_large_updates as skip_large_updates
from gradchain.wrappers import skip_not_finite as skip_not_finite

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
    "AdanState",
    "AdemamixState",
    "MadgradState",
    "ScaleByAdaDeltaState",
    "ScaleByAdaiState",
    "ScaleByAdamState",
    "ScaleByAdamodState",
    "ScaleByAdanormState",
    "ScaleByAmsgradState",
    "ScaleByBeliefState",
    "ScaleByDiffgradState",
    "ScaleByKateState",
    "ScaleByNovogradState",
    "ScaleByRStdDevState",
    "ScaleByRectificationState",
    "ScaleByRmsState",
    "ScaleByRssState",
    "ScaleBySpamState",
    "SimplifiedAdemamixState",
    "acprop",
    "adabelief",
    "adabound",
    "adadelta",
    "adagc",
    "adagrad",
    "adai",
    "adam",
    "adamax",
    "adamaxw",
    "adamc",
    "adamod",
    "adamp",
    "adamw",
    "adan",
    "adanorm",
    "add_corrected_weights",
    "ademamix",
    "adopt",
    "amsgrad",
    "ano",
    "diffgrad",
    "kate",
    "laprop",
    "madgrad",
    "nadam",
    "nadamw",
    "novograd",
    "optimistic_adam",
    "optimistic_adam_v2",
    "qhadam",
    "radam",
    "rmsprop",
    "scale_by_acprop",
    "scale_by_adabound",
    "scale_by_adadelta",
    "scale_by_adai",
    "scale_by_adam",
    "scale_by_adamax",
    "scale_by_adamod",
    "scale_by_adamp",
    "scale_by_adan",
    "scale_by_adanorm",
    "scale_by_ademamix",
    "scale_by_adopt",
    "scale_by_amsgrad",
    "scale_by_ano",
    "scale_by_belief",
    "scale_by_diffgrad",
    "scale_by_kate",
    "scale_by_laprop",
    "scale_by_madgrad",
    "scale_by_novograd",
    "scale_by_qhadam",
    "scale_by_radam",
    "scale_by_rectification",
    "scale_by_rms",
    "scale_by_rss",
    "scale_by_simplified_ademamix",
    "scale_by_spam",
    "scale_by_stable_adam",
    "scale_by_stddev",
    "scale_by_yogi",
    "simplified_ademamix",
    "spam",
    "stable_adamw",
    "stable_spam",
    "yogi",
    "BacktrackingLinesearchInfo",
    "BacktrackingValueState",
    "ScaleByBacktrackingLinesearchState",
    "ScaleByIvonState",
    "ScaleByLBFGSState",
    "ScaleByZoomLinesearchState",
    "ZoomLinesearchInfo",
    "ivon",
    "lbfgs",
    "scale_by_backtracking_linesearch",
    "scale_by_ivon",
    "scale_by_lbfgs",
    "scale_by_zoom_linesearch",
    "value_and_grad_from_state",
    "FactoredState",
    "SM3State",
    "ScaleByAdamMiniState",
    "ScaleByCameState",
    "ScaleByRacsState",
    "adafactor",
    "adam_mini",
    "came",
    "racs",
    "scale_by_adafactor",
    "scale_by_adam_mini",
    "scale_by_came",
    "scale_by_factored_rms",
    "scale_by_param_block_rms",
    "scale_by_racs",
    "scale_by_sm3",
    "slim_adam",
    "sm3",
    "ScaleByAmosState",
    "UpdateNormState",
    "amos",
    "centralize",
    "fromage",
    "lamb",
    "lars",
    "normalize",
    "normalize_by_update_norm",
    "scale_by_amos",
    "scale_by_lars",
    "scale_by_param_block_norm",
    "scale_by_trust_ratio",
    "step_and_shrink",
    "MuonDimensionNumbers",
    "ScaleByDion2State",
    "ScaleByDionState",
    "ScaleByKlShampooState",
    "ScaleByMuonState",
    "ScaleByNormuonState",
    "ScaleByPsgdLraState",
    "ScaleByPsgdState",
    "ScaleByShampooState",
    "ScaleBySoapState",
    "ScaleBySplusState",
    "StepByOutputsState",
    "StepOnSphereState",
    "adamh",
    "adamuon",
    "balance",
    "dion",
    "dion2",
    "kl_shampoo",
    "kl_soap",
    "matrices_alone",
    "muon",
    "muonclip",
    "muonh",
    "muown",
    "normuon",
    "orthogonalize",
    "psgd_kron",
    "psgd_lra",
    "qk_clip",
    "scale_by_dion",
    "scale_by_dion2",
    "scale_by_kl_shampoo",
    "scale_by_lmo",
    "scale_by_muon",
    "scale_by_normuon",
    "scale_by_psgd",
    "scale_by_psgd_lra",
    "scale_by_shampoo",
    "scale_by_shape",
    "scale_by_sides",
    "scale_by_sinkhorn",
    "scale_by_soap",
    "scale_by_splus",
    "scion",
    "sinkgd",
    "soap",
    "spectral_sphere",
    "spel",
    "splus",
    "step_by_outputs",
    "step_on_spectral_sphere",
    "step_on_sphere",
    "step_on_stiefel",
    "GrokfastEmaState",
    "GrokfastMaState",
    "OptimisticGradientState",
    "ScaleByAccsgdState",
    "ScaleByAggmoState",
    "ScaleByAsgdState",
    "ScaleByQhmState",
    "ScaleBySgdSaiState",
    "TraceState",
    "accsgd",
    "aggmo",
    "dpsgd",
    "grokfast_ema",
    "grokfast_ma",
    "optimistic_gradient_descent",
    "qhm",
    "scale_by_accsgd",
    "scale_by_aggmo",
    "scale_by_asgd",
    "scale_by_optimistic_gradient",
    "scale_by_qhm",
    "scale_by_sgd_sai",
    "scale_by_sgdp",
    "sgd",
    "sgd_sai",
    "sgdp",
    "trace",
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
    "PruneByMagnitudeState",
    "PruneNOfMState",
    "QuantizeParamsState",
    "ScaleByFtrlState",
    "cubic_sparsity",
    "ftrl",
    "parq",
    "prune_by_magnitude",
    "prune_n_of_m",
    "quantize_params",
    "scale_by_ftrl",
    "COCOBState",
    "DAdaptAdamWState",
    "DoGState",
    "DoWGState",
    "MomoAdamState",
    "MomoState",
    "PolyakState",
    "ProdigyState",
    "ReduceLROnPlateauState",
    "ScaleByDistanceOverGradientsState",
    "cocob",
    "dadapt_adamw",
    "dog",
    "dowg",
    "momo",
    "momo_adam",
    "polyak_sgd",
    "prodigy",
    "reduce_on_plateau",
    "scale_by_cocob",
    "scale_by_dadapt_adam",
    "scale_by_distance_over_gradients",
    "scale_by_dog",
    "scale_by_dowg",
    "scale_by_momo",
    "scale_by_momo_adam",
    "scale_by_polyak",
    "scale_by_prodigy",
    "ScaleByFocusState",
    "ScaleByLionState",
    "ScaleByRpropState",
    "focus",
    "lion",
    "rprop",
    "scale_by_focus",
    "scale_by_lion",
    "scale_by_rprop",
    "scale_by_sign",
    "sign_sgd",
    "signum",
    "tiger",
    "ReduceVarianceState",
    "mars",
    "reduce_variance",
    "SCHEDULES",
    "SamplesState",
    "Schedule",
    "StatefulSchedule",
    "WrappedSchedule",
    "WrappedScheduleState",
    "batch_ramp_schedule",
    "batch_scaled_schedule",
    "by_counted_samples",
    "by_samples",
    "constant_schedule",
    "cosine_decay_schedule",
    "cosine_onecycle_schedule",
    "cyclic_schedule",
    "exponential_decay",
    "inverse_sqrt_schedule",
    "inverse_time_schedule",
    "join_schedules",
    "linear_onecycle_schedule",
    "linear_schedule",
    "piecewise_constant_schedule",
    "piecewise_interpolate_schedule",
    "polynomial_schedule",
    "rex_schedule",
    "sgdr_schedule",
    "sigmoid_schedule",
    "staircase_schedule",
    "warmup_constant_schedule",
    "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule",
    "wsd_schedule",
    "AddDecayedWeightsState",
    "ApplyEvery",
    "ApplyIfFiniteState",
    "ClipByGlobalNormState",
    "ClipState",
    "ConditionFn",
    "ConditionallyMaskState",
    "ConditionallyTransformState",
    "DifferentiallyPrivateAggregateState",
    "EmptyState",
    "GaLoreState",
    "GradientTransformation",
    "GradientTransformationExtraArgs",
    "InjectHyperparamsState",
    "InjectStatefulHyperparamsState",
    "LookaheadState",
    "MaskOrFn",
    "MaskedNode",
    "MaskedState",
    "MechanicState",
    "MonitorState",
    "MultiStepsState",
    "MultiTransformState",
    "MuonState",
    "NormalizeState",
    "OptState",
    "Params",
    "PartitionState",
    "SAMState",
    "ScalarOrSchedule",
    "ScaleByAdanState",
    "ScaleByAdemamixState",
    "ScaleByOptimisticGradientState",
    "ScaleBySM3State",
    "ScaleBySimplifiedAdEMAMixState",
    "ScaleByTrustRatioState",
    "ScaleState",
    "ScheduleFreeState",
    "ShouldSkipUpdateFunction",
    "SophiaState",
    "SplitRealAndImaginaryState",
    "TransformInitFn",
    "TransformUpdateExtraArgsFn",
    "TransformUpdateFn",
    "Updates",
    "WeightDecaySchedule",
    "init_empty_state",
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

def MultiSteps(
    opt: _t.Link,
    every_k_schedule: _t.Period,
    use_grad_mean: bool = True,
    should_skip_update_fn: Callable[[Any, Any, Any], Any] | None = None,
    accumulator_dtype: _t.DType | None = None,
    *,
    running_mean: bool = False,
) -> Transformation:
    """Optax's name for `accumulate(opt, every_k_schedule, mean=use_grad_mean, ...)`, see there.

    Arguments shared with others:
      should_skip_update_fn: (grads, gradient_step, params) -> (leave the microbatch out, what to keep).
      accumulator_dtype: dtype in which the accumulated updates are kept; the arithmetic stays float32.
      running_mean: Keep the mean of the microbatches so far, as Optax does, rather than their sum.
    """
    ...

def accsgd(
    learning_rate: _t.Hyper,
    kappa: _t.Hyper = 1000.0,
    xi: _t.Hyper = 10.0,
    small_const: _t.Hyper = 0.7,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """Accelerated SGD, see `scale_by_accsgd`; weight_decay * p is added to the gradient before it (L2).

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      kappa: How many times longer the long step is than the short one.
      xi: Statistical advantage that is assumed, at most the root of kappa.
      small_const: A number below 1 in the length of the long step.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:1803.05591; arXiv:1704.08227
    """
    ...

def accumulate(
    tx: _t.Link,
    every: _t.Period = 1,
    *,
    mean: bool = True,
    nonfinite: str = "drop",
    running_mean: bool = False,
    should_skip_update_fn: Callable[[Any, Any, Any], Any] | None = None,
    accumulator_dtype: _t.DType | None = None,
) -> Transformation:
    """Step once every `every` updates, with the mean (or sum) of their gradients; in between nothing moves.

    The inner optimizer runs only when due: with `tx.step` the other microbatches cost 12 bytes a parameter.
    `every` may be a schedule of the optimizer steps taken, or tunable: the effective batch then changes
    without recompiling. A gradient that is not finite never reaches the optimizer:
    nonfinite="drop" looks when a step is due and drops that step, at no cost in between; "skip" leaves the
    microbatch itself out and waits for another, at 4 more bytes a parameter. Both count in `skipped`.
    should_skip_update_fn(grads, gradient_step, params) -> (whether to leave a microbatch out, what to keep of
    it) may say the same of any other, see `skip_large_updates`. running_mean: acc_grads is the mean of the
    microbatches so far, as in Optax, not their sum. tx.has_updated(state): whether the last one made a step.

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.
      every: Of how many steps one counts.
      mean: Take the mean of the gradients, not their sum.
      running_mean: Keep the mean of the microbatches so far, as Optax does, rather than their sum.
      should_skip_update_fn: (grads, gradient_step, params) -> (leave the microbatch out, what to keep).
      accumulator_dtype: dtype in which the accumulated updates are kept; the arithmetic stays float32.
    """
    ...

def acprop(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-16,
    eps_root: _t.Hyper = 1e-16,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    *,
    old_mean: bool = True,
) -> Transformation:
    """ACProp: p = p - lr * (g / (sqrt(v') + eps) + weight_decay * p), see `scale_by_acprop`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      old_mean: Compare the gradient with the mean that was before it.

    Source: arXiv:2110.05454
    """
    ...

def adabelief(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-16,
    eps_root: _t.Hyper = 1e-16,
    *,
    nesterov: bool = False,
) -> Transformation:
    """AdaBelief: p = p - lr * m' / (sqrt(v') + eps), see `scale_by_belief`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      nesterov: Look one step ahead along the momentum.

    Source: arXiv:2010.07468
    """
    ...

def adabound(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    final_ratio: _t.Hyper = 100.0,
    gamma: _t.Hyper = 0.001,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    mu_dtype: _t.DType | None = None,
    *,
    amsbound: bool = False,
) -> Transformation:
    """AdaBound: p = p - lr * (u + weight_decay * p), see `scale_by_adabound`.

    It ends as gradient descent with momentum and the rate final_ratio * lr: final_lr of the paper is 0.1 for
    lr 0.001. The authors add the decay to the gradient, `add_decayed_weights` before `scale_by_adabound`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      final_ratio: The rate that the bounds close around, as a multiple of the learning rate.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      amsbound: Take the largest second moment so far.

    Source: arXiv:1902.09843
    """
    ...

def adadelta(
    learning_rate: _t.Hyper | None = 1.0,
    rho: _t.Decay = 0.9,
    eps: _t.Hyper = 1e-06,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """AdaDelta: p = p - lr * u, u from `scale_by_adadelta` of g + weight_decay * p.

    The paper's learning rate is 1, which None is too. (Optax takes None for no last link, and its updates go
    up the gradient.)

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      rho: Decay of both running squares, from 0 to 1; of SAM and its kin how far the climb goes.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:1212.5701
    """
    ...

def adafactor(
    learning_rate: _t.Hyper | None = None,
    min_dim_size_to_factor: int = 128,
    decay_rate: _t.Hyper = 0.8,
    decay_offset: _t.Hyper = 0,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: _t.Limit | None = 1.0,
    momentum: _t.Decay | None = None,
    dtype_momentum: _t.DType | None = None,
    weight_decay: _t.Hyper | None = 0.0,
    eps: _t.Hyper = 1e-30,
    factored: bool = True,
    mask: _t.Selection = None,
    *,
    longest_axes: bool = True,
    per_leaf: bool = True,
) -> Transformation:
    """Adafactor: p = p - lr * max(rms(p), 1e-3) * u / max(1, rms(u) / clipping_threshold) - weight_decay * p.

    u is g over its factored root mean square, see `scale_by_factored_rms`; momentum averages the step (`ema`
    without bias correction). A learning rate of None leaves the step relative to the parameters alone. The
    learning rate does not touch the decay.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      min_dim_size_to_factor: A matrix with fewer rows or columns than this keeps its whole second moment.
      decay_rate: Exponent of Adafactor's averages: the newest square weighs t^-decay_rate.
      decay_offset: After how many steps the decay of Adafactor's averages begins to count.
      multiply_by_parameter_scale: Make steps relative to the root mean square of the parameters.
      clipping_threshold: The largest root mean square of an update before the learning rate; None: any.
      momentum: Decay of the momentum that is added to the method, from 0 to 1; None: no momentum.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      factored: Keep the second moment of a matrix as its means over rows and over columns.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      longest_axes: Take the two longest axes for rows and columns, whatever the leaf's name says.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:1804.04235
    """
    ...

def adagc(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.1,
    mask: _t.Selection = None,
    mu_dtype: _t.DType | None = None,
    *,
    max_norm: _t.Limit = 1.0,
    relative: _t.Limit = 1.05,
    decay: _t.Decay = 0.98,
    warmup_steps: _t.Period = 100,
    per_leaf: bool = False,
) -> Transformation:
    """AdaGC: `adamw` on clipped gradients, see `clip_by_past_norm`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      max_norm: The largest norm that is left as it is.
      relative: The largest norm of a layer as a multiple of the average that it had.
      decay: How much of an average, or of a sum, outlives a step, from 0 to 1.
      warmup_steps: Steps in which the learning rate grows to its value; None: it is constant.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:2502.11034
    """
    ...

def adagrad(
    learning_rate: _t.Hyper,
    initial_accumulator_value: _t.Hyper = 0.1,
    eps: _t.Hyper = 1e-07,
    *,
    eps_in_sqrt: bool = True,
) -> Transformation:
    """AdaGrad: p = p - lr * g / sqrt(n + eps), see `scale_by_rss`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      initial_accumulator_value: What the sum or mean of squares starts with.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_in_sqrt: Whether eps is under the root, sqrt(v + eps), or beside it, sqrt(v) + eps.

    Source: Duchi et al. 2011, JMLR 12
    """
    ...

def adahessian(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 0.0001,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    hessian_power: _t.Fraction = 1.0,
    update_interval: _t.Period = 1,
    hessian_diagonal_fn: _t.Link = ...,
    mu_dtype: _t.DType | None = None,
    *,
    spatial_average: bool = True,
) -> Transformation:
    """AdaHessian: p = p - lr * (u + weight_decay * p), see `scale_by_adahessian`.

    The default estimate of the Hessian needs an extra argument: tx.update(grads, state, params, obj_fn=f).

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      hessian_power: Power of the Hessian's diagonal that divides the update, from 0 to 1.
      update_interval: How many steps pass from one estimate of the Hessian to the next.
      hessian_diagonal_fn: A transformation whose updates are an estimate of the Hessian's diagonal.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      spatial_average: Average the Hessian's diagonal over the window of a convolution.

    Source: arXiv:2006.00719
    """
    ...

def adai(
    learning_rate: _t.Hyper,
    b0: _t.Hyper = 0.1,
    b2: _t.Decay = 0.99,
    eps: _t.Hyper = 0.001,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """Adai: p = p - lr * (m' + weight_decay * p), see `scale_by_adai`.

    The learning rate is one of gradient descent, 10 times that of `sgd` with momentum 0.9, which is a sum.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b0: What Adai's momentum lacks to 1 where the second moment is average.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2006.15815
    """
    ...

def adam(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    mu_dtype: _t.DType | None = None,
    *,
    nesterov: bool = False,
    bias_correction: bool = True,
) -> Transformation:
    """Adam: p = p - lr * m' / (sqrt(v') + eps), see `scale_by_adam`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      nesterov: Look one step ahead along the momentum.
      bias_correction: Divide averages that start at zero by 1 - decay^t.

    Source: arXiv:1412.6980
    """
    ...

def adam_mini(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    *,
    over: Literal["blocks", "rows", "cols", "matrix", "none"] | Mapping[str, str] = "blocks",
) -> Transformation:
    """Adam-mini: p = p - lr * (u + weight_decay * p), see `scale_by_adam_mini`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      over: Along which axes elements share a second moment: a word, or patterns of paths and words.

    Source: arXiv:2406.16793
    """
    ...

def adamax(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
) -> Transformation:
    """AdaMax: p = p - lr * m' / v, see `scale_by_adamax`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:1412.6980
    """
    ...

def adamaxw(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0001,
    mask: _t.Selection = None,
) -> Transformation:
    """AdaMax with decoupled weight decay: p = p - lr * (m' / v + weight_decay * p).

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:1412.6980; arXiv:1711.05101
    """
    ...

def adamc(
    learning_rate: _t.Hyper,
    max_learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.01,
    mask: _t.Selection = None,
    mu_dtype: _t.DType | None = None,
) -> Transformation:
    """AdamC: p = p - lr * (m' / (sqrt(v') + eps) + weight_decay * lr / max_learning_rate * p).

    max_learning_rate is the largest value of the schedule; with a constant one it is AdamW. Both links read
    the learning rate: where it is tunable, "**/learning_rate" sets it in both. See `add_corrected_weights`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      max_learning_rate: The longest step.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.

    Source: arXiv:2506.02285
    """
    ...

def adamh(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    mu_dtype: _t.DType | None = None,
    *,
    adam_weight_decay: _t.Hyper = 0.0,
    adam_learning_rate: _t.Hyper | None = None,
    mask: _t.Selection = None,
    muon_mask: _t.Selection = None,
) -> Transformation:
    """AdamH: Adam whose matrices keep their norms, by `step_on_sphere`; AdamW for all other leaves.

    `muon_mask` selects the matrices, as in `muon`; None: all but embeddings and heads, by their paths.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      adam_weight_decay: Weight decay of the leaves that are no matrices.
      adam_learning_rate: Learning rate of the leaves that are no matrices; None: the same.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      muon_mask: Which leaves with rows and columns are matrices here; None: all but embeddings and heads, by the names in their paths.

    Source: arXiv:2606.16899
    """
    ...

def adamod(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    b3: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """AdaMod: p = p - lr * (min(r, a) * m + weight_decay * p), see `scale_by_adamod`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      b3: Decay of the third statistic in the state, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:1910.12249
    """
    ...

def adamp(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    delta: _t.Hyper = 0.1,
    wd_ratio: _t.Fraction = 0.1,
    mu_dtype: _t.DType | None = None,
    *,
    nesterov: bool = False,
) -> Transformation:
    """AdamP: p = p - lr * u, see `scale_by_adamp`; weights before a normalisation do not grow by momentum.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      delta: Where an update is projected: the cosine of gradient and weights is below delta / sqrt(n).
      wd_ratio: Factor of the decay where an update is projected.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      nesterov: Look one step ahead along the momentum.

    Source: arXiv:2006.08217
    """
    ...

def adamuon(
    learning_rate: _t.Hyper,
    beta: _t.Decay = 0.95,
    b2: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    mu_dtype: _t.DType | None = None,
    *,
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = (3.4445, -4.775, 2.0315),
    ns_steps: int = 5,
    nesterov: bool = False,
    equilibrate: Literal["outputs", "inputs", "both", "elements"] | None = "elements",
    consistent_rms: _t.Hyper | None = 0.2,
    adam_b1: _t.Decay = 0.9,
    adam_b2: _t.Decay = 0.999,
    adam_weight_decay: _t.Hyper = 0.0,
    adam_learning_rate: _t.Hyper | None = None,
    muon_mask: _t.Selection = None,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
    ns_kernel: Literal["xla", "pallas"] = "xla",
) -> Transformation:
    """AdaMuon: the signs of the momentum made orthogonal, divided by a second moment of each number.

    u = newton_schulz(sign(m));  v = b2 v + (1 - b2) u^2;  u = u / (sqrt(v) + eps), then of root mean square
    consistent_rms; the paper has b2 = beta. Its first version, and the authors' code, take no signs
    (equilibrate=None), nesterov=True and b2=0.999. Other leaves: AdamW.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      nesterov: Look one step ahead along the momentum.
      equilibrate: What of the momentum is balanced before orthogonalisation, see `balance`; None: nothing.
      consistent_rms: Root mean square of the updates of all matrices; None: scaled by columns / rows.
      adam_b1: `b1` of Adam for the leaves that are no matrices.
      adam_b2: `b2` of Adam for the leaves that are no matrices.
      adam_weight_decay: Weight decay of the leaves that are no matrices.
      adam_learning_rate: Learning rate of the leaves that are no matrices; None: the same.
      muon_mask: Which leaves with rows and columns are matrices here; None: all but embeddings and heads, by the names in their paths.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.
      ns_kernel: What Newton-Schulz products run by: 'xla', or on TPU 'pallas', half of the symmetric ones.

    Source: arXiv:2507.11005
    """
    ...

def adamw(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    mu_dtype: _t.DType | None = None,
    weight_decay: _t.Hyper = 0.0001,
    mask: _t.Selection = None,
    *,
    nesterov: bool = False,
    decoupled: bool = False,
) -> Transformation:
    """Adam with weight decay outside the statistics, on the leaves that `mask` selects.

    p = p - lr * (m' / (sqrt(v') + eps) + weight_decay * p)
    decoupled=True: p = p - lr * m' / (sqrt(v') + eps) - weight_decay * p; the learning rate does not touch
    the decay, so that a fitting weight_decay is smaller by the factor lr.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      nesterov: Look one step ahead along the momentum.

    Source: arXiv:1711.05101
    """
    ...

def adan(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.98,
    b2: _t.Decay = 0.92,
    b3: _t.Decay = 0.99,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    *,
    proximal: bool = False,
) -> Transformation:
    """Adan: p = (p - lr * u) / (1 + lr * weight_decay), u from `scale_by_adan`.

    proximal=False: p = p - lr * (u + weight_decay * p), as in AdamW and Optax. A proximal decay reads the
    learning rate as well: where it is tunable, "**/learning_rate" sets it in both links.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      b3: Decay of the third statistic in the state, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      proximal: Decay what the step leads to, as the paper does, not the parameters before it.

    Source: arXiv:2208.06677
    """
    ...

def adanorm(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.99,
    b3: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    *,
    per_leaf: bool = False,
) -> Transformation:
    """AdamNorm, Adam with AdaNorm: p = p - lr * (u + weight_decay * p), see `scale_by_adanorm`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      b3: Decay of the third statistic in the state, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:2210.06364
    """
    ...

def adaptive_grad_clip(
    clipping: _t.Limit,
    eps: _t.Hyper = 0.001,
    axis: int | tuple[int, ...] | None = None,
) -> Transformation:
    """Clip the gradient of each unit to a multiple of the norm of its weights.

    u = g * min(1, clipping * max(|p|, eps) / |g|), norms by unit: a column of a matrix (of each matrix of a
    stack), the whole of a vector, as the leaf's axes say, or with `axis` the numbers along these axes (Optax
    guesses from the rank, see `unitwise_norm`).

    Arguments shared with others:
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      axis: Which axes of an array a norm is taken over; of `zero`, which axes of the mesh.

    Source: arXiv:2102.06171
    """
    ...

def add_cautious_decayed_weights(
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """Add a multiple of the parameters where the update shrinks them already: after the scaling.

    u = g + weight_decay * p where g * p >= 0, else u = g
    Decay never works against the step, so that the loss it leads to is that without a penalty. `mask`
    selects the leaves that decay.

    Arguments shared with others:
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2510.12402
    """
    ...

def add_corrected_weights(
    learning_rate: _t.Hyper,
    max_learning_rate: _t.Hyper,
    weight_decay: _t.Hyper = 0.01,
    mask: _t.Selection = None,
) -> Transformation:
    """Add a multiple of the parameters that falls with the learning rate, that of the chain.

    u = g + weight_decay * learning_rate / max_learning_rate * p
    `mask` selects the leaves: the weights that a normalisation follows. Others, such as the output layer,
    take `add_decayed_weights`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      max_learning_rate: The longest step.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2506.02285
    """
    ...

def add_decay_to_start(
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """Add a multiple of the way from the start: u = g + weight_decay * (p - start) (L2-SP).

    For fine-tuning: weights decay towards the pretrained ones, not to zero. The state keeps the start; it may
    be stored in fewer bits where a pattern names it, and offloaded. Stands where `add_decayed_weights` would.

    Arguments shared with others:
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:1802.01483
    """
    ...

def add_decayed_weights(
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """Add a multiple of the parameters: u = g + weight_decay * p.

    Before a scaling by statistics (Adam) this is L2 regularisation; after it, decoupled weight decay, which
    a learning rate further on still multiplies. `mask` selects the leaves that decay.
    Source: arXiv:1711.05101.

    Arguments shared with others:
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
    """
    ...

def add_l1(
    strength: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """Add the subgradient of strength * sum |p|: u = g + strength * sign(p).

    Weights hover around zero; `proximal_l1` makes them exactly zero.

    Arguments shared with others:
      strength: Weight of the penalty.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
    """
    ...

def add_noise(
    eta: _t.Hyper,
    gamma: _t.Hyper,
    key: _t.Key | None = None,
    *,
    seed: int | None = None,
) -> Transformation:
    """Add normal noise that fades: u = g + sqrt(eta / (1 + t)^gamma) * normal, t = 0 at the first update.

    The noise is a function of (seed, step, path, element) alone: the same eager, jitted, scanned and sharded.
    The seed is `seed` or `key`, which may be a JAX key; by default 0.

    Arguments shared with others:
      eta: Of noise its variance in the first update; of KATE the weight of squared gradients.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      key: Seed of the noise, a whole number or a JAX key; give it or `seed`.
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:1511.06807
    """
    ...

def ademamix(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    b3: _t.Decay = 0.9999,
    alpha: _t.Hyper = 5.0,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    mu_dtype: _t.DType | None = None,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """AdEMAMix: p = p - lr * ((m' + alpha n) / (sqrt(v') + eps) + weight_decay * p).

    See `scale_by_ademamix`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      b3: Decay of the third statistic in the state, see the formula.
      alpha: Weight of one term of the update, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2409.03137
    """
    ...

def adopt(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.9999,
    eps: _t.Hyper = 1e-06,
    mu_dtype: _t.DType | None = None,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
    clip_value_fn: Callable[[Any], Any] | None = None,
) -> Transformation:
    """ADOPT: p = p - lr * m, see `scale_by_adopt`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      nesterov: Look one step ahead along the momentum.
      use_clipping: Bound what joins the momentum, element by element.
      clip_value_fn: The bound of each element as a function of the step; None: the paper's.

    Source: arXiv:2411.02853
    """
    ...

def aggmo(
    learning_rate: _t.Hyper,
    decays: Sequence[float] = (0.0, 0.9, 0.99),
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """Aggregated momentum: p = p - lr * (mean of the momenta + weight_decay * p), see `scale_by_aggmo`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      decays: Decays of the momenta whose mean is taken, each from 0 to below 1.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:1804.00325
    """
    ...

def alice(
    learning_rate: _t.Hyper,
    rank: int = 128,
    update_proj_gap: _t.Period = 200,
    scale: _t.Hyper = 0.3,
    base_optimizer: Any = None,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    weight_dimension_numbers: Any = None,
    *,
    leading: int = 40,
    b1: _t.Decay = 0.9,
    b3: _t.Decay | None = 0.999,
    compensation: _t.Hyper | None = 0.4,
    gamma: _t.Hyper | None = 1.01,
    eps: _t.Hyper = 1e-08,
    seed: _t.Key = 0,
) -> Transformation:
    """Alice: p = p - lr * (u + weight_decay * p), see `scale_by_alice`; with b3=None Alice-0.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      rank: To how many rows or columns a gradient is projected.
      update_proj_gap: How many steps pass from one projection to the next.
      scale: Factor of the updates of projected leaves.
      base_optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      weight_dimension_numbers: Which axes of a leaf are rows and columns, as Optax says it.
      leading: How many eigenvectors a new basis keeps; the others are drawn.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b3: Decay of the third statistic in the state, see the formula.
      compensation: Weight of what a projection leaves out; None: it is left out.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:2502.07752
    """
    ...

def amos(
    learning_rate: _t.Hyper,
    target_scale: _t.Hyper | None = None,
    b2: _t.Decay = 0.999,
    zeta: _t.Hyper = 0.25,
    momentum: _t.Decay | None = None,
) -> Transformation:
    """Amos: p = p + u, or with momentum the running mean of u, see `scale_by_amos`.

    It needs no schedule and no weight decay. Other target scales for some leaves are groups of a `partition`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      target_scale: The size that weights are expected to reach; None: by the shape of the leaf.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      zeta: How fast learning rate and weight decay fade.
      momentum: Decay of the momentum that is added to the method, from 0 to 1; None: no momentum.

    Source: arXiv:2210.11693
    """
    ...

def amsgrad(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    mu_dtype: _t.DType | None = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
    *,
    debias_first: bool = True,
) -> Transformation:
    """AMSGrad: see `scale_by_amsgrad`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      bias_correction_mu: Divide the first moment by 1 - b1^t.
      bias_correction_nu: Divide the second moment by 1 - b2^t.
      debias_first: Take the maximum of what bias correction made of the second moment.

    Source: arXiv:1904.09237
    """
    ...

def ano(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.92,
    b2: _t.Decay = 0.99,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    mu_dtype: _t.DType | None = None,
) -> Transformation:
    """Ano: p = p - lr * (sign(m) |g| / (sqrt(v') + eps) + weight_decay * p), see `scale_by_ano`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.

    Source: arXiv:2508.18258
    """
    ...

def apollo(
    learning_rate: _t.Hyper,
    rank: int = 256,
    update_proj_gap: _t.Period = 200,
    scale: _t.Hyper = 1.0,
    base_optimizer: Any = None,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    weight_dimension_numbers: Any = None,
    *,
    scale_type: Literal["channel", "tensor"] = "channel",
    gamma: _t.Hyper | None = 1.01,
    projection: Literal["random", "svd"] = "random",
    seed: _t.Key = 0,
) -> Transformation:
    """APOLLO: p = p - lr * (u + weight_decay * p), see `scale_by_apollo`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      rank: To how many rows or columns a gradient is projected.
      update_proj_gap: How many steps pass from one projection to the next.
      scale: Factor of the updates of projected leaves.
      base_optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      weight_dimension_numbers: Which axes of a leaf are rows and columns, as Optax says it.
      scale_type: Whether each channel of a matrix gets a factor of its own, or all of it one.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      projection: What gradients are projected with: noise or their singular vectors.
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:2412.05270
    """
    ...

def apollo_mini(
    learning_rate: _t.Hyper,
    update_proj_gap: _t.Period = 200,
    scale: _t.Hyper = 11.313708498984761,
    base_optimizer: Any = None,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    weight_dimension_numbers: Any = None,
    *,
    seed: _t.Key = 0,
) -> Transformation:
    """APOLLO-Mini: `apollo` of rank 1 with one factor for each matrix; its state is nearly that of SGD.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      update_proj_gap: How many steps pass from one projection to the next.
      scale: Factor of the updates of projected leaves.
      base_optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      weight_dimension_numbers: Which axes of a leaf are rows and columns, as Optax says it.
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:2412.05270
    """
    ...

def apply_every(
    k: _t.Period = 1,
) -> Transformation:
    """Let the sum of k updates through, zeros in between: Optax's name for `accumulate(identity(), k)`."""
    ...

def apply_if_finite(
    inner: _t.Link,
    max_consecutive_errors: int,
) -> Transformation:
    """Optax's name for `skip(inner, max_nonfinite=max_consecutive_errors)`.

    After so many updates in a row that are not finite the next is applied as it is; `skip` never does that.

    Arguments shared with others:
      inner: The transformation that is wrapped.
    """
    ...

def asam(
    optimizer: _t.Link,
    rho: _t.Hyper = 0.5,
    eta: _t.Hyper = 0.01,
    *,
    batch_axis_name: str | None = None,
) -> Transformation:
    """SAM in a neighbourhood that follows the scale of each weight: two gradients and one step an update.

    T = |p| + eta;  e = rho T^2 g / |T g|;  p = p + optimizer(grad_fn(p + e))
    grad_fn(params), an extra argument of update, is the gradient of the same batch at other parameters, in
    shards of a mesh as its mean over batch_axis_name.

    Arguments shared with others:
      optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      rho: Decay of both running squares, from 0 to 1; of SAM and its kin how far the climb goes.
      eta: Of noise its variance in the first update; of KATE the weight of squared gradients.
      batch_axis_name: The mesh axis over which gradients of `grad_fn` are averaged, in shards; None: none.

    Source: arXiv:2102.11600
    """
    ...

def asgd(
    learning_rate: _t.Hyper = 0.01,
    lambd: _t.Hyper = 0.0001,
    power: _t.Hyper = 0.75,
    t0: int = 1000000,
    weight_decay: _t.Hyper = 0.0,
) -> Transformation:
    """Averaged SGD: see `scale_by_asgd`; `eval_params(tx, state, params)` is the mean of the parameters.

    The mean begins after t0 + 1 steps, until then it is the parameters. weight_decay * p joins the gradient.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      lambd: Decay of the parameters, which the fading of the learning rate follows.
      power: Exponent of what divides the update or the rate, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.

    Source: Polyak & Juditsky 1992; arXiv:1107.2490
    """
    ...

def average(
    tx: _t.Link,
    decay: _t.Fraction | None = 0.999,
    *,
    start: int = 0,
    every: int = 1,
) -> Transformation:
    """Train with `tx` and keep an average of the parameters: an EMA or, with decay None, the mean (SWA).

    `eval_params(tx, state, params)` reads it. See `average_params`, the link it adds.

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.
      decay: How much of an average, or of a sum, outlives a step, from 0 to 1.
      start: How many steps pass before averaging begins.
      every: Of how many steps one counts.

    Source: arXiv:1803.05407
    """
    ...

def average_params(
    decay: _t.Fraction | None = 0.999,
    start: int = 0,
    every: int = 1,
) -> Transformation:
    """Keep an average of the parameters that the updates lead to; the last link of a chain.

    The first one averaged (after step start + 1) is copied; then, every `every` steps,
    average = decay * average + (1 - decay) * (p + u); with decay None the arithmetic mean of all of them
    (SWA, arXiv:1803.05407).

    Arguments shared with others:
      decay: How much of an average, or of a sum, outlives a step, from 0 to 1.
      start: How many steps pass before averaging begins.
      every: Of how many steps one counts.
    """
    ...

def balance(
    sides: Literal["outputs", "inputs", "both", "elements"] = "outputs",
) -> Transformation:
    """Divide the vectors of a matrix by their norms; vectors of zeros stay.

    outputs: those of each output, a column of a kernel [in, out]: u = g / |g|, norms over the inputs
    inputs:  those of each input, a row of it;  both: divided by both norms, of g itself
    elements: u = g / |g| for each number, its sign
    Papers write weights as [out, in]: their rows are the outputs. Before `orthogonalize` this is MuonEq
    (R: outputs), after it Muon+; two links, inputs and then outputs, are its "col_row". A vector is a
    matrix with one input. On a mesh the norms, a number for each vector, are summed over the devices.

    Arguments shared with others:
      sides: Which sides of a matrix have factors: both, left (rows), right, or the short one.

    Source: arXiv:2603.28254, arXiv:2602.21545
    """
    ...

def came(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    b3: _t.Decay = 0.9999,
    clipping_threshold: _t.Limit | None = 1.0,
    eps: _t.Hyper = 1e-30,
    eps_res: _t.Hyper = 1e-16,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """CAME: p = p - lr * (u + weight_decay * p), see `scale_by_came`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      b3: Decay of the third statistic in the state, see the formula.
      clipping_threshold: The largest root mean square of an update before the learning rate; None: any.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_res: Added to the squares of what parts an update from the momentum.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2307.02047
    """
    ...

def caspr(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.99,
    eps: _t.Hyper = 1e-06,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    precondition_frequency: int = 10,
    *,
    grafting: Any = "adam",
    root: int = 4,
    sums: bool = False,
    block_size: int | None = 1024,
    max_precond_dim: int | None = None,
    sides: Literal["both", "short", "left", "right"] = "both",
    method: Literal["eigh", "newton"] = "eigh",
) -> Transformation:
    """CASPR: `shampoo` with the axes summed, u = (L^(-1/2) m + 2 L^(-1/4) m R^(-1/4) + m R^(-1/2)) / 4.

    That is with root=4; with one side it is `shampoo` of root / 2. `grafting` gives the step the length of
    another method's, as in `shampoo`. State of a square matrix in float32: that of `shampoo`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      precondition_frequency: After how many steps the roots or bases of a matrix are renewed.
      grafting: What the lengths of steps are taken from, layer by layer: 'adam', 'rms', 'sgd', a transformation; None: nothing.
      root: Which inverse root of a factor is taken: L^(-1/root).
      sums: Sum second moments up, not average them.
      block_size: Longest side of a block with factors of its own; longer sides are cut evenly.
      max_precond_dim: Sides longer than this have no factor; None: all have one.
      sides: Which sides of a matrix have factors: both, left (rows), right, or the short one.
      method: How roots are taken: by eigenvectors (eigh) or by Newton's iteration, of products alone.

    Source: arXiv:2311.10085
    """
    ...

def cautious(
    tx: _t.Link,
    eps: _t.Fraction = 0.001,
    *,
    descends: bool = True,
) -> Transformation:
    """Leave out what an optimizer would do against the sign of the gradient, and enlarge the rest.

    mask = 1 where the step goes down the gradient, u * g < 0, else 0;  u = u * mask / max(mean(mask), eps)
    The mean is over a leaf, of a stack over each layer. It is that of the authors' code; the paper has
    (sum(mask) + 1) / size for it. Decoupled decay stays out of the mask where it stands outside:

    chain(cautious(scale_by_adam(), descends=False), add_decayed_weights(0.1), scale_by_learning_rate(1e-3))

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      descends: Whether updates are steps against the gradient, or along it, as of scale_by_adam.

    Source: arXiv:2411.16085
    """
    ...

def centralize(
    *,
    units: Literal["columns", "leading"] = "leading",
) -> Transformation:
    """Subtract from the gradient of each unit its mean, of matrices and stacks of them; vectors stay.

    u = g - mean over the rows of g: a unit is a column, the weights that make one output, as the leaf's axes
    say. units="leading": the mean is over all axes but the first of a leaf, as in Optax; that is the paper's
    for arrays [out, in].

    Source: arXiv:2004.01461
    """
    ...

def chain(
    *links: _t.Link,
) -> Transformation:
    """Apply transformations one after another, each to the updates of the one before.

    The state is a dict from link name to the link's state: adding, removing or moving a link leaves the
    other entries as they are. Nested chains are opened; links of one name are numbered ("trace", "trace_1").
    Transformations of other libraries may stand between gradchain's.

    Arguments shared with others:
      links: Transformations in the order in which they run.
    """
    ...

def clip(
    max_delta: _t.Limit,
) -> Transformation:
    """Clip each element to [-max_delta, max_delta]; a complex one to that absolute value."""
    ...

def clip_by_block_norm(
    max_norm: _t.Limit,
    *,
    per_leaf: bool = False,
) -> Transformation:
    """Scale a leaf so that its norm is at most max_norm; each layer of a stack by itself.

    u = g * min(1, max_norm / |g|)

    Arguments shared with others:
      max_norm: The largest norm that is left as it is.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:1211.5063
    """
    ...

def clip_by_block_rms(
    threshold: _t.Limit,
    *,
    per_leaf: bool = True,
) -> Transformation:
    """Scale a leaf so that its root mean square is at most the threshold; each layer of a stack by itself.

    u = g / max(1, rms(g) / threshold)

    Arguments shared with others:
      threshold: Where a rule begins to act: at this root mean square, in RAdam at this length of average, in QK-clip at this logit, in SPAM where a square is this many times the mean of squares; of roll_back, so many standard deviations above the mean.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:1804.04235
    """
    ...

def clip_by_global_norm(
    max_norm: _t.Limit,
) -> Transformation:
    """Scale all updates by one factor so that their norm, taken as one vector, is at most max_norm.

    n = sqrt(sum over all leaves of |g|^2);  u = g * min(n, max_norm) / n, u = g where n is 0
    The state holds both norms of the last step. A NaN in any gradient makes every update NaN, and an infinite
    one itself NaN and the others 0: nothing is hidden; `skip` is the wrapper that acts on it.

    Arguments shared with others:
      max_norm: The largest norm that is left as it is.

    Source: arXiv:1211.5063
    """
    ...

def clip_by_past_norm(
    max_norm: _t.Limit = 1.0,
    relative: _t.Limit = 1.05,
    decay: _t.Decay = 0.98,
    warmup_steps: _t.Period = 100,
    eps: _t.Hyper = 1e-08,
    *,
    per_leaf: bool = False,
) -> Transformation:
    """Clip each layer to a multiple of the average norm that it had so far (AdaGC).

    u = g * min(1, relative * max(n, eps) / |g|);  n = decay n + (1 - decay) |u|
    In the first warmup_steps steps u = g * min(1, max_norm / norm of all leaves) and n the least |u| so far.
    A layer that had no gradient in one of these steps starts from eps.

    Arguments shared with others:
      max_norm: The largest norm that is left as it is.
      relative: The largest norm of a layer as a multiple of the average that it had.
      decay: How much of an average, or of a sum, outlives a step, from 0 to 1.
      warmup_steps: Steps in which the learning rate grows to its value; None: it is constant.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:2502.11034
    """
    ...

def clip_by_spikes(
    decay: _t.Decay = 0.999,
) -> Transformation:
    """Shrink the elements of a gradient that are larger than the largest one usually is (AdaClip).

    l = largest |g| of a matrix;  m = decay m + (1 - decay) l;  m' = m / (1 - decay^t)
    u = g * m' / l where |g| > m', else g
    State: 4 bytes a matrix.

    Arguments shared with others:
      decay: How much of an average, or of a sum, outlives a step, from 0 to 1.

    Source: arXiv:2502.17055
    """
    ...

def cocob(
    learning_rate: _t.Hyper = 1.0,
    alpha: _t.Hyper = 100.0,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """COCOB-Backprop, see `scale_by_cocob`, on lr * (g + weight_decay * p).

    The step hardly depends on the scale of gradients: a constant learning rate only sets how large they are
    beside eps; a falling one makes later gradients count less. Call `init` with the parameters that training
    starts from.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      alpha: Weight of one term of the update, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:1705.07795
    """
    ...

def conditionally_mask(
    inner: _t.Link,
    should_transform_fn: Callable[..., Any],
    forward_extra_args: bool = False,
) -> Transformation:
    """Run a transformation in some steps; in the others updates are zero and its state stays.

    should_transform_fn(step) is a truth value, step 0 the first; with forward_extra_args it gets the extra
    arguments of the update as well. A step in which it does not run costs nothing.

    Arguments shared with others:
      inner: The transformation that is wrapped.
      should_transform_fn: Whether the transformation works in a step, 0 the first: step -> truth value.
      forward_extra_args: Give the condition the extra arguments of the update as well.
    """
    ...

def conditionally_transform(
    inner: _t.Link,
    should_transform_fn: Callable[..., Any],
    forward_extra_args: bool = False,
) -> Transformation:
    """Run a transformation in some steps; in the others updates pass as they are and its state stays.

    should_transform_fn(step) is a truth value, step 0 the first; with forward_extra_args it gets the extra
    arguments of the update as well.

    Arguments shared with others:
      inner: The transformation that is wrapped.
      should_transform_fn: Whether the transformation works in a step, 0 the first: step -> truth value.
      forward_extra_args: Give the condition the extra arguments of the update as well.
    """
    ...

def dadapt_adamw(
    learning_rate: _t.Hyper = 1.0,
    betas: tuple[Any, ...] = (0.9, 0.999),
    eps: _t.Hyper = 1e-08,
    estim_lr0: _t.Hyper = 1e-06,
    weight_decay: _t.Hyper = 0.0,
    *,
    bias_correction: bool = True,
) -> Transformation:
    """AdamW that finds its step length, see `scale_by_dadapt_adam`.

    The learning rate is a factor, 1 as a rule; a schedule goes from 1 down to 0.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      betas: The pair (b1, b2): decays of the means of gradients and of their squares.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      estim_lr0: The step length to start with, below the one that is looked for.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      bias_correction: Divide averages that start at zero by 1 - decay^t.

    Source: arXiv:2301.07733
    """
    ...

def differentially_private_aggregate(
    l2_norm_clip: _t.Hyper,
    noise_multiplier: _t.Hyper,
    key: _t.Key | None = None,
    *,
    seed: int | None = None,
) -> Transformation:
    """Make one private gradient of those of n examples, which come as leaves [n, *shape]: the first link.

    u = (sum over i of g_i * min(1, C / |g_i|) + noise_multiplier * C * normal) / n, C = l2_norm_clip
    |g_i| is the norm of all leaves. The noise is a function of (seed, step, path, element), see `add_noise`.
    Gradients that are sums already must not come here: what accumulates microbatches before it
    would break the bound on what one example may change.

    Arguments shared with others:
      l2_norm_clip: The largest norm of the gradient of one example.
      noise_multiplier: Standard deviation of the noise in the sum, in units of the largest norm.
      key: Seed of the noise, a whole number or a JAX key; give it or `seed`.
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:1607.00133
    """
    ...

def diffgrad(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """DiffGrad: p = p - lr * (f * m' / (sqrt(v') + eps) + weight_decay * p), see `scale_by_diffgrad`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:1909.11015
    """
    ...

def diloco(
    inner: _t.Link,
    outer: Any = None,
    every: _t.Period = 500,
    axis_name: str | None = None,
) -> Transformation:
    """Run `inner` on each replica by itself; after `every` steps let `outer` take one step for all of them.

    p = p + inner(g);  when due: d = anchor - mean over replicas of p;  anchor = p = anchor + outer(d)
    outer: by default sgd(0.7, momentum=0.9, nesterov=True), the paper's. axis_name is the mesh axis of the
    replicas, within shard_map: parameters and inner state differ along it, the anchor and the outer state do
    not. All communication is one mean of the parameters, in float32 at least, in steps that are due. None:
    one replica. `eval_params` is the anchor. With every=1 and outer=sgd(1.0) it is `inner`, but for rounding.

    Arguments shared with others:
      inner: The transformation that is wrapped.
      every: Of how many steps one counts.

    Source: arXiv:2311.08105
    """
    ...

def dion(
    learning_rate: _t.Hyper,
    rank_fraction: float = 0.25,
    beta: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    mu_dtype: _t.DType | None = None,
    *,
    power_steps: int = 1,
    seed: _t.Key = 0,
    adam_b1: _t.Decay = 0.9,
    adam_b2: _t.Decay = 0.999,
    adam_weight_decay: _t.Hyper = 0.0,
    adam_learning_rate: _t.Hyper | None = None,
    adam_mask: _t.Selection = None,
    dion_mask: _t.Selection = None,
) -> Transformation:
    """Dion: p = p - lr * (sqrt(columns / rows) * u + weight_decay * p) for matrices, `adamw` for the others.

    u is that of `scale_by_dion`. Which leaves are matrices, and what the others take, is as in `muon`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      rank_fraction: Rank of the update as a share of a matrix's shorter side.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      power_steps: Steps of power iteration for each update.
      seed: Number that the noise is made from, together with step, path and element.
      adam_b1: `b1` of Adam for the leaves that are no matrices.
      adam_b2: `b2` of Adam for the leaves that are no matrices.
      adam_weight_decay: Weight decay of the leaves that are no matrices.
      adam_learning_rate: Learning rate of the leaves that are no matrices; None: the same.
      adam_mask: Where adam_weight_decay acts; None: as `mask` says.
      dion_mask: Which leaves with rows and columns are Dion's; None: all but embeddings and heads.

    Source: arXiv:2504.05295
    """
    ...

def dion2(
    learning_rate: _t.Hyper,
    fraction: float = 0.25,
    beta: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    mu_dtype: _t.DType | None = None,
    *,
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = "dion",
    ns_steps: int = 5,
    selection: Literal["largest", "random"] = "largest",
    seed: _t.Key = 0,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
    ns_kernel: Literal["xla", "pallas"] = "xla",
    adam_b1: _t.Decay = 0.9,
    adam_b2: _t.Decay = 0.999,
    adam_weight_decay: _t.Hyper = 0.0,
    adam_learning_rate: _t.Hyper | None = None,
    adam_mask: _t.Selection = None,
    dion_mask: _t.Selection = None,
) -> Transformation:
    """Dion2: p = p - lr * (sqrt(columns / rows) * u + weight_decay * p) for matrices, `adamw` for the others.

    u is that of `scale_by_dion2`. Which leaves are matrices, and what the others take, is as in `muon`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      fraction: Which share of a matrix's shorter side is made orthonormal in a step.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      selection: Which rows or columns are taken: the "largest" by the sum of sizes, or "random" ones.
      seed: Number that the noise is made from, together with step, path and element.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.
      ns_kernel: What Newton-Schulz products run by: 'xla', or on TPU 'pallas', half of the symmetric ones.
      adam_b1: `b1` of Adam for the leaves that are no matrices.
      adam_b2: `b2` of Adam for the leaves that are no matrices.
      adam_weight_decay: Weight decay of the leaves that are no matrices.
      adam_learning_rate: Learning rate of the leaves that are no matrices; None: the same.
      adam_mask: Where adam_weight_decay acts; None: as `mask` says.
      dion_mask: Which leaves with rows and columns are Dion's; None: all but embeddings and heads.

    Source: arXiv:2512.16928
    """
    ...

def dog(
    learning_rate: _t.Hyper = 1.0,
    init_step: tuple[Any, ...] = ...,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper | None = None,
    mask: _t.Selection = None,
) -> Transformation:
    """Gradient descent with DoG's step length: p = p - lr r / sqrt(G + eps) g, see `scale_by_dog`.

    The decay joins the gradient. The paper's results are those of an average: `average(dog(), ...)`. Call
    `init` with the parameters that training starts from.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      init_step: How far the first step goes: a pair of a name and a number.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2302.12022
    """
    ...

def dowg(
    learning_rate: _t.Hyper = 1.0,
    init_estim_sq_dist: _t.Hyper | None = None,
    eps: _t.Hyper = 0.0001,
    weight_decay: _t.Hyper | None = None,
    mask: _t.Selection = None,
) -> Transformation:
    """Gradient descent with DoWG's step length: p = p - lr r^2 / (sqrt(v) + eps) g, see `scale_by_dowg`.

    The decay joins the gradient. Call `init` with the parameters that training starts from.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      init_estim_sq_dist: The squared distance to the solution to start with; None: eps.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2305.16284
    """
    ...

def dpsgd(
    learning_rate: _t.Hyper,
    l2_norm_clip: _t.Hyper,
    noise_multiplier: _t.Hyper,
    seed: int,
    momentum: _t.Fraction | None = None,
    nesterov: bool = False,
) -> Transformation:
    """Private gradient descent: p = p - lr * u, or with momentum, u from `differentially_private_aggregate`.

    Gradients come as leaves [examples, *shape], for example by jax.vmap(jax.grad(loss), (None, 0)).

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      l2_norm_clip: The largest norm of the gradient of one example.
      noise_multiplier: Standard deviation of the noise in the sum, in units of the largest norm.
      seed: Number that the noise is made from, together with step, path and element.
      momentum: Decay of the momentum that is added to the method, from 0 to 1; None: no momentum.
      nesterov: Look one step ahead along the momentum.

    Source: arXiv:1607.00133
    """
    ...

def ema(
    decay: _t.Decay,
    debias: bool = True,
    accumulator_dtype: _t.DType | None = None,
) -> Transformation:
    """Average past updates: momentum as a mean, not a sum (that is `trace`).

    m = decay m + (1 - decay) g;  u = m / (1 - decay^t), or with debias=False u = m

    Arguments shared with others:
      decay: How much of an average, or of a sum, outlives a step, from 0 to 1.
      accumulator_dtype: dtype in which the accumulated updates are kept; the arithmetic stays float32.
    """
    ...

def fira(
    learning_rate: _t.Hyper,
    rank: int = 128,
    update_proj_gap: _t.Period = 200,
    scale: _t.Hyper = 1.0,
    base_optimizer: Any = None,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    weight_dimension_numbers: Any = None,
    *,
    gamma: _t.Hyper | None = 1.01,
) -> Transformation:
    """Fira: p = p - lr * (u + weight_decay * p), see `scale_by_fira`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      rank: To how many rows or columns a gradient is projected.
      update_proj_gap: How many steps pass from one projection to the next.
      scale: Factor of the updates of projected leaves.
      base_optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      weight_dimension_numbers: Which axes of a leaf are rows and columns, as Optax says it.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.

    Source: arXiv:2410.01623
    """
    ...

def flatten(
    inner: _t.Link,
) -> Transformation:
    """Give a transformation all leaves end to end as one vector: few long arrays instead of many small ones.

    What is elementwise, or a norm of everything, is the same as without. State and masks within know one
    leaf, whose path is "". Over a mesh the vector is whole on every device. Leaves of several dtypes share
    the one that holds all. gradchain compiles many small leaves together anyway: this saves no time here.

    Arguments shared with others:
      inner: The transformation that is wrapped.
    """
    ...

def focus(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    gamma: _t.Hyper = 0.1,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """FOCUS: p = p - lr * (sign(m) + gamma sign(p - q') + weight_decay * q'), see `scale_by_focus`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2501.12243
    """
    ...

def foreign(
    tx: _t.Link,
) -> Transformation:
    """A transformation of another library (Optax's, say) as a link; `chain` does this by itself.

    Its state is kept as it is, under the name of the function that made it.

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.
    """
    ...

def fromage(
    learning_rate: _t.Hyper,
    min_norm: _t.Hyper = 1e-06,
) -> Transformation:
    """Fromage: p = (p - lr * |p| / |g| * g) / sqrt(1 + lr^2), norms per layer and at least min_norm.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      min_norm: Norms count as this at least.

    Source: arXiv:2002.03432
    """
    ...

def ftrl(
    learning_rate: _t.Hyper,
    l1: _t.Hyper = 0.0,
    l2: _t.Hyper = 0.0,
    beta: _t.Hyper = 0.0,
    initial_accumulator_value: _t.Hyper = 0.1,
    power: _t.Hyper = 0.5,
) -> Transformation:
    """FTRL-Proximal: AdaGrad's step lengths with weights that are exactly zero, see `scale_by_ftrl`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      l1: Weight of the sum of |p| in the penalty.
      l2: Weight of half the sum of |p|^2 in the penalty.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      initial_accumulator_value: What the sum or mean of squares starts with.
      power: Exponent of what divides the update or the rate, see the formula.

    Source: McMahan et al. 2013, Ad click prediction: a view from the trenches
    """
    ...

def galore(
    learning_rate: _t.Hyper,
    rank: int = 128,
    update_proj_gap: _t.Period = 200,
    scale: _t.Hyper = 1.0,
    base_optimizer: Any = None,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    weight_dimension_numbers: Any = None,
    *,
    side: Literal["short", "long"] = "long",
) -> Transformation:
    """GaLore: p = p - lr * (u + weight_decay * p), see `scale_by_galore`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      rank: To how many rows or columns a gradient is projected.
      update_proj_gap: How many steps pass from one projection to the next.
      scale: Factor of the updates of projected leaves.
      base_optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      weight_dimension_numbers: Which axes of a leaf are rows and columns, as Optax says it.
      side: Which side of a matrix is projected, the short or the long one.

    Source: arXiv:2403.03507
    """
    ...

def gpa_adamw(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    mu_x: _t.Fraction = 0.9967,
    mu_y: _t.Fraction = 0.7,
    state_dtype: _t.DType | None = None,
) -> Transformation:
    """GPA-AdamW: AdamW within `primal_averaging`; the rate may follow a schedule as for AdamW.

    The decay is of z, as in the paper's generalised form; the authors' code has that of y.
    x averages about 1 / (1 - mu_x) steps, 300: a run that is not many times longer wants a smaller mu_x.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_x: How much of the average outlives a step, from 0 to 1.
      mu_y: Where gradients are taken: at the average for 1, near the base's iterate for a small number.
      state_dtype: dtype in which the second copy of the parameters is kept; None: float32 at least.

    Source: arXiv:2512.17131
    """
    ...

def grafting(
    direction: _t.Link,
    magnitude: _t.Link,
    *,
    over: Literal["layer", "leaf", "tree"] = "layer",
) -> Transformation:
    """Step in the direction of one optimizer, as far as another one would have gone.

    u = d * |m| / |d|, d the updates of direction and m those of magnitude; 0 where d is
    Norms are those of each layer of a leaf, as its axes say, of whole leaves, or of the whole tree. Both see
    the same gradients and keep their states, under "direction" and "magnitude".

    Arguments shared with others:
      over: Along which axes elements share a second moment: a word, or patterns of paths and words.

    Source: arXiv:2002.11803
    """
    ...

def grams(
    tx: _t.Link,
    *,
    descends: bool = True,
) -> Transformation:
    """Take the length of each element's step from an optimizer, its direction from the gradient.

    u = -sign(g) * |u|, or sign(g) * |u| where updates do not descend: both moments of an Adam, say, give the
    size alone. Decoupled decay belongs outside, as with `cautious`.

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.
      descends: Whether updates are steps against the gradient, or along it, as of scale_by_adam.

    Source: arXiv:2412.17107
    """
    ...

def grokfast_ema(
    decay: _t.Decay = 0.98,
    lamb: _t.Hyper = 2.0,
    mu_dtype: _t.DType | None = None,
) -> Transformation:
    """Add the running mean to the gradient; the first link of a chain.

    m = decay m + (1 - decay) g, m = g at first;  u = g + lamb m
    Before an optimizer that does not care for the scale of gradients, as Adam:
    chain(grokfast_ema(), adamw(1e-3)).

    Arguments shared with others:
      decay: How much of an average, or of a sum, outlives a step, from 0 to 1.
      lamb: Weight of the slow part of the gradient that is added to it.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.

    Source: arXiv:2405.20233
    """
    ...

def grokfast_ma(
    window_size: int = 100,
    lamb: _t.Hyper = 5.0,
) -> Transformation:
    """Add the mean of the last window_size gradients to the gradient; the first link of a chain.

    u = g + lamb * mean of the window, this gradient included;  u = g until the window is full
    The state has window_size arrays like each leaf: `grokfast_ema` has one.

    Arguments shared with others:
      lamb: Weight of the slow part of the gradient that is added to it.

    Source: arXiv:2405.20233
    """
    ...

def gsam(
    optimizer: _t.Link,
    rho: _t.Hyper = 0.05,
    alpha: _t.Hyper = 0.4,
    *,
    batch_axis_name: str | None = None,
) -> Transformation:
    """SAM that also lowers the surrogate gap: it climbs where that does not raise the perturbed loss.

    s = grad_fn(p + rho g / |g|);  h = g - s <g, s> / |s|^2;  p = p + optimizer(s - alpha h)
    The paper lets rho follow the learning rate: give a schedule. alpha=0 is SAM. `grad_fn` as in `asam`.

    Arguments shared with others:
      optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      rho: Decay of both running squares, from 0 to 1; of SAM and its kin how far the climb goes.
      alpha: Weight of one term of the update, see the formula.
      batch_axis_name: The mesh axis over which gradients of `grad_fn` are averaged, in shards; None: none.

    Source: arXiv:2203.08065
    """
    ...

def hutchinson_estimator_diag_hessian(
    random_seed: int | None = None,
) -> Transformation:
    """Give an estimate of the Hessian's diagonal in the place of the gradient: u = z * (H z), z = +1 or -1.

    H z is the derivative along z of the gradient of `obj_fn`, an extra argument of update: a function of the
    parameters alone. The signs come from (random_seed, update, path, element); None: 0.

    Source: arXiv:2305.14342
    """
    ...

def hypergradient(
    base_optimizer: _t.Link,
    learning_rate: _t.Hyper,
    hypergradient_rate: _t.Hyper = 1e-06,
    *,
    multiplicative: bool = False,
) -> Transformation:
    """Multiply an optimizer's updates u, whose own rate is 1, by a rate that descends the loss as well.

    h = <g, u of the step before>, the derivative of the loss by that step's rate
    rate = rate - hypergradient_rate * h, starting at learning_rate;  p = p + rate * u
    multiplicative: rate = rate * (1 - hypergradient_rate * h / (|g| |u|)), which has no unit and is never
    negative for hypergradient_rate <= 1. Products are of all leaves taken as one vector.

    Arguments shared with others:
      base_optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      hypergradient_rate: Learning rate of the learning rate.
      multiplicative: Change the learning rate by a factor that has no unit, not by a difference.

    Source: arXiv:1703.04782
    """
    ...

def hypergradient_adam(
    learning_rate: _t.Hyper,
    hypergradient_rate: _t.Hyper = 1e-08,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    *,
    multiplicative: bool = False,
) -> Transformation:
    """Adam-HD: Adam whose learning rate is learned; see `hypergradient`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      hypergradient_rate: Learning rate of the learning rate.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      multiplicative: Change the learning rate by a factor that has no unit, not by a difference.

    Source: arXiv:1703.04782
    """
    ...

def hypergradient_sgd(
    learning_rate: _t.Hyper,
    hypergradient_rate: _t.Hyper = 1e-06,
    momentum: _t.Fraction | None = None,
    nesterov: bool = False,
    *,
    multiplicative: bool = False,
) -> Transformation:
    """SGD-HD: gradient descent, or momentum, whose learning rate is learned; see `hypergradient`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      hypergradient_rate: Learning rate of the learning rate.
      momentum: Decay of the momentum that is added to the method, from 0 to 1; None: no momentum.
      nesterov: Look one step ahead along the momentum.
      multiplicative: Change the learning rate by a factor that has no unit, not by a difference.

    Source: arXiv:1703.04782
    """
    ...

def identity(
) -> Transformation:
    """Pass updates through: u = g."""
    ...

def injected(
    inner_factory: Any,
    arguments: Mapping[str, Any],
    static_args: str | Any = (),
    hyperparam_dtype: _t.DType | None = None,
) -> Transformation:
    """What `inject_hyperparams(inner_factory)(**arguments)` makes, as one call; see there."""
    ...

def ivon(
    learning_rate: _t.Hyper,
    ess: _t.Hyper,
    hess_init: _t.Hyper = 1.0,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.99999,
    weight_decay: _t.Hyper = 0.0001,
    clip_radius: _t.Hyper | None = None,
    seed: int = 0,
    *,
    rescale: bool = True,
) -> Transformation:
    """IVON: p = p - lr * u, the mean of the posterior; see `scale_by_ivon` and `ivon_sample`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      ess: Effective number of examples: the posterior narrows with it.
      hess_init: What the estimate of the Hessian's diagonal starts with.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      clip_radius: The largest size of an element of the update; None: any.
      seed: Number that the noise is made from, together with step, path and element.
      rescale: Multiply the update by hess_init + weight_decay, so that rates are as for SGD.

    Source: arXiv:2402.17641
    """
    ...

def kahan(
    seed: int = 0,
) -> Transformation:
    """Keep what rounding left over, in the parameter's dtype, and add it to the next update.

    y = u + c;  p' = round(p + y);  c = y - (p' - p), rounded stochastically
    The last link of a chain. Rounded to nearest, c would lose updates below 2^-18 p, and bend those a little
    above. A c that is too large for p is forgotten: p was set from outside.

    Arguments shared with others:
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:2010.06192
    """
    ...

def kate(
    learning_rate: _t.Hyper,
    eta: _t.Hyper = 0.9,
    eps: _t.Hyper = 1e-08,
) -> Transformation:
    """KATE: p = p - lr * sqrt(m) g / (b + eps), see `scale_by_kate`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      eta: Of noise its variance in the first update; of KATE the weight of squared gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:2403.02648
    """
    ...

def keep_params_nonnegative(
) -> Transformation:
    """Let no parameter fall below zero: u = max(g, -p), so that p + u >= 0. The last link of a chain.

    A parameter that is negative already goes to zero.
    """
    ...

def kl_shampoo(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.98,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    precondition_frequency: int = 10,
    *,
    bias_correction: bool = False,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Literal["both", "short", "left", "right"] = "both",
) -> Transformation:
    """KL-Shampoo: p = p - lr * (u + weight_decay * p), see `scale_by_kl_shampoo`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      precondition_frequency: After how many steps the roots or bases of a matrix are renewed.
      bias_correction: Divide averages that start at zero by 1 - decay^t.
      block_size: Longest side of a block with factors of its own; longer sides are cut evenly.
      max_precond_dim: Sides longer than this have no factor; None: all have one.
      sides: Which sides of a matrix have factors: both, left (rows), right, or the short one.

    Source: arXiv:2509.03378
    """
    ...

def kl_soap(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.98,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    precondition_frequency: int = 10,
    *,
    bias_correction: bool = False,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Literal["both", "short", "left", "right"] = "both",
) -> Transformation:
    """KL-SOAP: p = p - lr * (u + weight_decay * p), see `scale_by_kl_shampoo`(inner_adam=True).

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      precondition_frequency: After how many steps the roots or bases of a matrix are renewed.
      bias_correction: Divide averages that start at zero by 1 - decay^t.
      block_size: Longest side of a block with factors of its own; longer sides are cut evenly.
      max_precond_dim: Sides longer than this have no factor; None: all have one.
      sides: Which sides of a matrix have factors: both, left (rows), right, or the short one.

    Source: arXiv:2509.03378
    """
    ...

def lamb(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-06,
    eps_root: _t.Hyper = 0.0,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    *,
    per_leaf: bool = True,
) -> Transformation:
    """LAMB: p = p - lr * |p| / |u| * u, u = m' / (sqrt(v') + eps) + weight_decay * p; norms per layer.

    See `scale_by_adam` and `scale_by_trust_ratio`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:1904.00962
    """
    ...

def laprop(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-15,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    mu_dtype: _t.DType | None = None,
) -> Transformation:
    """LaProp: p = p - lr * (m' + weight_decay * p), see `scale_by_laprop`.

    The authors' code multiplies by the learning rate before it averages: the same where that is constant.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.

    Source: arXiv:2002.04839
    """
    ...

def lars(
    learning_rate: _t.Hyper,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    trust_coefficient: _t.Hyper = 0.001,
    eps: _t.Hyper = 0.0,
    trust_ratio_mask: _t.Selection = None,
    momentum: _t.Fraction = 0.9,
    nesterov: bool = False,
    *,
    norm_of_sum: bool = True,
    per_leaf: bool = True,
) -> Transformation:
    """LARS: v = momentum v + lr * u;  p = p - v, u from `scale_by_lars`.

    `mask` says which leaves decay, `trust_ratio_mask` which have a trust ratio; the others' is 1. Biases and
    normalisation scales are commonly left out of both.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      trust_coefficient: Length of a step relative to the weights of its layer.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      momentum: Decay of the momentum that is added to the method, from 0 to 1; None: no momentum.
      nesterov: Look one step ahead along the momentum.
      norm_of_sum: Divide by the norm of gradient and decay together, not by the sum of their norms.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:1708.03888
    """
    ...

def layerwise_decay(
    tx: _t.Link,
    layer_decay: _t.Fraction = 0.9,
    layers: str | Callable[[str], int | None] = "(?:layers?|blocks?|h)[/_](\\d+)",
    *,
    before: _t.Selection = ...,
) -> Transformation:
    """An optimizer with lower learning rates for earlier layers: layerwise_decay(adamw(1e-3), 0.75).

    Layer i of n: lr * layer_decay^(n - i), i from 0;  embeddings: lr * layer_decay^(n + 1);  heads: lr
    The rate is that of decoupled weight decay as well. See `scale_by_depth`, the link that it puts in, for
    how paths tell layers, and `factors(tx, params)` for the table. State and checkpoints are those of `tx`.

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.
      layer_decay: Factor of the learning rate from a layer to the one before.
      layers: Which layer a leaf is in: a regular expression whose group is its number, or path -> number.
      before: Which of the leaves that are in no layer come before the first.
    """
    ...

def lazy_rows(
    tx: _t.Link,
    mask: _t.Selection = "**/embedding",
) -> Transformation:
    """Leave rows whose gradient is all zero as they are, value, state and age, in the leaves that are chosen.

    A row with a gradient steps as if the steps without one had not been: Adam's bias correction counts its
    own steps, no momentum moves it in between, and nothing decays it. Schedules count the steps of the run.
    A row of a table [tokens, features] is one along the leaf's columns; a vector is one row. State that does
    not run along rows, such as a factor of columns, is that of all steps, and the link that keeps it counts
    them. For links with a kernel for single leaves.

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
    """
    ...

def lbfgs(
    learning_rate: _t.Hyper | None = None,
    memory_size: int = 10,
    scale_init_precond: bool = True,
    linesearch: Any = ...,
) -> Transformation:
    """L-BFGS with a line search: p = p - t * lr * H g, see `scale_by_lbfgs`; lr is 1 where it is None.

    `linesearch` is a link after it: gradchain's, one's own or another library's, or None. The default needs
    extra arguments: tx.update(grads, state, params, value=value, grad=grads, value_fn=f). Value and gradient
    at the new parameters are in the state already, see `value_and_grad_from_state`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      memory_size: How many of the last steps the inverse Hessian is made of.
      scale_init_precond: Begin with a multiple of the identity that fits the last step, not with the identity.

    Source: Liu & Nocedal 1989; Nocedal & Wright 2006, algorithm 7.4
    """
    ...

def limit_norm_growth(
    gamma: _t.Hyper = 1.01,
    eps: _t.Hyper = 1e-08,
) -> Transformation:
    """Let the norm of an update grow by a factor of gamma a step at most, each matrix by itself.

    n = |g|;  u = g * min(1, gamma * (N + eps) / n), N the norm of the last u
    The first update is not limited, nor is one after an update of 0: the authors' code would hold it at
    gamma * eps. With eps=0 it is the paper's. State: 4 bytes a matrix.

    Arguments shared with others:
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:2410.01623
    """
    ...

def lion(
    learning_rate: _t.Hyper,
    b1: _t.Fraction = 0.9,
    b2: _t.Decay = 0.99,
    mu_dtype: _t.DType | None = None,
    weight_decay: _t.Hyper = 0.001,
    mask: _t.Selection = None,
) -> Transformation:
    """Lion: p = p - lr * (sign(b1 m + (1 - b1) g) + weight_decay * p), see `scale_by_lion`.

    Every element moves by the learning rate: 3 to 10 times less than for Adam, with as much more decay.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2302.06675
    """
    ...

def lookahead(
    fast_optimizer: _t.Link,
    sync_period: _t.Period,
    slow_step_size: _t.Hyper,
    reset_state: bool = False,
    *,
    pairs: bool = True,
) -> Transformation:
    """Fast steps, and slow weights that follow every sync_period steps, from which the fast ones go on.

    The parameters are the fast weights; `eval_params` reads the slow ones. There is one set of parameters to
    pass around, unlike in Optax. reset_state: the fast optimizer starts afresh after each synchronisation.
    pairs: as in Optax the parameters are LookaheadParams(fast, slow), the slow weights among them and not in
    the state; gradients are those of the fast ones. Such a transform must be the outermost.

    Arguments shared with others:
      sync_period: Steps of the fast weights for each one of the slow weights.
      slow_step_size: Which part of the way to the fast weights the slow ones go.
      reset_state: Whether the inner optimizer starts afresh after each synchronisation.

    Source: arXiv:1907.08610
    """
    ...

def lookahead_sync(
    sync_period: _t.Period = 6,
    slow_step_size: _t.Hyper = 0.5,
) -> Transformation:
    """Every sync_period steps slow = slow + slow_step_size * (p + u - slow); the parameters become slow.

    Arguments shared with others:
      sync_period: Steps of the fast weights for each one of the slow weights.
      slow_step_size: Which part of the way to the fast weights the slow ones go.

    Source: arXiv:1907.08610
    """
    ...

def looksam(
    optimizer: _t.Link,
    rho: _t.Hyper = 0.05,
    every: _t.Period = 5,
    alpha: _t.Hyper = 0.7,
    *,
    batch_axis_name: str | None = None,
) -> Transformation:
    """SAM that climbs in one step of `every`, and in the others goes the way that it found there.

    due:   s = grad_fn(p + rho g / |g|);  v = s - g <g, s> / |g|^2;  p = p + optimizer(s)
    else:  p = p + optimizer(g + alpha v |g| / |v|)
    The state keeps v, 0 where the climb has not turned the gradient. In a step that is not due `grad_fn` is
    not run. Norms are those of all leaves together; every=1 is SAM. `grad_fn` as in `asam`.

    Arguments shared with others:
      optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      rho: Decay of both running squares, from 0 to 1; of SAM and its kin how far the climb goes.
      every: Of how many steps one counts.
      alpha: Weight of one term of the update, see the formula.
      batch_axis_name: The mesh axis over which gradients of `grad_fn` are averaged, in shards; None: none.

    Source: arXiv:2203.02714
    """
    ...

def lora_plus(
    tx: _t.Link,
    ratio: _t.Hyper = 16.0,
    *,
    matrices: _t.Selection = ...,
) -> Transformation:
    """An optimizer with `ratio` times the learning rate for the matrices B of adapters W + B A (LoRA+).

    `matrices` selects B, the one that starts at zero: by default what is named lora_b or lora_B.

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.

    Source: arXiv:2402.12354
    """
    ...

def loss_scale(
    tx: _t.Link,
    init_scale: float = 32768.0,
    growth_interval: int = 2000,
    growth_factor: float = 2.0,
    backoff_factor: float = 0.5,
    *,
    minimum_scale: float = 1.0,
    maximum_scale: float = 16777216.0,
) -> Transformation:
    """Take gradients of a loss that `scale_loss` multiplied, and divide them by the scale before `tx`.

    Gradients that are not all finite: the step is left out, parameters and inner state stay, and the scale
    is multiplied with backoff_factor. After growth_interval finite steps in a row it is multiplied with
    growth_factor. So it stays near the largest at which float16 gradients do not overflow, and few of them
    round to zero. The division is in float32; clipping and norms inside `tx` see the gradients themselves.

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.
      init_scale: What the preconditioner starts with, times the unit matrix.

    Source: arXiv:1710.03740
    """
    ...

def madgrad(
    learning_rate: _t.Hyper,
    momentum: _t.Fraction = 0.9,
    weight_decay: _t.Hyper = 0.0,
    eps: _t.Hyper = 1e-06,
    *,
    eps_in_rate: bool = True,
) -> Transformation:
    """MADGRAD: see `scale_by_madgrad`; weight_decay * p is added to the gradient before it (L2).

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      momentum: Decay of the momentum that is added to the method, from 0 to 1; None: no momentum.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_in_rate: Add eps to the learning rate as well.

    Source: arXiv:2101.11075
    """
    ...

def mars(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.95,
    b2: _t.Decay = 0.99,
    gamma: _t.Hyper = 0.025,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    *,
    form: Literal["adamw", "lion", "shampoo"] = "adamw",
    max_norm: _t.Limit | None = 1.0,
    per_leaf: bool = False,
    exact: bool = False,
) -> Transformation:
    """MARS: a rule on corrected gradients c, see `reduce_variance`, each layer's clipped to max_norm.

    adamw: p = p - lr * (m' / (sqrt(v') + eps) + weight_decay * p), m and v of c
    lion: p = p - lr * (sign(m) + weight_decay * p);  shampoo: `muon` of c without Nesterov, and the form
    adamw for the leaves that it leaves out.
    max_norm=None: no clipping; gamma=0 is then AdamW. The authors take AdamW without correction for vectors:
    that is a `partition`. exact=True takes previous_grads in update, see `reduce_variance`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      max_norm: The largest norm that is left as it is.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.
      exact: Take the change from the argument previous_grads of update, not from the last step.

    Source: arXiv:2411.10438
    """
    ...

def masked(
    inner: _t.Link,
    mask: _t.Selection,
    *,
    mask_compatible_extra_args: bool = False,
) -> Transformation:
    """Apply a transformation to the leaves a selection chooses; the others pass through and hold no state.

    `mask` is a glob on the path ("**/kernel"), a compiled regular expression, a list of those, a predicate
    (path, leaf) -> bool, or a tree of booleans that may be a prefix of the parameters.
    mask_compatible_extra_args: of an extra argument that is a tree like the updates, such as other gradients,
    the transformation gets the chosen leaves, too.

    Arguments shared with others:
      inner: The transformation that is wrapped.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mask_compatible_extra_args: Pick leaves of extra arguments that are trees like the updates, too.
    """
    ...

def master_weights(
) -> Transformation:
    """Keep a float32 copy of the parameters in the state, and round the parameters from it.

    m = m + u;  p' = round(m)
    The last link of a chain. A parameter that is not what its copy rounds to was set from outside: the copy
    starts again from it. `split_weights` keeps the same numbers in half of the memory.

    Source: arXiv:1710.03740
    """
    ...

def mechanize(
    base_optimizer: _t.Link,
    weight_decay: _t.Hyper = 0.01,
    eps: _t.Hyper = 1e-08,
    s_init: _t.Hyper = 1e-06,
    num_betas: int = 6,
    *,
    variant: Literal["paper", "optax"] = "optax",
) -> Transformation:
    """Scale the sum of an optimizer's updates by a number that is learned; its learning rate is about 1.

    S = sum of s;  h = <D, g + weight_decay S |g| p / |p|>;  D = D + u(g), after h
    m = max(b m, |h|);  v = b^2 v + h^2;  r = max(b r - s h, 0)
    s = (s_init m / num_betas + r) / (sqrt(v) + eps);  p = p0 + S D
    b = 0.9, 0.99, ..., num_betas of them; all start at 0, so that the first step is none
    variant="optax": D = (p - p0) / (S + eps) is not kept; s starts at s_init; |h| + eps stands for |h| in m,
    |p| + eps for |p|; h in r is clipped to the m of the step before; r may be negative, and is 0 in s.

    Arguments shared with others:
      base_optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      s_init: The scale to start with, far below the one that is looked for.
      num_betas: How many decays, 0.9, 0.99, ..., the scale is the sum of.
      variant: Which form of the rule.

    Source: arXiv:2306.00144
    """
    ...

def momo(
    learning_rate: _t.Hyper = 1.0,
    beta: _t.Decay = 0.9,
    lower_bound: _t.Signed = 0.0,
    weight_decay: _t.Hyper = 0.0,
    adapt_lower_bound: bool = False,
    *,
    proximal: bool = False,
) -> Transformation:
    """Momentum with the step length of Polyak, at most the learning rate, which may be large.

    See `scale_by_momo`. tx.update(grads, state, params, value=loss)

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      lower_bound: A lower bound of the loss, 0 for most.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      adapt_lower_bound: Estimate the lower bound of the loss while running, from `lower_bound` on.
      proximal: Decay what the step leads to, as the paper does, not the parameters before it.

    Source: arXiv:2305.07583
    """
    ...

def momo_adam(
    learning_rate: _t.Hyper = 0.01,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    lower_bound: _t.Signed = 0.0,
    weight_decay: _t.Hyper = 0.0,
    adapt_lower_bound: bool = False,
    *,
    proximal: bool = False,
) -> Transformation:
    """Adam with the step length of Polyak, at most the learning rate, which may be large.

    See `scale_by_momo_adam`. tx.update(grads, state, params, value=loss)

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      lower_bound: A lower bound of the loss, 0 for most.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      adapt_lower_bound: Estimate the lower bound of the loss while running, from `lower_bound` on.
      proximal: Decay what the step leads to, as the paper does, not the parameters before it.

    Source: arXiv:2305.07583
    """
    ...

def monitor(
    measures: Mapping[str, Any],
) -> Transformation:
    """Pass updates through and keep several measurements of them in the state by name: u = g.

    A measure is a function of the updates that gives a number, or a tree of arrays, or a pair of functions:
    init(params) -> state, update(updates, state, params, **extra) -> (measurement, state), as
    measure_with_ema makes. `metrics` reports each under its name.
    """
    ...

def monitored(
    tx: _t.Link,
    *,
    layers: bool = False,
) -> Transformation:
    """Measure the norm of the gradients before an optimizer, grad_norm, and of its updates, update_norm.

    `metrics` reads both from the state. Where `tx` clips, its clipped_norm is the norm in between.
    layers: of each layer, too, with the norms of its parameters and update_ratio, |u| / |p|.

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.
      layers: Which layer a leaf is in: a regular expression whose group is its number, or path -> number.
    """
    ...

def multi_transform(
    transforms: Mapping[Hashable, Any],
    param_labels: _t.Selection,
    *,
    mask_compatible_extra_args: bool = False,
) -> Transformation:
    """A transformation for each group of leaves: `partition`, with any hashable values for labels.

    `param_labels` is a tree of labels, which may be a prefix of the parameters, or a function of the
    parameters that returns one (or anything else that `partition` takes). A transformation whose label no
    leaf has is not used. The state of a group is kept under its label as text: 1 under "1".
    mask_compatible_extra_args: of an extra argument that is a tree like the updates each gets its part.

    Arguments shared with others:
      transforms: A transformation for each label.
      param_labels: Which group a leaf is in: a tree of labels, a function that gives one, patterns.
      mask_compatible_extra_args: Pick leaves of extra arguments that are trees like the updates, too.
    """
    ...

def muon(
    learning_rate: _t.Hyper,
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = (3.4445, -4.775, 2.0315),
    ns_steps: int = 5,
    beta: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    mu_dtype: _t.DType | None = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    preconditioning: Literal["frobenius", "spectral", "schatten", "aol"] = "frobenius",
    adam_b1: _t.Decay = 0.9,
    adam_b2: _t.Decay = 0.999,
    adam_eps_root: _t.Hyper = 0.0,
    adam_weight_decay: _t.Hyper = 0.0,
    adam_learning_rate: _t.Hyper | None = None,
    muon_weight_dimension_numbers: MuonDimensionNumbers | Mapping[str, Any] | Sequence[Any] | Callable[..., Any] | None = None,
    consistent_rms: _t.Hyper | None = None,
    muon_mask: _t.Selection = None,
    adam_mask: _t.Selection = None,
    adam_nesterov: bool = False,
    eps_floor: bool = False,
    bias_correction: bool = False,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
    ns_kernel: Literal["xla", "pallas"] = "xla",
    equilibrate: Literal["outputs", "inputs", "both", "elements"] | None = None,
    renormalize: Literal["outputs", "inputs", "both", "elements"] | None = None,
) -> Transformation:
    """Muon: p = p - lr * (scale * u + weight_decay * p) for matrices, `adamw` for all other leaves.

    u is the orthogonal momentum, see `scale_by_muon`, the scale that of `scale_by_shape`. `muon_mask` selects
    among the leaves with rows and columns; None: all but embeddings and heads, by the names in their paths.
    muon_weight_dimension_numbers, a tree of `MuonDimensionNumbers` or a function of the parameters that
    makes one, replaces names and axes: leaves of None are the others; `matrices_alone` is Optax's default.
    The others take adam_learning_rate, or the same as the matrices; adam_mask=None is `mask`, eps Adam's too.
    equilibrate, renormalize: what is balanced before and after, see `balance`; arXiv:2602.21545 (Muon+).
    PolarGrad, arXiv:2505.21799, is adaptive=True, ns_coeffs="polar_express", without a scale by shape.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      nesterov: Look one step ahead along the momentum.
      adaptive: Multiply the update by its inner product with the momentum.
      preconditioning: The norm a matrix is divided by first: frobenius, spectral, schatten or aol.
      adam_b1: `b1` of Adam for the leaves that are no matrices.
      adam_b2: `b2` of Adam for the leaves that are no matrices.
      adam_weight_decay: Weight decay of the leaves that are no matrices.
      adam_learning_rate: Learning rate of the leaves that are no matrices; None: the same.
      consistent_rms: Root mean square of the updates of all matrices; None: scaled by columns / rows.
      muon_mask: Which leaves with rows and columns are matrices here; None: all but embeddings and heads, by the names in their paths.
      adam_mask: Where adam_weight_decay acts; None: as `mask` says.
      eps_floor: The squared norm is eps at least; eps is not added to the norm.
      bias_correction: Divide averages that start at zero by 1 - decay^t.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.
      ns_kernel: What Newton-Schulz products run by: 'xla', or on TPU 'pallas', half of the symmetric ones.
      equilibrate: What of the momentum is balanced before orthogonalisation, see `balance`; None: nothing.
      renormalize: What of the orthogonal update is balanced, see `balance`; None: nothing.

    Source: Jordan et al. 2024, Muon; arXiv:2502.16982
    """
    ...

def muonclip(
    learning_rate: _t.Hyper,
    beta: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    mu_dtype: _t.DType | None = None,
    *,
    threshold: _t.Hyper = 100.0,
    queries: _t.Selection = "**/query/*",
    keys: _t.Selection = "**/key/*",
    query_share: _t.Fraction = 0.5,
    heads: int = -2,
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = (3.4445, -4.775, 2.0315),
    ns_steps: int = 5,
    nesterov: bool = False,
    equilibrate: Literal["outputs", "inputs", "both", "elements"] | None = None,
    consistent_rms: _t.Hyper | None = 0.2,
    adam_b1: _t.Decay = 0.9,
    adam_b2: _t.Decay = 0.999,
    adam_weight_decay: _t.Hyper = 0.0,
    adam_learning_rate: _t.Hyper | None = None,
    muon_mask: _t.Selection = None,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
    ns_kernel: Literal["xla", "pallas"] = "xla",
) -> Transformation:
    """MuonClip: `muon` with plain momentum and updates of root mean square 0.2, then `qk_clip`.

    tx.update(grads, state, params, max_logits=...): the largest attention logit of each head in this step.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      threshold: Where a rule begins to act: at this root mean square, in RAdam at this length of average, in QK-clip at this logit, in SPAM where a square is this many times the mean of squares; of roll_back, so many standard deviations above the mean.
      queries: Which leaves make queries, as in `mask`.
      keys: Which leaves make keys, as in `mask`.
      query_share: The power of the factor of a head that its queries get; its keys get the rest.
      heads: The axis of the heads in kernels and biases of queries and keys.
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      nesterov: Look one step ahead along the momentum.
      equilibrate: What of the momentum is balanced before orthogonalisation, see `balance`; None: nothing.
      consistent_rms: Root mean square of the updates of all matrices; None: scaled by columns / rows.
      adam_b1: `b1` of Adam for the leaves that are no matrices.
      adam_b2: `b2` of Adam for the leaves that are no matrices.
      adam_weight_decay: Weight decay of the leaves that are no matrices.
      adam_learning_rate: Learning rate of the leaves that are no matrices; None: the same.
      muon_mask: Which leaves with rows and columns are matrices here; None: all but embeddings and heads, by the names in their paths.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.
      ns_kernel: What Newton-Schulz products run by: 'xla', or on TPU 'pallas', half of the symmetric ones.

    Source: arXiv:2507.20534
    """
    ...

def muonh(
    learning_rate: _t.Hyper,
    beta: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    mu_dtype: _t.DType | None = None,
    *,
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = (3.4445, -4.775, 2.0315),
    ns_steps: int = 5,
    nesterov: bool = True,
    equilibrate: Literal["outputs", "inputs", "both", "elements"] | None = None,
    adam_b1: _t.Decay = 0.9,
    adam_b2: _t.Decay = 0.999,
    adam_weight_decay: _t.Hyper = 0.0,
    adam_learning_rate: _t.Hyper | None = None,
    mask: _t.Selection = None,
    muon_mask: _t.Selection = None,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
    ns_kernel: Literal["xla", "pallas"] = "xla",
) -> Transformation:
    """MuonH: `muon` whose matrices keep their norms, by `step_on_sphere`; AdamW for all other leaves.

    The learning rate is relative to the norm of each matrix, so the others have one of their own, as a rule.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      nesterov: Look one step ahead along the momentum.
      equilibrate: What of the momentum is balanced before orthogonalisation, see `balance`; None: nothing.
      adam_b1: `b1` of Adam for the leaves that are no matrices.
      adam_b2: `b2` of Adam for the leaves that are no matrices.
      adam_weight_decay: Weight decay of the leaves that are no matrices.
      adam_learning_rate: Learning rate of the leaves that are no matrices; None: the same.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      muon_mask: Which leaves with rows and columns are matrices here; None: all but embeddings and heads, by the names in their paths.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.
      ns_kernel: What Newton-Schulz products run by: 'xla', or on TPU 'pallas', half of the symmetric ones.

    Source: arXiv:2606.16899
    """
    ...

def muown(
    learning_rate: _t.Hyper,
    beta: _t.Decay = 0.95,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    mu_dtype: _t.DType | None = None,
    *,
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = (3.4445, -4.775, 2.0315),
    ns_steps: int = 5,
    nesterov: bool = True,
    consistent_rms: _t.Hyper = 0.2,
    adam_weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    muon_mask: _t.Selection = None,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
    ns_kernel: Literal["xla", "pallas"] = "xla",
) -> Transformation:
    """Muown: Muon on the directions of each output's weights, Adam on their lengths, see `step_by_outputs`.

    Other leaves: AdamW, with b1, b2 and the same learning rate. The paper's needs no weight decay.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      nesterov: Look one step ahead along the momentum.
      consistent_rms: Root mean square of the updates of all matrices; None: scaled by columns / rows.
      adam_weight_decay: Weight decay of the leaves that are no matrices.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      muon_mask: Which leaves with rows and columns are matrices here; None: all but embeddings and heads, by the names in their paths.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.
      ns_kernel: What Newton-Schulz products run by: 'xla', or on TPU 'pallas', half of the symmetric ones.

    Source: arXiv:2605.10797
    """
    ...

def mup(
    tx: _t.Link,
    base: Any,
    rule: Literal["adam", "sgd", "muon"] = "adam",
    *,
    depth: float | None = None,
    scale_decay: bool = False,
    allow_base: bool = False,
) -> Transformation:
    """An optimizer whose learning rate, tuned on a narrow model, fits a wide one (muP).

    Which axes are width is seen from the shapes in `base`, a narrow model: see `scale_by_mup`, the link that
    it puts in, for the factors and for how the model must start. Decoupled decay keeps learning_rate *
    weight_decay, as in the authors' MuAdamW; scale_decay=True: it is scaled as the rate is, as in the paper's
    tables. `factors(tx, params)` shows what each leaf is and gets.

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.
      base: The narrow model: its parameters, their shapes by path, or a function (path, shape) -> shape.
      rule: How the optimizer normalises its updates: adam, sgd or muon.
      depth: The power of the number of layers that branches are divided by; None: layers are not counted.
      allow_base: Let the leaves have the shapes that they have in base: a run of the base itself.

    Source: arXiv:2203.03466
    """
    ...

def nadam(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    mu_dtype: _t.DType | None = None,
    *,
    nesterov: bool = True,
) -> Transformation:
    """Adam with Nesterov momentum, b1 constant: see `scale_by_adam(nesterov=True)`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      nesterov: Look one step ahead along the momentum.

    Source: Dozat 2016, Incorporating Nesterov momentum into Adam
    """
    ...

def nadamw(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    mu_dtype: _t.DType | None = None,
    weight_decay: _t.Hyper = 0.0001,
    mask: _t.Selection = None,
    *,
    nesterov: bool = True,
) -> Transformation:
    """`nadam` with decoupled weight decay: p = p - lr * (m' / (sqrt(v') + eps) + weight_decay * p).

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      nesterov: Look one step ahead along the momentum.

    Source: Dozat 2016, Incorporating Nesterov momentum into Adam; arXiv:1711.05101
    """
    ...

def named_chain(
    *links: tuple[str, _t.Link],
) -> Transformation:
    """A chain of pairs (name, transformation): the names replace the links' own in the state and in paths.

    Arguments shared with others:
      links: Transformations in the order in which they run.
    """
    ...

def noisy_sgd(
    learning_rate: _t.Hyper,
    eta: _t.Hyper = 0.01,
    gamma: _t.Hyper = 0.55,
    key: _t.Key | None = None,
    *,
    seed: int | None = None,
) -> Transformation:
    """Gradient descent on noisy gradients: see `add_noise`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      eta: Of noise its variance in the first update; of KATE the weight of squared gradients.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      key: Seed of the noise, a whole number or a JAX key; give it or `seed`.
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:1511.06807
    """
    ...

def normalize(
) -> Transformation:
    """Bring all updates, taken as one vector, to length 1: u = g / |g|, and 0 where there is no gradient."""
    ...

def normalize_by_history(
    b1: _t.Decay = 0.7,
    b2: _t.Decay = 0.9,
    eps: _t.Hyper = 1e-08,
) -> Transformation:
    """Give each matrix the norm that Adam would make of the norms so far (AdaGN).

    n = |g|;  m = b1 m + (1 - b1) n;  v = b2 v + (1 - b2) n^2
    u = g / n * m' / (sqrt(v') + eps),  m' = m / (1 - b1^t),  v' = v / (1 - b2^t)
    State: 8 bytes a matrix.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:2502.17055
    """
    ...

def normalize_by_update_norm(
    scale_factor: _t.Signed = 1.0,
    eps: _t.Hyper = 1e-06,
) -> Transformation:
    """Bring all updates, taken as one vector, to one length: u = scale_factor * g / (|g| + eps).

    The state holds the norm of the last step. Of no gradient with eps=0 the update is 0.

    Arguments shared with others:
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
    """
    ...

def normuon(
    learning_rate: _t.Hyper,
    beta: _t.Decay = 0.95,
    b2: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    mu_dtype: _t.DType | None = None,
    *,
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = (3.4445, -4.775, 2.0315),
    ns_steps: int = 5,
    nesterov: bool = True,
    equilibrate: Literal["outputs", "inputs", "both", "elements"] | None = None,
    renormalize: Literal["outputs", "inputs", "both", "elements"] | None = None,
    consistent_rms: _t.Hyper | None = 0.2,
    adam_b1: _t.Decay = 0.9,
    adam_b2: _t.Decay = 0.999,
    adam_weight_decay: _t.Hyper = 0.0,
    adam_learning_rate: _t.Hyper | None = None,
    muon_mask: _t.Selection = None,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
    ns_kernel: Literal["xla", "pallas"] = "xla",
) -> Transformation:
    """NorMuon: `muon` with `scale_by_normuon`, a second moment for each output, after orthogonalisation.

    Updates have the root mean square consistent_rms, as in the paper; None: the norm of the orthogonal
    update times the factor of `scale_by_shape`, as in the authors' code. The momentum is Nesterov's as
    there; nesterov=False is the paper's. Other leaves: AdamW. equilibrate and renormalize as in `muon`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      nesterov: Look one step ahead along the momentum.
      equilibrate: What of the momentum is balanced before orthogonalisation, see `balance`; None: nothing.
      renormalize: What of the orthogonal update is balanced, see `balance`; None: nothing.
      consistent_rms: Root mean square of the updates of all matrices; None: scaled by columns / rows.
      adam_b1: `b1` of Adam for the leaves that are no matrices.
      adam_b2: `b2` of Adam for the leaves that are no matrices.
      adam_weight_decay: Weight decay of the leaves that are no matrices.
      adam_learning_rate: Learning rate of the leaves that are no matrices; None: the same.
      muon_mask: Which leaves with rows and columns are matrices here; None: all but embeddings and heads, by the names in their paths.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.
      ns_kernel: What Newton-Schulz products run by: 'xla', or on TPU 'pallas', half of the symmetric ones.

    Source: arXiv:2510.05491
    """
    ...

def novograd(
    learning_rate: _t.Hyper,
    b1: _t.Fraction = 0.9,
    b2: _t.Decay = 0.25,
    eps: _t.Hyper = 1e-06,
    eps_root: _t.Hyper = 0.0,
    weight_decay: _t.Hyper = 0.0,
    *,
    per_leaf: bool = True,
) -> Transformation:
    """NovoGrad: p = p - lr * m, see `scale_by_novograd`; the decay is part of the momentum m.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:1905.11286
    """
    ...

def offload(
    inner: _t.Link,
    select: _t.Selection = "**",
    *,
    min_size: int = 16384,
    group_bytes: int = 33554432,
) -> Transformation:
    """Keep state in the host's memory, and bring it to the device for its update: offload(adamw(1e-3)).

    `select` chooses arrays of state by patterns such as "nu", "mu/**/kernel", "scale_by_adam/nu", or by a
    predicate (state path, slot) -> bool; those under `min_size` numbers stay on the device. In a jitted step
    leaves are done in groups of `group_bytes` on a device: while one is computed, the next comes and the
    last goes, three or four groups in all; numbers are the same as without. Put it around the optimizer,
    inside of `accumulate`.
    Make the state with `init`, and donate in the order of the results, as `Transform.step` says: JAX pairs
    donated buffers without looking at their memory. Without a mesh put the parameters on their device
    (`jax.device_put(params, device)`), as host arrays are, or the second step compiles again.

    Arguments shared with others:
      inner: The transformation that is wrapped.
      min_size: Arrays with fewer numbers than this are left as they are.
    """
    ...

def optimistic_adam(
    learning_rate: _t.Hyper,
    optimism: _t.Hyper | None = None,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    mu_dtype: _t.DType | None = None,
    *,
    nesterov: bool = True,
) -> Transformation:
    """Optimistic Adam: p = p - lr * a - optimism * (a - a of the last step), a from `scale_by_adam`.

    optimism=None is the learning rate, as in the paper. `optimistic_adam_v2` keeps the learning rate in one
    link, which `metrics` reads.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      nesterov: Look one step ahead along the momentum.

    Source: arXiv:1711.00141
    """
    ...

def optimistic_adam_v2(
    learning_rate: _t.Hyper,
    *,
    alpha: _t.Signed = 1.0,
    beta: _t.Signed = 1.0,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    mu_dtype: _t.DType | None = None,
    nesterov: bool = True,
) -> Transformation:
    """Optimistic Adam: p = p - lr * (alpha a + beta (a - a of the last step)), a from `scale_by_adam`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      alpha: Weight of one term of the update, see the formula.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      nesterov: Look one step ahead along the momentum.

    Source: arXiv:1711.00141
    """
    ...

def optimistic_gradient_descent(
    learning_rate: _t.Hyper,
    alpha: _t.Signed = 1.0,
    beta: _t.Signed = 1.0,
) -> Transformation:
    """Optimistic gradient descent: p = p - lr * (alpha g + beta (g - g of the last step)), for games.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      alpha: Weight of one term of the update, see the formula.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.

    Source: arXiv:1711.00141; arXiv:1905.11667
    """
    ...

def orthogonalize(
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = (3.4445, -4.775, 2.0315),
    ns_steps: int = 5,
    eps: _t.Hyper = 1e-08,
    *,
    preconditioning: Literal["frobenius", "spectral", "schatten", "aol"] = "frobenius",
    eps_floor: bool = False,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
    ns_kernel: Literal["xla", "pallas"] = "xla",
) -> Transformation:
    """Leave U V^T of the singular value decomposition U S V^T of each matrix, nearly: Muon without momentum.

    For chains: chain(trace(0.95, nesterov=True), balance(), orthogonalize("polar_express"), ...). How near:
    a singular value of 0.001 to 1 times the norm becomes one of 0.471 to 1.202 by "standard", 0.475 to 1.145
    by "dion", 0.846 to 1.124 by "polar_express", 0.886 to 1.114 by "cans", each in five steps. Of the last
    two ns_steps says how many are taken: with six 0.994 to 1.002 and 0.999 to 1.001.

    Arguments shared with others:
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      preconditioning: The norm a matrix is divided by first: frobenius, spectral, schatten or aol.
      eps_floor: The squared norm is eps at least; eps is not added to the norm.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.
      ns_kernel: What Newton-Schulz products run by: 'xla', or on TPU 'pallas', half of the symmetric ones.

    Source: Jordan et al. 2024, Muon; arXiv:2502.16982
    """
    ...

def orthograd(
    eps: _t.Hyper = 1e-30,
    mask: _t.Selection = None,
    *,
    keep_norm: bool = True,
) -> Transformation:
    """Take the part of the gradient along the parameters out of it: such steps change only the scale.

    u = g - p <p, g> / (|p|^2 + eps);  with keep_norm, as in the authors' code, u = u |g| / (|u| + eps)
    Over a leaf, of a stack over each layer. Of a gradient along p to the precision of its dtype the update
    is 0, and so it is of a single number: `mask` selects leaves, the first link of a chain.

    Arguments shared with others:
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2501.04697
    """
    ...

def parallel(
    branches: Mapping[str, Any],
    *,
    weights: Mapping[str, float] | None = None,
    merge: str | Callable[[Any], Any] = "sum",
) -> Transformation:
    """Run transformations beside each other on the same gradients, and merge their updates.

    u = sum over branches of weights[name] * u_name; without weights merge="sum" or "mean" of them, or a
    function merge({name: updates}) -> updates. The state of a branch is kept under its name. A weight that
    changes is a link at the end of its branch: scale_by_schedule(...).
    """
    ...

def parq(
    tx: _t.Link,
    levels: int,
    steps: int,
    begin: int = 0,
    steepness: float = 10.0,
    *,
    per: Literal["matrix", "output"] = "output",
    size: Literal["mean", "max"] = "mean",
    mask: _t.Selection = None,
) -> Transformation:
    """An optimizer whose matrices end on a grid of `levels` values: parq(adamw(1e-3), 4, steps=10_000).

    The inverse slope of `quantize_params` falls from 1 at step `begin` to 0, along a sigmoid, in `steps`.

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.
      levels: How many values the grid has: 2 binary, 3 ternary, 16 for four bits.
      begin: The step that it begins at.
      per: Whether a grid is one for the matrix or for the inputs of each output.
      size: What the outermost level is: the largest magnitude, or a multiple of the mean.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2503.15748
    """
    ...

def partition(
    transforms: Mapping[str, Any],
    param_labels: _t.Selection,
    *,
    mask_compatible_extra_args: bool = False,
) -> Transformation:
    """A transformation for each group of leaves, by label; every leaf belongs to exactly one.

    `param_labels` is {pattern: label} tried in order, for example {"**/bias": "plain", "**": "decay"}, a
    function (path, leaf) -> label, a tree of labels that may be a prefix of the parameters, or a function of
    the parameters that returns one. The state of a group is kept under its label.
    mask_compatible_extra_args: of an extra argument that is a tree like the updates each gets its part.

    Arguments shared with others:
      transforms: A transformation for each label.
      param_labels: Which group a leaf is in: a tree of labels, a function that gives one, patterns.
      mask_compatible_extra_args: Pick leaves of extra arguments that are trees like the updates, too.
    """
    ...

def pcgrad(
    *,
    seed: int = 0,
    mean: bool = False,
) -> Transformation:
    """Make one gradient of those of n tasks, which come as leaves [n, *shape]: the first link of a chain.

    for each task i, over the others j in random order: where <g_i, g_j> < 0, with the g_j that came in,
    g_i = g_i - g_j <g_i, g_j> / |g_j|^2;  u = sum over i of g_i, or with mean=True their mean
    Inner products are those of all leaves together, and computed once. The order is a function of
    (seed, step, task). Gradients: jax.vmap(jax.grad(loss), (None, 0))(params, tasks).

    Arguments shared with others:
      seed: Number that the noise is made from, together with step, path and element.
      mean: Take the mean of the gradients, not their sum.

    Source: arXiv:2001.06782
    """
    ...

def polyak_sgd(
    max_learning_rate: _t.Limit = 1.0,
    scaling: _t.Hyper = 1.0,
    f_min: _t.Signed = 0.0,
    eps: _t.Hyper = 0.0,
    variant: Literal["sps", "sps+"] = "sps",
    *,
    scaling_first: bool = True,
) -> Transformation:
    """Gradient descent with Polyak's step: p = p - scaling * u, see `scale_by_polyak`.

    scaling_first: the gradient is multiplied by scaling first, as in Optax. Its square is in the denominator,
    so that the step is divided by scaling where max_learning_rate does not bound it.

    Arguments shared with others:
      max_learning_rate: The longest step.
      f_min: The least value that the loss can have, or a guess of it.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      variant: Which form of the rule.

    Source: arXiv:2002.10542
    """
    ...

def primal_averaging(
    base_optimizer: _t.Link,
    mu_x: _t.Fraction = 0.9967,
    mu_y: _t.Fraction = 0.7,
    state_dtype: _t.DType | None = None,
) -> Transformation:
    """Run an optimizer on z; the parameters are y, between z and its running average x.

    z = z + u(gradient at y, z);  x = mu_x x + (1 - mu_x) z;  y = mu_y x + (1 - mu_y) z
    `eval_params(tx, state, params)` is x, which is not kept: (y - (1 - mu_y) z) / mu_y. Weight decay within
    the base is of z. mu_x = 0 is the base alone, mu_y = 1 averages where gradients are taken (primal
    averaging), mu_x = 1 - 1 / t is `schedule_free`. About 0.9^(1 / k) for mu_x follows DiLoCo of k steps.

    Arguments shared with others:
      base_optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      mu_x: How much of the average outlives a step, from 0 to 1.
      mu_y: Where gradients are taken: at the average for 1, near the base's iterate for a small number.
      state_dtype: dtype in which the second copy of the parameters is kept; None: float32 at least.

    Source: arXiv:2512.17131
    """
    ...

def prodigy(
    learning_rate: _t.Hyper = 1.0,
    betas: tuple[Any, ...] = (0.9, 0.999),
    beta3: _t.Decay | None = None,
    eps: _t.Hyper = 1e-08,
    estim_lr0: _t.Hyper = 1e-06,
    estim_lr_coef: _t.Hyper = 1.0,
    weight_decay: _t.Hyper = 0.0,
    safeguard_warmup: bool = False,
    *,
    bias_correction: bool = True,
) -> Transformation:
    """Adam that finds its step length: see `scale_by_prodigy`. The learning rate is a factor, 1 as a rule.

    A schedule goes from 1 down to 0. Call `init` with the parameters that training starts from.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      betas: The pair (b1, b2): decays of the means of gradients and of their squares.
      beta3: Decay of the sums that the step length is estimated from; None: sqrt(b2).
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      estim_lr0: The step length to start with, below the one that is looked for.
      estim_lr_coef: Factor of the estimated step length.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      safeguard_warmup: Leave the learning rate out of the denominator of the estimate.
      bias_correction: Divide averages that start at zero by 1 - decay^t.

    Source: arXiv:2306.06101
    """
    ...

def proximal_decay(
    learning_rate: _t.Hyper,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """Shrink what the step leads to, the proximal step of weight_decay / 2 * |p|^2: the last link of a chain.

    p + u becomes (p + u) / (1 + learning_rate * weight_decay), learning_rate that of the chain.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2208.06677
    """
    ...

def proximal_l1(
    strength: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """Shrink what the step leads to towards zero, with exact zeros: the last link of a chain.

    p + u becomes sign(p + u) * max(|p + u| - strength, 0), the proximal step of strength * sum |p|
    (for a penalty of lambda and learning rate lr, strength is lr * lambda).
    Source: Daubechies et al. 2004 (iterative soft thresholding).

    Arguments shared with others:
      strength: Weight of the penalty.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
    """
    ...

def prune_by_magnitude(
    sparsity: _t.Fraction,
    every: _t.Period = 100,
    *,
    regrow: bool = False,
    mask: _t.Selection = None,
) -> Transformation:
    """Hold the smallest parameters at exactly zero: a share `sparsity` of each matrix. The last link.

    every `every` steps:  kept = all but the round(sparsity * n) smallest of |p + u|, per layer of a stack
    p + u becomes p + u where kept, else 0
    `sparsity` is a schedule as a rule: cubic_sparsity(0.9, steps). What is pruned stays so, as in the paper;
    regrow=True: a number comes back whose update alone is above the smallest that are kept. Moments go on
    for pruned numbers. Vectors are left alone; `mask` selects among the matrices. `sparsity(params)` shows
    it. Parameters of 16 bits lose small updates, as no link that rounds them can follow. After `lookahead`
    and `average` the trained parameters are pruned, those of `eval_params` are not: take the trained ones.

    Arguments shared with others:
      every: Of how many steps one counts.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:1710.01878
    """
    ...

def prune_n_of_m(
    n: int = 2,
    m: int = 4,
    *,
    along: int | None = None,
    begin: int = 0,
    mask: _t.Selection = None,
) -> Transformation:
    """Keep the n largest of every m parameters along an axis, the others at zero. The last link.

    p + u becomes p + u where it is among the n largest of its group in magnitude, else 0
    `along` is the axis, by default the last of the inputs (rows), which is what sparse tensor cores take;
    what is left over at its end is kept. Chosen anew in every step from step `begin` on: a number comes back
    when its update is larger than one of the group. Vectors are left alone; moments go on for pruned numbers.
    After `lookahead` and `average` the trained parameters are pruned, those of `eval_params` are not.

    Arguments shared with others:
      begin: The step that it begins at.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2102.04010
    """
    ...

def psgd_kron(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    precond_learning_rate: _t.Hyper = 0.1,
    update_probability: _t.Fraction | None = None,
    max_size: int = 8192,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    mu_dtype: _t.DType | None = None,
    *,
    diagonal: Literal["none", "longest", "all"] = "none",
    init_scale: float = 1.0,
    damping: _t.Hyper = 0.00034526698300124393,
    clip_threshold: _t.Hyper | None = 1.1,
    seed: _t.Key = 0,
) -> Transformation:
    """PSGD Kron: p = p - lr * (u + weight_decay * p), u of `scale_by_psgd`, its root mean square bounded.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      precond_learning_rate: How far a step of fitting goes; at 1 all the way.
      update_probability: In which share of the steps factors are fitted.
      max_size: The longest side of a matrix with a triangular factor; a longer one has a diagonal factor.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      diagonal: Sides with a diagonal factor whatever their length: "none", "longest" or "all".
      init_scale: What the preconditioner starts with, times the unit matrix.
      damping: Share of noise that joins what factors are fitted to.
      clip_threshold: The largest element of the update, or root mean square of its elements; None: any.
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:1512.04202; arXiv:2402.11858
    """
    ...

def psgd_lra(
    learning_rate: _t.Hyper,
    rank: int = 10,
    b1: _t.Decay = 0.9,
    precond_learning_rate: _t.Hyper = 0.1,
    update_probability: _t.Fraction = 1.0,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    mu_dtype: _t.DType | None = None,
    *,
    init_scale: float = 1.0,
    seed: _t.Key = 0,
) -> Transformation:
    """PSGD-LRA: p = p - lr * (u + weight_decay * p), u of `scale_by_psgd_lra`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      rank: To how many rows or columns a gradient is projected.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      precond_learning_rate: How far a step of fitting goes; at 1 all the way.
      update_probability: In which share of the steps factors are fitted.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      init_scale: What the preconditioner starts with, times the unit matrix.
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:2211.04422; arXiv:2402.11858
    """
    ...

def qhadam(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.995,
    b2: _t.Decay = 0.999,
    nu1: _t.Fraction = 0.7,
    nu2: _t.Fraction = 1.0,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    mu_dtype: _t.DType | None = None,
) -> Transformation:
    """QHAdam: p = p - lr * (u + weight_decay * p), see `scale_by_qhadam`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      nu1: Weight of the first moment beside the newest gradient, from 0 to 1.
      nu2: Weight of the second moment beside the newest square, from 0 to 1.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.

    Source: arXiv:1810.06801
    """
    ...

def qhm(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.999,
    nu: _t.Fraction = 0.7,
    mu_dtype: _t.DType | None = None,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """Quasi-hyperbolic momentum: p = p - lr * ((1 - nu) g + nu m + weight_decay * p), see `scale_by_qhm`.

    m is a mean, so that the learning rate is that of plain descent, not of `sgd` with momentum.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      nu: Weight of the mean in the update; the rest is the gradient's.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:1810.06801
    """
    ...

def qk_clip(
    threshold: _t.Hyper = 100.0,
    queries: _t.Selection = "**/query/*",
    keys: _t.Selection = "**/key/*",
    *,
    query_share: _t.Fraction = 0.5,
    heads: int = -2,
) -> Transformation:
    """Scale the queries' and keys' weights of heads whose attention logits were too large: the last link.

    c = min(1, threshold / max_logits);  p + u becomes c^s (p + u) for queries, c^(1-s) for keys
    s is query_share, `heads` the axis of the heads in kernels [in, heads, dim] and biases [heads, dim].
    `max_logits` is an argument of update: the largest logit of each head in this step, before softmax, over
    the whole batch, [heads], or for stacked layers [layers, heads]; a scalar is that of all heads. One array
    is for all attentions, else a tree of them with the path of each; None clips nothing. Fewer heads of keys
    than of queries share them: these keys stay and their queries get all of c, as shared parts of MLA do.

    Arguments shared with others:
      threshold: Where a rule begins to act: at this root mean square, in RAdam at this length of average, in QK-clip at this logit, in SPAM where a square is this many times the mean of squares; of roll_back, so many standard deviations above the mean.
      queries: Which leaves make queries, as in `mask`.
      keys: Which leaves make keys, as in `mask`.
      query_share: The power of the factor of a head that its queries get; its keys get the rest.
      heads: The axis of the heads in kernels and biases of queries and keys.

    Source: arXiv:2507.20534
    """
    ...

def quantize_params(
    levels: int,
    inverse_slope: _t.Fraction = 0.0,
    *,
    per: Literal["matrix", "output"] = "output",
    size: Literal["mean", "max"] = "mean",
    mask: _t.Selection = None,
) -> Transformation:
    """Draw matrices to a grid of `levels` values around 0: 2 (binary), 3 (ternary), 2^bits.

    z = z + u;  p = map(z), z being the state
    inverse_slope = 0: the nearest level, gradients straight through (BinaryConnect, arXiv:1511.00363);
    between 0 and 1 PARQ's map, affine of that inverse slope halfway between two levels; 1: p = z. `parq` goes
    from 1 to 0. The outermost level is max |z|, or for size="mean" min(log2(levels) * mean |z|, max |z|),
    over the inputs of each output, or over the matrix (per="matrix"). Odd numbers of levels have exact zeros.
    The last link of a chain. z is float32 at least: parameters of 16 bits lose nothing. Vectors stay.

    Arguments shared with others:
      levels: How many values the grid has: 2 binary, 3 ternary, 16 for four bits.
      per: Whether a grid is one for the matrix or for the inputs of each output.
      size: What the outermost level is: the largest magnitude, or a multiple of the mean.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2503.15748
    """
    ...

def racs(
    learning_rate: _t.Hyper,
    decay: _t.Decay = 0.9,
    alpha: _t.Hyper = 0.05,
    gamma: _t.Hyper = 1.01,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    *,
    iterations: int = 5,
) -> Transformation:
    """RACS: p = p - lr * (alpha * u + weight_decay * p), the norm of u growing by gamma in a step at most.

    u as in `scale_by_racs` and `limit_norm_growth`; state: 4 bytes for each row and column, 4 a matrix.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      decay: How much of an average, or of a sum, outlives a step, from 0 to 1.
      alpha: Weight of one term of the update, see the formula.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      iterations: How many fixed-point iterations find the numbers of rows and columns.

    Source: arXiv:2502.07752
    """
    ...

def radam(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    threshold: _t.Limit = 5.0,
    *,
    nesterov: bool = False,
) -> Transformation:
    """Rectified Adam: momentum until the second moment can be trusted, see `scale_by_radam`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      threshold: Where a rule begins to act: at this root mean square, in RAdam at this length of average, in QK-clip at this logit, in SPAM where a square is this many times the mean of squares; of roll_back, so many standard deviations above the mean.
      nesterov: Look one step ahead along the momentum.

    Source: arXiv:1908.03265
    """
    ...

def reduce_on_plateau(
    factor: float = 0.1,
    patience: int = 10,
    rtol: float = 0.0001,
    atol: float = 0.0,
    cooldown: int = 0,
    accumulation_size: int = 1,
    min_scale: float = 0.0,
) -> Transformation:
    """Multiply updates by a scale that falls where the extra argument `value`, the loss, does not.

    Every accumulation_size values are averaged. A mean below (1 - rtol) * best - atol is an improvement.
    After `patience` means in a row without one, scale = max(scale * factor, min_scale), and the next
    `cooldown` means without one are not counted.
    A patience of n is n - 1 in torch's ReduceLROnPlateau. The last link of a chain; a schedule in the same
    chain multiplies too. `metrics` reports plateau_scale.

    Arguments shared with others:
      patience: How many bad steps in a row pass before the rule acts.
      rtol: Relative tolerance: differences up to this share of the value count for nothing.
      atol: Absolute tolerance: differences up to it count for nothing.
      min_scale: The least factor that updates are multiplied with.
    """
    ...

def reduce_variance(
    b1: _t.Decay = 0.95,
    gamma: _t.Hyper = 0.025,
    *,
    exact: bool = False,
) -> Transformation:
    """Add to the gradient its change since the last step, before any rule that averages with decay b1.

    u = g + gamma b1 / (1 - b1) (g - g of the step before), which is 0 before the first
    The gradient of the step before is that of its own batch: MARS's approximate form, its authors' default.
    In the paper the first change is 0, in the authors' code the first gradient.
    exact=True: the change is g - previous_grads, an argument of update: the gradients of this step's batch
    at the parameters before the last step; in the first step g itself. Nothing is kept then.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      exact: Take the change from the argument previous_grads of update, not from the last step.

    Source: arXiv:2411.10438
    """
    ...

def reset_every(
    tx: _t.Link,
    period: _t.Period,
) -> Transformation:
    """Start the state of `tx` afresh after every `period` steps.

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.
    """
    ...

def rmsprop(
    learning_rate: _t.Hyper,
    decay: _t.Decay = 0.9,
    eps: _t.Hyper = 1e-08,
    initial_scale: _t.Hyper = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: _t.Fraction | None = None,
    nesterov: bool = False,
    bias_correction: bool = False,
) -> Transformation:
    """RMSprop: p = p - lr * g / sqrt(v + eps), see `scale_by_rms`; centered: see `scale_by_stddev`.

    momentum accumulates lr * g / sqrt(v + eps), as in keras and Optax: a change of the learning rate does
    not touch what was gathered before (torch multiplies by it afterwards).

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      decay: How much of an average, or of a sum, outlives a step, from 0 to 1.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      initial_scale: What the mean of squares starts with.
      eps_in_sqrt: Whether eps is under the root, sqrt(v + eps), or beside it, sqrt(v) + eps.
      momentum: Decay of the momentum that is added to the method, from 0 to 1; None: no momentum.
      nesterov: Look one step ahead along the momentum.
      bias_correction: Divide averages that start at zero by 1 - decay^t.

    Source: Tieleman & Hinton 2012, lecture 6.5
    """
    ...

def roll_back(
    tx: _t.Link,
    every: _t.Period = 100,
    patience: _t.Period = 3,
    threshold: _t.Limit = 6.0,
    *,
    window: int = 128,
    by: str = "norm",
) -> Transformation:
    """Leave out spikes as `skip` does; after `patience` of them in a row go back to the last snapshot.

    A spike is a gradient or loss that is not finite, or a measure (the gradient's norm, by="value" the extra
    argument `value`) above mean + threshold * std of the last `window` updates let through, if there are so
    many. A snapshot is of the parameters and the state of `tx` before an update that is none, `every` updates
    after the last one; the first is where training begins. Going back empties the history: a new level is
    not spikes for ever. The data go on. A snapshot costs the parameters, in float32 at least, and the inner
    state once more: `stored` and `offload` around it take fewer bits ("roll_back/params") or the host
    ("roll_back/**").

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.
      every: Of how many steps one counts.
      patience: How many bad steps in a row pass before the rule acts.
      threshold: Where a rule begins to act: at this root mean square, in RAdam at this length of average, in QK-clip at this logit, in SPAM where a square is this many times the mean of squares; of roll_back, so many standard deviations above the mean.
      window: How many of the last updates are remembered.
      by: What says that a step is a spike: the gradient's "norm", or "value", the loss.
    """
    ...

def round_stochastically(
    seed: int = 0,
) -> Transformation:
    """Round the new parameters up or down at random, so that their mean is what float32 would hold.

    P(up) = (p + u - low) / (high - low) between the neighbours low and high. No state but a counter.
    The last link of a chain. Updates far below the parameter's spacing are kept on average, weight decay
    too. The noise is a function of (seed, step, path, element): replicas and shardings agree.

    Arguments shared with others:
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:2010.06192
    """
    ...

def rprop(
    learning_rate: _t.Hyper,
    eta_minus: _t.Fraction = 0.5,
    eta_plus: _t.Hyper = 1.2,
    min_step_size: _t.Hyper = 1e-06,
    max_step_size: _t.Hyper = 50.0,
) -> Transformation:
    """Rprop: p = p - u, see `scale_by_rprop`; for gradients of the whole data, not of batches.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      eta_minus: Factor of a step size where the sign of the gradient has turned.
      eta_plus: Factor of a step size where the sign of the gradient has stayed.
      min_step_size: The smallest step size of an element.
      max_step_size: The largest step size of an element.

    Source: Riedmiller & Braun 1993; Igel & Huesken 2003
    """
    ...

def sam(
    optimizer: _t.Link,
    adv_optimizer: _t.Link,
    sync_period: int = 2,
    reset_state: bool = True,
    opaque_mode: bool = False,
    batch_axis_name: str | None = None,
) -> Transformation:
    """Sharpness-aware minimization: climb by adv_optimizer, step by the gradient that is found there.

    e = -adv(g(p));  p = p + optimizer(g(p + e)), after sync_period - 1 steps of e, each from the one before
    Without opaque_mode each update takes one gradient: sync_period - 1 updates climb, the next one goes back
    to where they began and steps from there. opaque_mode: one update does all of it; the gradients between
    come from the extra argument `grad_fn(params)` or `grad_fn(params, i)`, in shards of a mesh as their mean
    over batch_axis_name. reset_state: the climb starts afresh after each step. The paper's adv_optimizer is
    chain(normalize(), sgd(rho)). The parameters between are those climbed to; `eval_params` reads the others.

    Arguments shared with others:
      optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      sync_period: Steps of the fast weights for each one of the slow weights.
      reset_state: Whether the inner optimizer starts afresh after each synchronisation.
      batch_axis_name: The mesh axis over which gradients of `grad_fn` are averaged, in shards; None: none.

    Source: arXiv:2010.01412
    """
    ...

def scale(
    step_size: _t.Signed,
) -> Transformation:
    """Multiply updates by a number: u = step_size * g."""
    ...

def scale_by_accsgd(
    kappa: _t.Hyper = 1000.0,
    xi: _t.Hyper = 10.0,
    small_const: _t.Hyper = 0.7,
) -> Transformation:
    """Scale by accelerated SGD, written as momentum.

    c = small_const;  beta = c^2 xi / kappa;  zeta = c / (c + beta)
    d = (1 - beta) m + c xi g;  u = zeta g + (1 - zeta) d;  m = zeta (d - g)
    The paper keeps w = p - lr m: w = (1 - beta) w + beta (p - kappa lr / c g), p = zeta (p - lr g) +
    (1 - zeta) w, the same at a constant rate. kappa: how much longer the long step is; xi <= sqrt(kappa):
    how much statistical advantage is assumed.

    Arguments shared with others:
      kappa: How many times longer the long step is than the short one.
      xi: Statistical advantage that is assumed, at most the root of kappa.
      small_const: A number below 1 in the length of the long step.

    Source: arXiv:1803.05591; arXiv:1704.08227
    """
    ...

def scale_by_acprop(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-16,
    eps_root: _t.Hyper = 1e-16,
    *,
    old_mean: bool = True,
) -> Transformation:
    """Scale by ACProp: the gradient over a second moment of the gradients before it.

    u = g / (sqrt(v') + eps), v' = v / (1 - b2^(t-1)), 1 in the first step
    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) |g - m|^2 + eps_root
    old_mean: g is compared with the m before it, as in Optax, and v is larger by 1 / b1^2.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      old_mean: Compare the gradient with the mean that was before it.

    Source: arXiv:2110.05454
    """
    ...

def scale_by_adabound(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    final_ratio: _t.Hyper = 100.0,
    gamma: _t.Hyper = 0.001,
    mu_dtype: _t.DType | None = None,
    *,
    amsbound: bool = False,
) -> Transformation:
    """Scale by AdaBound: the rate of each element is clipped to a range that closes with time.

    r = 1 / ((1 - b1^t) (sqrt(v / (1 - b2^t)) + eps)), m and v as of `scale_by_adam`
    u = clip(r, final_ratio (1 - 1 / (gamma t + 1)), final_ratio (1 + 1 / (gamma t))) * m
    amsbound: the largest v so far for v. gamma=0 is Adam. The bias correction is the authors' code's, which
    adds eps before that of v; the paper has neither.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      final_ratio: The rate that the bounds close around, as a multiple of the learning rate.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      amsbound: Take the largest second moment so far.

    Source: arXiv:1902.09843
    """
    ...

def scale_by_adadelta(
    rho: _t.Decay = 0.9,
    eps: _t.Hyper = 1e-06,
) -> Transformation:
    """Scale by AdaDelta.

    v = rho v + (1 - rho) |g|^2;  u = g * sqrt(x + eps) / sqrt(v + eps);  x = rho x + (1 - rho) |u|^2

    Arguments shared with others:
      rho: Decay of both running squares, from 0 to 1; of SAM and its kin how far the climb goes.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:1212.5701
    """
    ...

def scale_by_adafactor(
    min_dim_size_to_factor: int = 128,
    decay_rate: _t.Hyper = 0.8,
    decay_offset: _t.Hyper = 0,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: _t.Limit | None = 1.0,
    eps: _t.Hyper = 1e-30,
    factored: bool = True,
    *,
    longest_axes: bool = False,
    per_leaf: bool = False,
) -> Transformation:
    """`scale_by_factored_rms`, `clip_by_block_rms` and `scale_by_param_block_rms` in one kernel.

    The numbers are those of a chain of the three; memory is read less often, see `over_factors`.

    Arguments shared with others:
      min_dim_size_to_factor: A matrix with fewer rows or columns than this keeps its whole second moment.
      decay_rate: Exponent of Adafactor's averages: the newest square weighs t^-decay_rate.
      decay_offset: After how many steps the decay of Adafactor's averages begins to count.
      multiply_by_parameter_scale: Make steps relative to the root mean square of the parameters.
      clipping_threshold: The largest root mean square of an update before the learning rate; None: any.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      factored: Keep the second moment of a matrix as its means over rows and over columns.
      longest_axes: Take the two longest axes for rows and columns, whatever the leaf's name says.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:1804.04235
    """
    ...

def scale_by_adahessian(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 0.0001,
    hessian_power: _t.Fraction = 1.0,
    update_interval: _t.Period = 1,
    hessian_diagonal_fn: _t.Link = ...,
    mu_dtype: _t.DType | None = None,
    *,
    spatial_average: bool = True,
) -> Transformation:
    """Scale by AdaHessian.

    m = b1 m + (1 - b1) g;  every update_interval steps v = b2 v + (1 - b2) d^2
    u = m' / (v'^(hessian_power / 2) + eps),  m' = m / (1 - b1^t),  v' = v / (1 - b2^k), k estimates so far
    d is the update of hessian_diagonal_fn, any transformation that estimates the Hessian's diagonal; extra
    arguments of update go to it. spatial_average: |d| of a convolution is averaged over its window (over all
    axes of rows but the last, as the leaf's axes say; the authors' code has |d| where the paper has d).

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      hessian_power: Power of the Hessian's diagonal that divides the update, from 0 to 1.
      update_interval: How many steps pass from one estimate of the Hessian to the next.
      hessian_diagonal_fn: A transformation whose updates are an estimate of the Hessian's diagonal.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      spatial_average: Average the Hessian's diagonal over the window of a convolution.

    Source: arXiv:2006.00719
    """
    ...

def scale_by_adai(
    b0: _t.Hyper = 0.1,
    b2: _t.Decay = 0.99,
    eps: _t.Hyper = 0.001,
) -> Transformation:
    """Average gradients for longer where their second moment is small (adaptive inertia).

    v = b2 v + (1 - b2) |g|^2;  v' = v / (1 - b2^t);  w the mean of v' over all elements of all leaves
    b = clip(1 - b0 v' / w, 0, 1 - eps);  m = b m + (1 - b) g;  u = m / (1 - the product of all b so far)
    b0 is what the momentum lacks to 1 where v' is average, 0.1 for one of 0.9.

    Arguments shared with others:
      b0: What Adai's momentum lacks to 1 where the second moment is average.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:2006.15815
    """
    ...

def scale_by_adam(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    mu_dtype: _t.DType | None = None,
    *,
    nesterov: bool = False,
    bias_correction: bool = True,
) -> Transformation:
    """Scale by Adam.

    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) |g|^2
    u = m' / (sqrt(v' + eps_root) + eps),  m' = m / (1 - b1^t),  v' = v / (1 - b2^t)
    nesterov: m' = b1 m / (1 - b1^(t+1)) + (1 - b1) g / (1 - b1^t), arXiv:1412.6980 with Dozat 2016.
    bias_correction=False: m' = m, v' = v; with eps=0 and eps_root the root holds epsilon.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      nesterov: Look one step ahead along the momentum.
      bias_correction: Divide averages that start at zero by 1 - decay^t.
    """
    ...

def scale_by_adam_mini(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    mu_dtype: _t.DType | None = None,
    *,
    over: Literal["blocks", "rows", "cols", "matrix", "none"] | Mapping[str, str] = "blocks",
) -> Transformation:
    """Scale by Adam with one second moment for each block of elements.

    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) mean of |g|^2 over the block
    u = m' / (sqrt(v' + eps_root) + eps),  m' = m / (1 - b1^t),  v' = v / (1 - b2^t)
    `over` says along which axes: "rows" of a matrix (one for each output), "cols" (one for each input),
    "matrix" (one for each layer), "none" (Adam), or patterns of paths and these words, {"**/embedding":
    "cols"}; where none fits it is "none". "blocks" is the paper's: one for each token of an embedding, head
    of a query or key [in, heads, dim], output of another kernel, and vector. A head of other kernels is told
    by with_axes, as in "rbr". (The authors' code gives a bias one for each element.)
    State: 4 bytes a parameter, and 4 for each block.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      over: Along which axes elements share a second moment: a word, or patterns of paths and words.

    Source: arXiv:2406.16793
    """
    ...

def scale_by_adamax(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
) -> Transformation:
    """Scale by AdaMax; `nu` of the state is a maximum, not a square.

    m = b1 m + (1 - b1) g;  v = max(b2 v, |g| + eps);  u = m / (1 - b1^t) / v
    The paper has no eps; it stands where torch and Optax have it.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:1412.6980
    """
    ...

def scale_by_adamod(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    b3: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
) -> Transformation:
    """Scale by AdaMod: the rate of each element is at most its own slow average.

    r = 1 / ((1 - b1^t) (sqrt(v / (1 - b2^t)) + eps)), m and v as of `scale_by_adam`
    a = b3 a + (1 - b3) r;  u = min(r, a) * m
    a starts at 0 and makes a warm-up. It holds the correction of m as in the authors' code; in the paper not.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      b3: Decay of the third statistic in the state, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:1910.12249
    """
    ...

def scale_by_adamp(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    delta: _t.Hyper = 0.1,
    wd_ratio: _t.Fraction = 0.1,
    mu_dtype: _t.DType | None = None,
    *,
    nesterov: bool = False,
) -> Transformation:
    """Scale by Adam, and take the part along the weights out of the update where the gradient has none.

    a = m' / (sqrt(v') + eps), m' and v' as of `scale_by_adam`
    u = a - p <p, a> / |p|^2 + wd_ratio * weight_decay * p  where |cos(g, p)| < delta / sqrt(n)
    u = a + weight_decay * p  elsewhere
    First for each unit, a column of n weights, in a layer all of whose units pass, then for whole layers.
    nesterov: (b1 m + (1 - b1) g) / (1 - b1^t) for m'. delta=0 is Adam. Vectors are not projected.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      delta: Where an update is projected: the cosine of gradient and weights is below delta / sqrt(n).
      wd_ratio: Factor of the decay where an update is projected.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      nesterov: Look one step ahead along the momentum.

    Source: arXiv:2006.08217
    """
    ...

def scale_by_adan(
    b1: _t.Decay = 0.98,
    b2: _t.Decay = 0.92,
    b3: _t.Decay = 0.99,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
) -> Transformation:
    """Scale by Adan.

    d = g - g of the step before, 0 in the first;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) d
    n = b3 n + (1 - b3) |g + b2 d|^2;  u = (m' + b2 v') / (sqrt(n' + eps_root) + eps)
    m' = m / (1 - b1^t) and so on. The paper's betas are 1 - b1, 1 - b2, 1 - b3. Optax weighs d and v' by
    1 - b2 where the paper has b2.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      b3: Decay of the third statistic in the state, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.

    Source: arXiv:2208.06677
    """
    ...

def scale_by_adanorm(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.99,
    b3: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    *,
    per_leaf: bool = False,
) -> Transformation:
    """Scale by AdamNorm: in the first moment the gradient of a layer is as long as the average at least.

    n = b3 n + (1 - b3) |g|;  s = g * max(1, n / |g|);  m = b1 m + (1 - b1) s;  v = b2 v + (1 - b2) |g|^2
    u = m' / (sqrt(v') + eps), m' and v' as of `scale_by_adam`; n, of a layer, starts at 0 uncorrected

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      b3: Decay of the third statistic in the state, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:2210.06364
    """
    ...

def scale_by_ademamix(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    b3: _t.Decay = 0.9999,
    alpha: _t.Hyper = 6.0,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    mu_dtype: _t.DType | None = None,
) -> Transformation:
    """Scale by AdEMAMix.

    m = b1 m + (1 - b1) g;  n = b3 n + (1 - b3) g;  v = b2 v + (1 - b2) |g|^2
    u = (m' + alpha n) / (sqrt(v' + eps_root) + eps), m' and v' as of `scale_by_adam`
    n is not corrected, so that it comes in slowly. The paper lets alpha and b3 grow over a run: schedules.
    mu_dtype is that of m and n.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      b3: Decay of the third statistic in the state, see the formula.
      alpha: Weight of one term of the update, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.

    Source: arXiv:2409.03137
    """
    ...

def scale_by_adopt(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.9999,
    eps: _t.Hyper = 1e-06,
    mu_dtype: _t.DType | None = None,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
    clip_value_fn: Callable[[Any], Any] | None = None,
) -> Transformation:
    """Scale by ADOPT.

    c = clip(g / max(sqrt(v), eps), clip_value_fn(t));  m = b1 m + (1 - b1) c;  u = m
    v = b2 v + (1 - b2) |g|^2
    The first gradient only starts v = |g|^2, and its update is 0; t is 1 for the second. Without a
    clip_value_fn the bound is t^0.25. nesterov: u = b1 m + (1 - b1) c

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      nesterov: Look one step ahead along the momentum.
      use_clipping: Bound what joins the momentum, element by element.
      clip_value_fn: The bound of each element as a function of the step; None: the paper's.

    Source: arXiv:2411.02853
    """
    ...

def scale_by_aggmo(
    decays: Sequence[float] = (0.0, 0.9, 0.99),
) -> Transformation:
    """Take the mean of K momenta: what oscillates under one decay is damped by the others.

    v_i = decay_i v_i + g;  u = (v_1 + ... + v_K) / K
    The paper's decays are 1 - 0.1^i, i from 0. One decay is `trace`. The state has K arrays like each leaf.

    Arguments shared with others:
      decays: Decays of the momenta whose mean is taken, each from 0 to below 1.

    Source: arXiv:1804.00325
    """
    ...

def scale_by_alice(
    rank: int = 128,
    update_proj_gap: _t.Period = 200,
    scale: _t.Hyper = 0.3,
    base_optimizer: Any = None,
    weight_dimension_numbers: Any = None,
    *,
    leading: int = 40,
    b1: _t.Decay = 0.9,
    b3: _t.Decay | None = 0.999,
    compensation: _t.Hyper | None = 0.4,
    gamma: _t.Hyper | None = 1.01,
    eps: _t.Hyper = 1e-08,
    seed: _t.Key = 0,
) -> Transformation:
    """Adam in `rank` eigenvectors U of the mean of g g^H, and the rest of g scaled column by column.

    r = U^H g;  T = b3 T + (1 - b3) r r^H;  u = base(r);  rows <= cols, else rows and columns are exchanged
    p = b1 p + (1 - b1) sum over rows of |g - U r|^2;  c = sqrt(rows - rank) (g - U r) / (sqrt(p) + eps)
    the update is scale (U u + compensation c), the norm of c at most gamma times the last
    every update_proj_gap steps: one step of iteration to the eigenvectors of b3 U T U^H + (1 - b3) g g^H; the
    first `leading` stay, the others are drawn from the complement of all, or of these where that is small.
    The first U is made of singular vectors of g. T and the base's moments are not turned to a new U, as in
    the paper. b3=None: no tracking, Alice-0. compensation=None: without.
    The base (None: scale_by_adam(0.9, 0.9, bias_correction=False)) also takes what is no matrix.
    State for m <= n: the base's of [rank, n], 4 (m rank + rank^2 + n) bytes, 4 a matrix.

    Arguments shared with others:
      rank: To how many rows or columns a gradient is projected.
      update_proj_gap: How many steps pass from one projection to the next.
      scale: Factor of the updates of projected leaves.
      base_optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      weight_dimension_numbers: Which axes of a leaf are rows and columns, as Optax says it.
      leading: How many eigenvectors a new basis keeps; the others are drawn.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b3: Decay of the third statistic in the state, see the formula.
      compensation: Weight of what a projection leaves out; None: it is left out.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:2502.07752
    """
    ...

def scale_by_amos(
    learning_rate: _t.Hyper,
    target_scale: _t.Hyper | None = None,
    b2: _t.Decay = 0.999,
    zeta: _t.Hyper = 0.25,
) -> Transformation:
    """Step by Amos; the learning rate is inside, and what comes out is added to the parameters.

    v = b2 v + (1 - b2) s,  s = mean |g|^2 over the rows of a matrix;  w = s / v',  v' = v / (1 - b2^t)
    c = lr^2 w / sqrt(1 + zeta sqrt(lr) b);  u = -(lr eta g / sqrt(v') + c p / 2) / (1 + zeta sqrt(lr eta) b)
    b = b + c (1 + b), from 0
    eta = target_scale, the size that weights are expected to reach; None: 1 / sqrt(rows) of matrices, 1/2 of
    vectors, which keep v and b for each element. The paper's learning rate is about 1 / sqrt(n), n the number
    of batches in the data.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      target_scale: The size that weights are expected to reach; None: by the shape of the leaf.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      zeta: How fast learning rate and weight decay fade.

    Source: arXiv:2210.11693
    """
    ...

def scale_by_amsgrad(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    mu_dtype: _t.DType | None = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
    *,
    debias_first: bool = True,
) -> Transformation:
    """Scale by AMSGrad: Adam with the largest second moment so far.

    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) |g|^2;  w = max(w, v);  u = m' / (sqrt(w' + eps_root) + eps)
    The maximum is over the raw v, as in the paper, torch and keras.
    debias_first: w = max(w, v / (1 - b2^t)) and w' = w, as in Optax.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      bias_correction_mu: Divide the first moment by 1 - b1^t.
      bias_correction_nu: Divide the second moment by 1 - b2^t.
      debias_first: Take the maximum of what bias correction made of the second moment.

    Source: arXiv:1904.09237
    """
    ...

def scale_by_ano(
    b1: _t.Decay = 0.92,
    b2: _t.Decay = 0.99,
    eps: _t.Hyper = 1e-08,
    mu_dtype: _t.DType | None = None,
) -> Transformation:
    """Scale by Ano: the sign of the momentum times the absolute value of the gradient.

    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) sign(|g|^2 - v) |g|^2, at least 0
    u = sign(m) |g| / (sqrt(v / (1 - b2^t)) + eps)
    Anolog is b1=lambda step: 1 - 1 / jnp.log(step + 3). The bound matters for b2 < 1/2 only.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.

    Source: arXiv:2508.18258
    """
    ...

def scale_by_apollo(
    rank: int = 256,
    update_proj_gap: _t.Period = 200,
    scale: _t.Hyper = 1.0,
    base_optimizer: Any = None,
    weight_dimension_numbers: Any = None,
    *,
    scale_type: Literal["channel", "tensor"] = "channel",
    gamma: _t.Hyper | None = 1.01,
    projection: Literal["random", "svd"] = "random",
    seed: _t.Key = 0,
) -> Transformation:
    """Gradients whose columns have the lengths that Adam would give them, as seen in a random projection.

    P [rank, rows] normal of variance 1 / rank, new after update_proj_gap steps;  r = P g;  u = base(r)
    f = g |u_j| / |r_j| in column j, for "tensor" g |u| / |r|;  the norm of f is at most gamma times the last
    the update is scale f, for rows <= cols; else rows and columns are exchanged.
    P is drawn from (seed, number, path) in every step and kept nowhere; projection="svd" is GaLore's. The
    base (None: scale_by_adam(eps=1e-6)) corrects its bias first; the authors' code does so after the limit,
    and its `scale` is the square of this one. What is no matrix goes to the base; decay belongs outside.
    State for m <= n: the base's of [rank, n], 4 bytes a matrix.

    Arguments shared with others:
      rank: To how many rows or columns a gradient is projected.
      update_proj_gap: How many steps pass from one projection to the next.
      scale: Factor of the updates of projected leaves.
      base_optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      weight_dimension_numbers: Which axes of a leaf are rows and columns, as Optax says it.
      scale_type: Whether each channel of a matrix gets a factor of its own, or all of it one.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      projection: What gradients are projected with: noise or their singular vectors.
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:2412.05270
    """
    ...

def scale_by_asgd(
    learning_rate: _t.Hyper,
    lambd: _t.Hyper = 0.0001,
    power: _t.Hyper = 0.75,
) -> Transformation:
    """Step by averaged SGD, whose rate fades; what comes out is added to the parameters.

    u = -eta (g + lambd p),  eta = lr / (1 + lambd lr t)^power, t = 0 at the first step
    The fading is that of the rate for a loss with the term lambd / 2 |p|^2.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      lambd: Decay of the parameters, which the fading of the learning rate follows.
      power: Exponent of what divides the update or the rate, see the formula.

    Source: Polyak & Juditsky 1992; arXiv:1107.2490
    """
    ...

def scale_by_backtracking_linesearch(
    max_backtracking_steps: _t.Period,
    slope_rtol: _t.Hyper = 0.0001,
    decrease_factor: _t.Fraction = 0.8,
    increase_factor: _t.Limit = 1.5,
    max_learning_rate: _t.Hyper = 1.0,
    atol: _t.Hyper = 0.0,
    rtol: _t.Hyper = 0.0,
    store_grad: bool = False,
    verbose: bool = False,
) -> Transformation:
    """Scale the updates to a step t with sufficient decrease (Armijo): shorten it until it has.

    f(t) <= (1 + rtol) f(0) + slope_rtol t f'(0) + atol, where f(t) = value_fn(params + t * updates)
    The first trial is increase_factor times the last step, at most max_learning_rate; each other one is
    decrease_factor times the one before, max_backtracking_steps times. A search that fails takes the lowest
    trial below f(0), or no step, and `info` holds the error (Optax takes the last trial, whatever its value).
    Extra arguments of update: `value` and `grad` at the parameters, `value_fn`, and what value_fn takes by
    name. store_grad keeps the gradient where the step leads to, for `value_and_grad_from_state`.

    Arguments shared with others:
      slope_rtol: Which share of the decrease that the slope foretells a step must reach.
      increase_factor: By how much a step may grow, from one trial, or from one search, to the next.
      max_learning_rate: The longest step.
      atol: Absolute tolerance: differences up to it count for nothing.
      rtol: Relative tolerance: differences up to this share of the value count for nothing.
      verbose: Print what went wrong, or the numbers that are asked for.

    Source: Nocedal & Wright 2006, algorithm 3.1; arXiv:1905.09997
    """
    ...

def scale_by_belief(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-16,
    eps_root: _t.Hyper = 1e-16,
    *,
    nesterov: bool = False,
) -> Transformation:
    """Scale by AdaBelief: Adam with the square of how far a gradient is from what was expected.

    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) |g - m|^2 + eps_root;  u = m' / (sqrt(v') + eps)
    For m' and v' see `scale_by_adam`. eps_root joins v in every step.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      nesterov: Look one step ahead along the momentum.

    Source: arXiv:2010.07468
    """
    ...

def scale_by_came(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    b3: _t.Decay = 0.9999,
    clipping_threshold: _t.Limit | None = 1.0,
    eps: _t.Hyper = 1e-30,
    eps_res: _t.Hyper = 1e-16,
) -> Transformation:
    """Scale by CAME: momentum of factored updates, smaller where the updates disagree with it.

    r, c = b2 (r, c) + (1 - b2) mean over columns, over rows of |g|^2 + eps;  u = g / sqrt(r c / mean(r))
    u = u / max(1, rms(u) / clipping_threshold);  m = b1 m + (1 - b1) u
    R, C likewise of |u - m|^2 + eps_res, with b3;  the update is m / sqrt(R C / mean(R))
    Nothing is bias-corrected: where updates agree with m their quotient is large in the first steps. Of a
    vector v = E[|g|^2] is whole, and the update is m. Matrices are what the leaf's axes say.
    State: 4 bytes a parameter and 8 for each row and column.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      b3: Decay of the third statistic in the state, see the formula.
      clipping_threshold: The largest root mean square of an update before the learning rate; None: any.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_res: Added to the squares of what parts an update from the momentum.

    Source: arXiv:2307.02047
    """
    ...

def scale_by_cocob(
    alpha: _t.Hyper = 100.0,
    eps: _t.Hyper = 1e-08,
) -> Transformation:
    """The step of COCOB-Backprop: each element bets a fraction of its wealth on the next gradient's sign.

    L = max(L, |g|), eps at the start;  A = A + |g|;  C = C - g;  W = max(W - g (p - p0), 0)
    u = p0 + C / (L max(A + L, alpha L)) (L + W) - p
    L is the largest |g| so far, A the sum of |g|, C that of -g, W the wealth won, p0 the parameters at init.
    p + u does not depend on p: this is the last link of a chain.

    Arguments shared with others:
      alpha: Weight of one term of the update, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:1705.07795
    """
    ...

def scale_by_dadapt_adam(
    learning_rate: _t.Hyper = 1.0,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    estim_lr0: _t.Hyper = 1e-06,
    weight_decay: _t.Hyper = 0.0,
    *,
    bias_correction: bool = True,
) -> Transformation:
    """D-Adapted Adam's whole step: it is no factor of a learning rate, which enters the estimate d.

    rate = d lr sqrt(1 - b2^t) / (1 - b1^t);  w = sqrt(b2)
    r = w r + (1 - w) rate <g, s / (sqrt(v) + eps)>;  s = w s + (1 - w) rate g
    m = b1 m + (1 - b1) rate g;  v = b2 v + (1 - b2) |g|^2;  d = max(d, r / ((1 - w) |s|_1))
    u = -m / (sqrt(v) + eps) - rate weight_decay p
    r is computed with s and v of the step before. bias_correction=False: rate = d lr, as in the paper.
    Inner product and norm are of all leaves that the link sees.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      estim_lr0: The step length to start with, below the one that is looked for.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      bias_correction: Divide averages that start at zero by 1 - decay^t.

    Source: arXiv:2301.07733
    """
    ...

def scale_by_depth(
    layer_decay: _t.Fraction,
    layers: str | Callable[[str], int | None] = "(?:layers?|blocks?|h)[/_](\\d+)",
    *,
    before: _t.Selection = ...,
) -> Transformation:
    """Multiply the updates of a leaf by a power of `layer_decay`, the higher the earlier its layer.

    Layer i of n: layer_decay^(n - i), i from 0;  leaves before the layers: layer_decay^(n + 1);  after: 1
    `layers` is a regular expression, searched in the path, whose first group is the number of the layer, or a
    function path -> number or None. Where it matches without a number (r"layers/" has no group) the leaf is a
    stack of layers along its first batch axis, and gets a factor for each of them. `before` selects, among
    the leaves of no layer, those before the first: by default names such as embed, wte, pos, patch, cls.
    No match at all is an error. The numbers that are seen are counted in order: 3, 5 and 9 are three layers.

    Arguments shared with others:
      layer_decay: Factor of the learning rate from a layer to the one before.
      layers: Which layer a leaf is in: a regular expression whose group is its number, or path -> number.
      before: Which of the leaves that are in no layer come before the first.
    """
    ...

def scale_by_diffgrad(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
) -> Transformation:
    """Scale by DiffGrad: Adam times a friction of 1/2, where the gradient stands still, to 1.

    f = 1 / (1 + exp(-|g of the step before - g|)), that of the first step being 0
    u = f * m' / (sqrt(v') + eps), m' and v' as of `scale_by_adam`
    The friction is no ratio: it depends on the scale of the loss.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:1909.11015
    """
    ...

def scale_by_dion(
    rank_fraction: float = 0.25,
    beta: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    mu_dtype: _t.DType | None = None,
    *,
    power_steps: int = 1,
    seed: _t.Key = 0,
) -> Transformation:
    """Of the momentum's best low-rank approximation make all singular values one, nearly; keep the rest.

    b = m + g;  p = qr(b^T q);  r = b p;  q = r / (|r| + eps), by column
    m = b - (1 - beta) r p^T;  u = q p^T
    The rank is rank_fraction of a matrix's shorter side, rounded up; at 1 and with many power_steps u is
    what Muon makes of m without Nesterov. Columns of r that are rounding errors move nothing and keep q.
    The first q is normal noise of (seed, path). Derivatives take p for a constant.
    A mesh brings each device whole matrices b and takes back factors alone, see `matrices.low_rank`.

    Arguments shared with others:
      rank_fraction: Rank of the update as a share of a matrix's shorter side.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      power_steps: Steps of power iteration for each update.
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:2504.05295
    """
    ...

def scale_by_dion2(
    fraction: float = 0.25,
    beta: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    mu_dtype: _t.DType | None = None,
    *,
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = "dion",
    ns_steps: int = 5,
    selection: Literal["largest", "random"] = "largest",
    seed: _t.Key = 0,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
    ns_kernel: Literal["xla", "pallas"] = "xla",
) -> Transformation:
    """Orthogonalise the largest rows or columns of the momentum; these decay, the others wait.

    m = m + g;  K: the share `fraction` of the shorter side with the largest sum of |m|, or a random one
    u = newton_schulz(m[K]) in K and 0 elsewhere;  m[K] = beta m[K]
    As many as fraction of the shorter side, rounded up; of a square matrix columns. K is that of the whole
    matrix, also on a mesh, where the authors' code chooses on each device by itself. See `scale_by_muon`.

    Arguments shared with others:
      fraction: Which share of a matrix's shorter side is made orthonormal in a step.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      selection: Which rows or columns are taken: the "largest" by the sum of sizes, or "random" ones.
      seed: Number that the noise is made from, together with step, path and element.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.
      ns_kernel: What Newton-Schulz products run by: 'xla', or on TPU 'pallas', half of the symmetric ones.

    Source: arXiv:2512.16928
    """
    ...

def scale_by_distance_over_gradients(
    reps_rel: _t.Hyper = 1e-06,
    eps: _t.Hyper = 1e-08,
    param_dtype: _t.DType | None = None,
    global_scale: _t.Signed = 1.0,
) -> Transformation:
    """Layer-wise DoG: the largest distance of a leaf from its start over the root of its squared gradients.

    r = max(r, |p - p0|), at the start reps_rel (1 + |p0|);  G = G + |g|^2
    u = global_scale r / sqrt(G + eps) * g
    param_dtype is that of p0: float32 at least where None (Optax: float32, also of float64 parameters).

    Arguments shared with others:
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:2302.12022
    """
    ...

def scale_by_dog(
    init_step: tuple[Any, ...] = ...,
    eps: _t.Hyper = 1e-08,
) -> Transformation:
    """Scale by the largest distance from the start over the root of the sum of squared gradients (DoG).

    r = max(r, |p - p0|);  G = G + |g|^2;  u = r / sqrt(G + eps) * g
    Norms are of all leaves taken as one vector; `scale_by_distance_over_gradients` takes each for itself.
    p0 are the parameters at init. init_step, a pair, sets the first step: ("distance", r) is r itself,
    ("heuristic", a) is r = a (1 + |p0|), and with ("learning_rate", x) the first update is u = x g.

    Arguments shared with others:
      init_step: How far the first step goes: a pair of a name and a number.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:2302.12022
    """
    ...

def scale_by_dowg(
    init_estim_sq_dist: _t.Hyper | None = None,
    eps: _t.Hyper = 0.0001,
) -> Transformation:
    """Scale by distance over weighted gradients (DoWG): DoG whose sum weighs late gradients more.

    r^2 = max(r^2, |p - p0|^2);  v = v + r^2 |g|^2;  u = r^2 / (sqrt(v) + eps) * g
    p0 are the parameters at init. r^2 starts at init_estim_sq_dist, or at eps where that is None. Norms are
    of all leaves taken as one vector.

    Arguments shared with others:
      init_estim_sq_dist: The squared distance to the solution to start with; None: eps.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:2305.16284
    """
    ...

def scale_by_factored_rms(
    factored: bool = True,
    decay_rate: _t.Hyper = 0.8,
    step_offset: _t.Hyper = 0,
    min_dim_size_to_factor: int = 128,
    eps: _t.Hyper = 1e-30,
    decay_rate_fn: Callable[[Any, Any], Any] | None = None,
    *,
    longest_axes: bool = True,
) -> Transformation:
    """Divide by a running root mean square; of a matrix only its mean over rows and over columns is kept.

    w = t^-decay_rate, t counted from 1 after step_offset steps
    r = (1 - w) r + w mean over columns (|g|^2 + eps), c likewise over rows
    v = r c / mean(r);  u = g / sqrt(v)
    The leaf's axes say what rows and columns are; leaves with fewer than min_dim_size_to_factor rows or
    columns keep all of v. decay_rate_fn(t - 1 - step_offset, decay_rate) is 1 - w where it is given.

    Arguments shared with others:
      factored: Keep the second moment of a matrix as its means over rows and over columns.
      decay_rate: Exponent of Adafactor's averages: the newest square weighs t^-decay_rate.
      min_dim_size_to_factor: A matrix with fewer rows or columns than this keeps its whole second moment.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      longest_axes: Take the two longest axes for rows and columns, whatever the leaf's name says.

    Source: arXiv:1804.04235
    """
    ...

def scale_by_fira(
    rank: int = 128,
    update_proj_gap: _t.Period = 200,
    scale: _t.Hyper = 1.0,
    base_optimizer: Any = None,
    weight_dimension_numbers: Any = None,
    *,
    gamma: _t.Hyper | None = 1.01,
) -> Transformation:
    """GaLore, and what its projection leaves out of a gradient, scaled as the rest of its column was.

    every update_proj_gap steps U S V^T = g;  P = U[:, :rank] for rows <= cols;  r = P^T g;  u = base(r)
    f = (g - P r) |u_j| / |r_j| in column j, its norm at most gamma times the last (`limit_norm_growth`)
    the update is scale (P u + f). Where rows > cols the roles of rows and columns are exchanged.
    The base (None: scale_by_adam(eps=1e-6)) corrects its bias first; the authors' code does so after the
    limit. gamma=None is without it. What is no matrix goes to the base; decay belongs outside.
    State for m <= n: the base's of [rank, n], 4 m rank bytes, 4 a matrix.

    Arguments shared with others:
      rank: To how many rows or columns a gradient is projected.
      update_proj_gap: How many steps pass from one projection to the next.
      scale: Factor of the updates of projected leaves.
      base_optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      weight_dimension_numbers: Which axes of a leaf are rows and columns, as Optax says it.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.

    Source: arXiv:2410.01623
    """
    ...

def scale_by_focus(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    gamma: _t.Hyper = 0.1,
    weight_decay: _t.Hyper = 0.0,
) -> Transformation:
    """Scale by FOCUS: the sign of the momentum, and a pull of strength gamma to the mean of the parameters.

    m = b1 m + (1 - b1) g;  q = b2 q + (1 - b2) p;  q' = q / (1 - b2^t)
    u = sign(m) + gamma sign(p - q') + weight_decay * q'
    The mean decays, not the parameters. gamma=0 is Signum.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.

    Source: arXiv:2501.12243
    """
    ...

def scale_by_ftrl(
    learning_rate: _t.Hyper,
    l1: _t.Hyper = 0.0,
    l2: _t.Hyper = 0.0,
    beta: _t.Hyper = 0.0,
    initial_accumulator_value: _t.Hyper = 0.1,
    power: _t.Hyper = 0.5,
) -> Transformation:
    """Step by FTRL-Proximal; the learning rate is inside, and what comes out is added to the parameters.

    n' = n + |g|^2;  z' = z + g - (n'^power - n^power) / lr * p
    u = w - p,  w = -sign(z') max(|z'| - l1, 0) / ((beta + n'^power) / lr + l2)
    A parameter stays where lr or the denominator is 0. The leader starts at 0, wherever p does: without a
    gradient p becomes 0. keras: l2 is twice l2_regularization_strength, power is -learning_rate_power.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      l1: Weight of the sum of |p| in the penalty.
      l2: Weight of half the sum of |p|^2 in the penalty.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      initial_accumulator_value: What the sum or mean of squares starts with.
      power: Exponent of what divides the update or the rate, see the formula.

    Source: McMahan et al. 2013, Ad click prediction: a view from the trenches
    """
    ...

def scale_by_galore(
    rank: int = 128,
    update_proj_gap: _t.Period = 200,
    scale: _t.Hyper = 1.0,
    base_optimizer: Any = None,
    weight_dimension_numbers: Any = None,
    *,
    side: Literal["short", "long"] = "long",
) -> Transformation:
    """Run a transformation (None: scale_by_adam) on gradients projected to `rank` rows or columns.

    every update_proj_gap steps U S V^T = g;  P = U[:, :rank] where rows <= cols, else V[:, :rank]
    u = scale * P base(P^T g), or scale * base(g P) P^T
    What is no matrix goes to the base as it is; the leaf's axes say which are, stacked layers one by one, or
    weight_dimension_numbers: one for all leaves of two axes and more, a tree with None for what is no matrix,
    or a function of the parameters that gives one. The base gets no parameters: decay belongs outside.
    side="long" projects the longer side, as Optax does, of which P is larger and the base's state smaller.

    Arguments shared with others:
      rank: To how many rows or columns a gradient is projected.
      update_proj_gap: How many steps pass from one projection to the next.
      scale: Factor of the updates of projected leaves.
      base_optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      weight_dimension_numbers: Which axes of a leaf are rows and columns, as Optax says it.
      side: Which side of a matrix is projected, the short or the long one.

    Source: arXiv:2403.03507
    """
    ...

def scale_by_ivon(
    ess: _t.Hyper,
    hess_init: _t.Hyper = 1.0,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.99999,
    weight_decay: _t.Hyper = 0.0001,
    clip_radius: _t.Hyper | None = None,
    seed: int = 0,
    *,
    rescale: bool = True,
) -> Transformation:
    """Scale by IVON the gradient g at a sample p + sigma e, e normal, that `ivon_sample` has drawn.

    f = g e / sigma,  sigma^2 = 1 / (ess q),  q = h + d, d = weight_decay;  at first h = hess_init
    m = b1 m + (1 - b1) g;  q = q (1 + x + x^2 / 2),  x = (1 - b2) (f - h) / q, which keeps q above 0
    u = (m / (1 - b1^t) + d p) / q, clipped to clip_radius, times hess_init + d with rescale
    ess is the number of examples, or what tempers it. e is made anew from (seed, step, path): one step is
    tx.update(grad(loss)(ivon_sample(tx, state, params)), state, params). rescale is of the authors' code.

    Arguments shared with others:
      ess: Effective number of examples: the posterior narrows with it.
      hess_init: What the estimate of the Hessian's diagonal starts with.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      clip_radius: The largest size of an element of the update; None: any.
      seed: Number that the noise is made from, together with step, path and element.
      rescale: Multiply the update by hess_init + weight_decay, so that rates are as for SGD.

    Source: arXiv:2402.17641
    """
    ...

def scale_by_kate(
    eta: _t.Hyper = 0.9,
    eps: _t.Hyper = 1e-08,
) -> Transformation:
    """Scale by KATE.

    b = b + |g|^2;  m = m + eta |g|^2 + |g|^2 / (b + eps);  u = sqrt(m) g / (b + eps)
    b and m are the paper's b^2 and m^2. With eta=0 and eps=0 gradients c times as large make steps of 1/c.

    Arguments shared with others:
      eta: Of noise its variance in the first update; of KATE the weight of squared gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:2403.02648
    """
    ...

def scale_by_kl_shampoo(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.98,
    eps: _t.Hyper = 1e-08,
    precondition_frequency: int = 10,
    *,
    inner_adam: bool = False,
    bias_correction: bool = False,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Literal["both", "short", "left", "right"] = "both",
) -> Transformation:
    """Multiply the mean gradient by L^(-1/2) and R^(-1/2), in whose estimates each has the other's inverse.

    u = P (m / (sqrt(a b^T) + eps)) Q^H,  L = P diag(a) P^H, R = Q diag(b) Q^H nearly, m = E[P^H g Q]; then
    L = b2 L + (1 - b2) (g Q / b) (g Q)^H / n;  a = b2 a + (1 - b2) mean_j(|P^H g Q|^2 / b_j);  R and b alike
    Each precondition_frequency steps P is that of the QR decomposition of L P. The first step makes L, R, P
    and Q of the gradient, with a = b = 0.1, and its update is 0. inner_adam: KL-SOAP, v = E[|P^H g Q|^2] for
    a b^T. Biases are not corrected, as in the authors' code, whose bound of 1 / sqrt(a) is not here.
    A vector has Adam's update. State of a square matrix: 16 bytes a parameter, with inner_adam 20.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      precondition_frequency: After how many steps the roots or bases of a matrix are renewed.
      bias_correction: Divide averages that start at zero by 1 - decay^t.
      block_size: Longest side of a block with factors of its own; longer sides are cut evenly.
      max_precond_dim: Sides longer than this have no factor; None: all have one.
      sides: Which sides of a matrix have factors: both, left (rows), right, or the short one.

    Source: arXiv:2509.03378
    """
    ...

def scale_by_laprop(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-15,
    mu_dtype: _t.DType | None = None,
) -> Transformation:
    """Scale by LaProp: Adam whose momentum is of gradients already divided.

    v = b2 v + (1 - b2) |g|^2;  m = b1 m + (1 - b1) g / (sqrt(v / (1 - b2^t)) + eps);  u = m / (1 - b1^t)
    No gradient is divided by a root that is younger than itself, so that any b1 and b2 go together.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.

    Source: arXiv:2002.04839
    """
    ...

def scale_by_lars(
    weight_decay: _t.Hyper = 0.0,
    trust_coefficient: _t.Hyper = 0.001,
    eps: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    *,
    norm_of_sum: bool = False,
    per_leaf: bool = False,
) -> Transformation:
    """Decay and scale by the local rate of LARS, per layer.

    u = trust_coefficient * |p| / (|g| + weight_decay * |p| + eps) * (g + weight_decay * p)
    The factor is 1 where |p| or |g| + weight_decay * |p| is 0. The denominator is the paper's.
    norm_of_sum: it has |g + weight_decay * p|, as in Optax.

    Arguments shared with others:
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      trust_coefficient: Length of a step relative to the weights of its layer.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      norm_of_sum: Divide by the norm of gradient and decay together, not by the sum of their norms.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:1708.03888
    """
    ...

def scale_by_lbfgs(
    memory_size: int = 10,
    scale_init_precond: bool = True,
) -> Transformation:
    """Multiply the gradient by an approximate inverse Hessian, from the last memory_size steps.

    s = p_t - p_(t-1);  y = g_t - g_(t-1);  w = 1 / <s, y>
    H = (I - w s y^T)' H (I - w y s^T) + w s s^T over the pairs, oldest first, from H = gamma I;  u = H g
    gamma = <s, y> / <y, y> of the newest pair, before the first min(1, 1 / |g|); 1 without
    scale_init_precond. A pair whose <s, y> is not positive, beyond rounding, is left out, so that -u always
    descends (Optax keeps such pairs). The state holds 2 memory_size + 2 copies of the
    parameters. Of complex parameters the gradient is the conjugate of `jax.grad`'s.

    Arguments shared with others:
      memory_size: How many of the last steps the inverse Hessian is made of.
      scale_init_precond: Begin with a multiple of the identity that fits the last step, not with the identity.

    Source: Liu & Nocedal 1989; Nocedal & Wright 2006, algorithm 7.4
    """
    ...

def scale_by_learning_rate(
    learning_rate: _t.Hyper | None = None,
    *,
    flip_sign: bool = True,
) -> Transformation:
    """Descend: u = -learning_rate * g. The last link of an optimizer, as a rule.

    The state holds the learning rate of the last step, also when it is constant, for `metrics`.
    flip_sign=False leaves the sign. Without a learning rate updates are left as they are, the sign too.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
    """
    ...

def scale_by_lion(
    b1: _t.Fraction = 0.9,
    b2: _t.Decay = 0.99,
    mu_dtype: _t.DType | None = None,
    *,
    mode: Literal["hard", "smooth", "refined"] = "hard",
    smooth_beta: float = 1.0,
) -> Transformation:
    """Scale by Lion.

    u = sign(x), x = b1 m + (1 - b1) g;  m = b2 m + (1 - b2) g;  sign is 0 at 0 and x / |x| of a complex x
    mode: "smooth" has tanh(smooth_beta * x) for the sign, "refined" x itself where |x| < 1.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.

    Source: arXiv:2302.06675
    """
    ...

def scale_by_lmo(
    norm: Literal["sign", "inputs", "outputs", "rms"] = "sign",
    radius: _t.Hyper = 1.0,
    eps: _t.Hyper = 1e-08,
) -> Transformation:
    """The point of a ball of a norm where g is largest: the update of Scion, a link after the momentum.

    sign:    u = radius / inputs * sign(g), for the last layer
    inputs:  u = radius * g / rms of each input's weights (the paper's ColNorm), for embeddings
    outputs: u = radius / inputs * g / rms of each output's weights (RowNorm)
    rms:     u = radius * g / rms, for biases
    eps is added to each root mean square; kernels are [inputs, outputs]. The spectral norm's, for hidden
    layers: chain(orthogonalize(), scale_by_shape(at_least_one=False), scale(radius)).

    Arguments shared with others:
      radius: Radius of the ball that updates are on the edge of.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:2502.07529
    """
    ...

def scale_by_madgrad(
    learning_rate: _t.Hyper,
    momentum: _t.Fraction = 0.9,
    eps: _t.Hyper = 1e-06,
    *,
    eps_in_rate: bool = True,
) -> Transformation:
    """Step by MADGRAD; the learning rate is inside, and what comes out is added to the parameters.

    w = lr * sqrt(t);  s = s + w g;  v = v + w |g|^2;  z = p0 - s / (cbrt(v) + eps)
    u = (1 - momentum) * (z - p), p0 the parameters at the start
    eps_in_rate: lr + eps in the place of lr, but for 0, as in the authors' code and Optax.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      momentum: Decay of the momentum that is added to the method, from 0 to 1; None: no momentum.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_in_rate: Add eps to the learning rate as well.

    Source: arXiv:2101.11075
    """
    ...

def scale_by_momo(
    learning_rate: _t.Hyper = 1.0,
    beta: _t.Decay = 0.9,
    lower_bound: _t.Signed = 0.0,
    weight_decay: _t.Hyper = 0.0,
    adapt_lower_bound: bool = False,
    *,
    proximal: bool = True,
) -> Transformation:
    """MoMo's whole step; `value`, the loss that g is the gradient of, is an extra argument of update.

    f, d, c = averages of value, g and <g, p>, which start as the first of each;  a = 1 + lr weight_decay
    tau = min(lr, max(a (f - lower_bound - c) + <d, p>, 0) / |d|^2);  p = (p - tau d) / a
    adapt_lower_bound: lower_bound is where an estimate of the bound starts, see the paper.
    proximal=False: p = p / a - tau d, as in Optax. Products are of all leaves that the link sees.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      lower_bound: A lower bound of the loss, 0 for most.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      adapt_lower_bound: Estimate the lower bound of the loss while running, from `lower_bound` on.
      proximal: Decay what the step leads to, as the paper does, not the parameters before it.

    Source: arXiv:2305.07583
    """
    ...

def scale_by_momo_adam(
    learning_rate: _t.Hyper = 0.01,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    lower_bound: _t.Signed = 0.0,
    weight_decay: _t.Hyper = 0.0,
    adapt_lower_bound: bool = False,
    *,
    proximal: bool = True,
) -> Transformation:
    """MoMo-Adam's whole step; `value`, the loss that g is the gradient of, is an extra argument of update.

    f, d, c = averages of value, g and <g, p> from 0;  D = sqrt(v / (1 - b2^t)) + eps;  r = 1 - b1^t
    tau = min(lr / r, max(a (f - r lower_bound - c) + <d, p>, 0) / <d, d / D>),  a = 1 + lr weight_decay
    p = (p - tau d / D) / a;  proximal=False: p = p / a - tau d / D, as in Optax
    adapt_lower_bound: lower_bound is where an estimate of the bound starts, see the paper.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      lower_bound: A lower bound of the loss, 0 for most.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      adapt_lower_bound: Estimate the lower bound of the loss while running, from `lower_bound` on.
      proximal: Decay what the step leads to, as the paper does, not the parameters before it.

    Source: arXiv:2305.07583
    """
    ...

def scale_by_muon(
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = (3.4445, -4.775, 2.0315),
    ns_steps: int = 5,
    beta: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    mu_dtype: _t.DType | None = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    preconditioning: Literal["frobenius", "spectral", "schatten", "aol"] = "frobenius",
    weight_dimension_numbers: MuonDimensionNumbers | Mapping[str, Any] | Sequence[Any] | Callable[..., Any] | None = None,
    eps_floor: bool = False,
    bias_correction: bool = False,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
    ns_kernel: Literal["xla", "pallas"] = "xla",
    equilibrate: Literal["outputs", "inputs", "both", "elements"] | None = None,
) -> Transformation:
    """Orthogonalise the momentum: of its singular value decomposition U S V^T only U V^T remains, nearly.

    m = beta m + (1 - beta) g;  m' = m, with nesterov beta m + (1 - beta) g;  u = newton_schulz(m' / |m'|)
    adaptive: u is multiplied by <m', u>, arXiv:2409.20325. `ns_coeffs` is one (a, b, c) for ns_steps steps,
    or one for each step; `precision`, `ns_dtype` and `ns_kernel`: see `linalg.newton_schulz`.
    The leaf's axes say what rows and columns are, or a tree of `MuonDimensionNumbers` does; stacked layers
    are matrices of their own, a vector is a matrix of one row. bias_correction: that of m, as in Optax.
    equilibrate: m' is balanced first, see `balance`: MuonEq, arXiv:2603.28254; "elements": its signs.

    Arguments shared with others:
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      nesterov: Look one step ahead along the momentum.
      adaptive: Multiply the update by its inner product with the momentum.
      preconditioning: The norm a matrix is divided by first: frobenius, spectral, schatten or aol.
      weight_dimension_numbers: Which axes of a leaf are rows and columns, as Optax says it.
      eps_floor: The squared norm is eps at least; eps is not added to the norm.
      bias_correction: Divide averages that start at zero by 1 - decay^t.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.
      ns_kernel: What Newton-Schulz products run by: 'xla', or on TPU 'pallas', half of the symmetric ones.
      equilibrate: What of the momentum is balanced before orthogonalisation, see `balance`; None: nothing.

    Source: Jordan et al. 2024, Muon; arXiv:2502.16982
    """
    ...

def scale_by_mup(
    base: Any,
    rule: Literal["adam", "sgd", "muon"] = "adam",
    *,
    depth: float | None = None,
    allow_base: bool = False,
) -> Transformation:
    """Multiply updates so that the learning rate of a base model fits a wider one (muP).

    With r, s how many times larger fan-in and fan-out are than in `base` (the rows and columns of a leaf):
                  input (r = 1)   hidden         output (s = 1)   vector (no fan-in)
    rule="adam"   1               1 / r          1 / r            1
    rule="sgd"    s               s / r          1 / r            s
    rule="muon"   1               1 *            1 / r            1
    * or what brings the spectral norm to sqrt(columns / rows), arXiv:2310.17813, where `muon` (without
    consistent_rms) has max(1, columns / rows). The model must start as muP says: outputs 1 / r in variance
    beyond the usual (or 0); attention takes 1 / d, not 1 / sqrt(d). eps is not scaled: keep it far below the
    gradients. `base`: parameters, shapes by path, or a function (path, shape) -> shape. Stacked layers may be
    more: branches times depth^-a take depth=a (1/2: arXiv:2310.02244, 1: 2505.01618), l times as many layers
    the factor l^(a - 1), of "sgd" l^(2a - 1).

    Arguments shared with others:
      base: The narrow model: its parameters, their shapes by path, or a function (path, shape) -> shape.
      rule: How the optimizer normalises its updates: adam, sgd or muon.
      depth: The power of the number of layers that branches are divided by; None: layers are not counted.
      allow_base: Let the leaves have the shapes that they have in base: a run of the base itself.

    Source: arXiv:2203.03466
    """
    ...

def scale_by_normuon(
    b2: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    consistent_rms: _t.Hyper | None = None,
    *,
    elementwise: bool = False,
) -> Transformation:
    """Divide what each output's weights get by a running root mean square: a link after `scale_by_muon`.

    v = b2 v + (1 - b2) mean over inputs of |g|^2;  u = g / (sqrt(v) + eps);  u = u * |g| / |u|
    The matrix keeps the norm that it had, as in the authors' code, and `scale_by_shape` may follow.
    consistent_rms: it gets this root mean square instead, the paper's 0.2, whatever its shape.
    elementwise: v = b2 v + (1 - b2) |g|^2, of each number, as in AdaMuon. A bias correction of v is a
    factor that the last step takes out. On a mesh v and the norms, small arrays, are summed over devices.

    Arguments shared with others:
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      consistent_rms: Root mean square of the updates of all matrices; None: scaled by columns / rows.

    Source: arXiv:2510.05491, arXiv:2507.11005
    """
    ...

def scale_by_novograd(
    b1: _t.Fraction = 0.9,
    b2: _t.Decay = 0.25,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    weight_decay: _t.Hyper = 0.0,
    mu_dtype: _t.DType | None = None,
    *,
    per_leaf: bool = True,
) -> Transformation:
    """Scale by NovoGrad: one second moment for each layer.

    v = b2 v + (1 - b2) |g|^2, in the first step |g|^2, |g| the norm of a leaf or of a layer of a stack
    m = b1 m + g / (sqrt(v + eps_root) + eps) + weight_decay * p;  u = m

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:1905.11286
    """
    ...

def scale_by_optimistic_gradient(
    alpha: _t.Signed = 1.0,
    beta: _t.Signed = 1.0,
) -> Transformation:
    """Add the difference to the last gradient: u = alpha g + beta (g - g of the last step).

    In the first step u = alpha g.

    Arguments shared with others:
      alpha: Weight of one term of the update, see the formula.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.

    Source: arXiv:1711.00141; arXiv:1905.11667
    """
    ...

def scale_by_param_block_norm(
    min_scale: _t.Hyper = 0.001,
) -> Transformation:
    """Scale a leaf, or each layer of a stack, by the norm of its weights: u = g * max(|p|, min_scale).

    Arguments shared with others:
      min_scale: The least factor that updates are multiplied with.
    """
    ...

def scale_by_param_block_rms(
    min_scale: _t.Hyper = 0.001,
    *,
    per_leaf: bool = True,
) -> Transformation:
    """Make steps relative to the size of a leaf, or of each layer of a stack.

    u = g * max(rms(p), min_scale)

    Arguments shared with others:
      min_scale: The least factor that updates are multiplied with.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:1804.04235
    """
    ...

def scale_by_path(
    factors: Mapping[str, float],
) -> Transformation:
    """Multiply the updates of the leaves that a pattern matches: u = factor * g.

    `factors` is {glob: number}, such as {"head/**": 10, "**/bias": 2}, tried in order: the first that matches
    a leaf's path counts, and leaves that none matches keep their updates. A pattern that matches no leaf is
    an error. At the end of a chain a factor is one of the learning rate. `factors(tx, params)` shows them.
    """
    ...

def scale_by_polyak(
    f_min: _t.Signed = 0.0,
    max_learning_rate: _t.Limit = 1.0,
    eps: _t.Hyper = 0.0,
    variant: Literal["sps", "sps+"] = "sps",
) -> Transformation:
    """Scale by the stochastic Polyak step; `update` takes the loss as the extra argument `value`.

    u = min((value - f_min) / (|g|^2 + eps), max_learning_rate) * g, |g| the norm of all leaves
    variant="sps+": max(value - f_min, 0) in the place of value - f_min (arXiv:2307.14528).
    The state holds the step size of the last step; it is 0 where there is no gradient and eps is 0.

    Arguments shared with others:
      f_min: The least value that the loss can have, or a guess of it.
      max_learning_rate: The longest step.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      variant: Which form of the rule.

    Source: arXiv:2002.10542
    """
    ...

def scale_by_prodigy(
    learning_rate: _t.Hyper = 1.0,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    beta3: _t.Decay | None = None,
    eps: _t.Hyper = 1e-08,
    estim_lr0: _t.Hyper = 1e-06,
    estim_lr_coef: _t.Hyper = 1.0,
    weight_decay: _t.Hyper = 0.0,
    safeguard_warmup: bool = False,
    *,
    bias_correction: bool = True,
) -> Transformation:
    """Prodigy's whole step: it is no factor of a learning rate, which enters the estimate d.

    rate = d lr sqrt(1 - b2^t) / (1 - b1^t);  m, v = Adam's moments of d g
    r = beta3 r + d rate <g, x0 - p>;  s = beta3 s + d rate g;  d = max(d, estim_lr_coef r / |s|_1)
    u = -rate (m / (sqrt(v) + d eps) + weight_decay p), with the new d beside eps, as in the authors' code
    beta3 is sqrt(b2) where None. safeguard_warmup: d^2 for d rate in s. bias_correction=False: rate = d lr.
    r and s are kept divided by estim_lr0. Inner product and norm are of all leaves that the link sees.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      beta3: Decay of the sums that the step length is estimated from; None: sqrt(b2).
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      estim_lr0: The step length to start with, below the one that is looked for.
      estim_lr_coef: Factor of the estimated step length.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      safeguard_warmup: Leave the learning rate out of the denominator of the estimate.
      bias_correction: Divide averages that start at zero by 1 - decay^t.

    Source: arXiv:2306.06101
    """
    ...

def scale_by_psgd(
    b1: _t.Decay = 0.9,
    precond_learning_rate: _t.Hyper = 0.1,
    update_probability: _t.Fraction | None = None,
    max_size: int = 8192,
    mu_dtype: _t.DType | None = None,
    *,
    diagonal: Literal["none", "longest", "all"] = "none",
    init_scale: float = 1.0,
    damping: _t.Hyper = 0.00034526698300124393,
    seed: _t.Key = 0,
) -> Transformation:
    """Whiten the momentum by Kronecker factors: u = P m, P = Q^H Q, Q = left (x) right, E[u u^H] = 1.

    m = E[g], its bias corrected;  v = normal noise;  a = Q (m + damping mean(|m|) v);  b = Q^-H v
    left = left - precond_learning_rate triu(a a^H - b b^H) / |a a^H + b b^H| left, right in the same way
    Sides longer than max_size have a diagonal factor, the longest or all where `diagonal` says so, vectors
    one alone. Each matrix is fitted in a share of the steps, update_probability, those of a shape in turn.
    None: in each of 500 steps, from then on max(exp(-(t - 500) / 1000), 0.03). Both factors have the same
    largest element. Noise is made of (seed, step, path), derivatives take factors for constants.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      precond_learning_rate: How far a step of fitting goes; at 1 all the way.
      update_probability: In which share of the steps factors are fitted.
      max_size: The longest side of a matrix with a triangular factor; a longer one has a diagonal factor.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      diagonal: Sides with a diagonal factor whatever their length: "none", "longest" or "all".
      init_scale: What the preconditioner starts with, times the unit matrix.
      damping: Share of noise that joins what factors are fitted to.
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:1512.04202; arXiv:2402.11858
    """
    ...

def scale_by_psgd_lra(
    rank: int = 10,
    b1: _t.Decay = 0.9,
    precond_learning_rate: _t.Hyper = 0.1,
    update_probability: _t.Fraction = 1.0,
    mu_dtype: _t.DType | None = None,
    *,
    init_scale: float = 1.0,
    seed: _t.Key = 0,
) -> Transformation:
    """Whiten the momentum of all parameters as one vector: u = Q^T Q m, Q = (1 + U V^T) diag(d).

    a = Q m;  b = Q^-T v, v normal noise;  U (or V, by a coin), then d are fitted so that E[a a^T] = E[b b^T]
    U = U - rate (a a^T - b b^T) V (1 + V^T U);  V = V - rate (1 + V U^T)(a a^T - b b^T) U
    s = 1 - rate (a^2 - b^2);  d = s d;  U = s U;  V = V / s;  rate = precond_learning_rate / size, which
    is the largest of late. u is of the factors before this step. It is fitted in a share of the steps,
    update_probability. U and V start as noise of (seed, path), of norm 1 in each leaf.

    Arguments shared with others:
      rank: To how many rows or columns a gradient is projected.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      precond_learning_rate: How far a step of fitting goes; at 1 all the way.
      update_probability: In which share of the steps factors are fitted.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      init_scale: What the preconditioner starts with, times the unit matrix.
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:2211.04422; arXiv:2402.11858
    """
    ...

def scale_by_qhadam(
    b1: _t.Decay = 0.995,
    b2: _t.Decay = 0.999,
    nu1: _t.Fraction = 0.7,
    nu2: _t.Fraction = 1.0,
    eps: _t.Hyper = 1e-08,
    mu_dtype: _t.DType | None = None,
) -> Transformation:
    """Scale by quasi-hyperbolic Adam.

    u = (nu1 m' + (1 - nu1) g) / (sqrt(nu2 v' + (1 - nu2) |g|^2) + eps), m' and v' as of `scale_by_adam`
    nu1 = nu2 = 1 is Adam, nu1 = 0 RMSprop with bias correction; nu1 = b1, nu2 = 1 is nearly NAdam.
    The defaults are the paper's rule of thumb.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      nu1: Weight of the first moment beside the newest gradient, from 0 to 1.
      nu2: Weight of the second moment beside the newest square, from 0 to 1.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.

    Source: arXiv:1810.06801
    """
    ...

def scale_by_qhm(
    b1: _t.Decay = 0.999,
    nu: _t.Fraction = 0.7,
    mu_dtype: _t.DType | None = None,
) -> Transformation:
    """Scale by quasi-hyperbolic momentum.

    m = b1 m + (1 - b1) g;  u = (1 - nu) g + nu m
    nu = 1 is momentum as a mean, (1 - b1) times `trace`; nu = b1 is Nesterov's; nu = 0 the gradient.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      nu: Weight of the mean in the update; the rest is the gradient's.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.

    Source: arXiv:1810.06801
    """
    ...

def scale_by_racs(
    decay: _t.Decay = 0.9,
    eps: _t.Hyper = 1e-08,
    *,
    iterations: int = 5,
) -> Transformation:
    """Divide by the root of the matrix of rank one that is nearest to the squares of a gradient.

    q = 1;  iterations times  s = |g|^2^T q / |q|^2,  q = |g|^2 s / |s|^2
    Q, S = decay (Q, S) + (1 - decay) (q, s), from 0;  u = g / (sqrt(Q S) + eps)
    Nothing is bias-corrected, so that the first update is 1 / (1 - decay) times as large. Of a vector q is 1
    and s is |g|^2. (Other libraries take means over rows and columns for s and q, without iterations.)
    State: 4 bytes for each row and column.

    Arguments shared with others:
      decay: How much of an average, or of a sum, outlives a step, from 0 to 1.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      iterations: How many fixed-point iterations find the numbers of rows and columns.

    Source: arXiv:2502.07752
    """
    ...

def scale_by_radam(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    threshold: _t.Limit = 5.0,
    *,
    nesterov: bool = False,
) -> Transformation:
    """Scale by rectified Adam.

    u = r m' / (sqrt(v' + eps_root) + eps) where rho >= threshold (and above 4), else u = m'
    For m' and v' see `scale_by_adam`, for rho and r `rectification`.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      threshold: Where a rule begins to act: at this root mean square, in RAdam at this length of average, in QK-clip at this logit, in SPAM where a square is this many times the mean of squares; of roll_back, so many standard deviations above the mean.
      nesterov: Look one step ahead along the momentum.

    Source: arXiv:1908.03265
    """
    ...

def scale_by_rectification(
    b2: _t.Decay = 0.999,
) -> Transformation:
    """Warm up as RAdam does, of a second moment with decay b2: u = r g.

    r is that of `scale_by_radam`, and 0 as long as the variance of 1 / sqrt(v) is infinite. In a chain behind
    any scaling by a second moment.

    Arguments shared with others:
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.

    Source: arXiv:1908.03265
    """
    ...

def scale_by_rms(
    decay: _t.Decay = 0.9,
    eps: _t.Hyper = 1e-08,
    initial_scale: _t.Hyper = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> Transformation:
    """Divide by a running root mean square.

    v = decay v + (1 - decay) |g|^2, v = initial_scale at the start
    u = g / sqrt(v + eps), as in keras; eps_in_sqrt=False: u = g / (sqrt(v) + eps), as in torch
    bias_correction: v / (1 - decay^t) in place of v, for an initial_scale of 0.

    Arguments shared with others:
      decay: How much of an average, or of a sum, outlives a step, from 0 to 1.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      initial_scale: What the mean of squares starts with.
      eps_in_sqrt: Whether eps is under the root, sqrt(v + eps), or beside it, sqrt(v) + eps.
      bias_correction: Divide averages that start at zero by 1 - decay^t.

    Source: Tieleman & Hinton 2012, lecture 6.5
    """
    ...

def scale_by_rprop(
    learning_rate: _t.Hyper,
    eta_minus: _t.Fraction = 0.5,
    eta_plus: _t.Hyper = 1.2,
    min_step_size: _t.Hyper = 1e-06,
    max_step_size: _t.Hyper = 50.0,
) -> Transformation:
    """Step by Rprop (iRprop-): only the signs of gradients count. `learning_rate` is the first step size.

    same = sign(g) * sign(last update);  step = step * (eta_plus where same > 0, eta_minus where same < 0),
    bounded by min_step_size and max_step_size
    u = step * sign(g), 0 where same < 0
    As in torch, a gradient acts in its own step; in Optax the updates are those of the step before.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      eta_minus: Factor of a step size where the sign of the gradient has turned.
      eta_plus: Factor of a step size where the sign of the gradient has stayed.
      min_step_size: The smallest step size of an element.
      max_step_size: The largest step size of an element.

    Source: Riedmiller & Braun 1993; Igel & Huesken 2003
    """
    ...

def scale_by_rss(
    initial_accumulator_value: _t.Hyper = 0.1,
    eps: _t.Hyper = 1e-07,
    *,
    eps_in_sqrt: bool = True,
) -> Transformation:
    """Divide by the root of the sum of all squares so far.

    n = n + |g|^2;  u = g / sqrt(n + eps), n = initial_accumulator_value at the start; 0 where n + eps is 0.
    eps is inside the root, as in keras and Optax; eps_in_sqrt=False: u = g / (sqrt(n) + eps), as in torch.
    The printed "adaptive learning rate" lr / sqrt(1 + beta * sum v^2) of a momentum v is
    chain(trace(decay), scale_by_rss(1 / beta, eps=0), scale_by_learning_rate(lr / sqrt(beta))).

    Arguments shared with others:
      initial_accumulator_value: What the sum or mean of squares starts with.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_in_sqrt: Whether eps is under the root, sqrt(v + eps), or beside it, sqrt(v) + eps.

    Source: Duchi et al. 2011, JMLR 12
    """
    ...

def scale_by_schedule(
    step_size_fn: _t.Signed,
) -> Transformation:
    """Multiply updates by a schedule of the step: u = step_size_fn(t) * g, t = 0 at the first update."""
    ...

def scale_by_sgd_sai(
    b1: _t.Decay = 0.9,
    eps: _t.Hyper = 1e-08,
) -> Transformation:
    """Scale momentum by the signal-to-noise ratio of the first gradient, leaf by leaf (layer by layer).

    r = |g_1| / (std(g_1) + eps);  m = b1 m + (1 - b1) g, m = g_1 at first;  u = r m
    std is torch's, over n - 1; where it is 0, as in a scalar, r = |g_1|. g_1 is the first gradient that is
    not 0: those of LoRA's A are at first, and r would be 0 for ever. As the authors' code before 1.1, which
    since then takes r = sqrt(n), what r is for a gradient of mean 0.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:2412.11768
    """
    ...

def scale_by_sgdp(
    momentum: _t.Decay = 0.9,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    delta: _t.Hyper = 0.1,
    wd_ratio: _t.Fraction = 0.1,
    dampening: _t.Fraction = 0.0,
    *,
    nesterov: bool = False,
) -> Transformation:
    """Accumulate updates, and take the part along the weights out of the sum where the gradient has none.

    v = momentum v + (1 - dampening) g;  a = v, with nesterov g + momentum v
    u = a - p <p, a> / |p|^2 + wd_ratio * d * p  where |cos(g, p)| < delta / sqrt(n), else u = a + d * p
    d = weight_decay / (1 - momentum). For which units and layers: see `scale_by_adamp`.

    Arguments shared with others:
      momentum: Decay of the momentum that is added to the method, from 0 to 1; None: no momentum.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      delta: Where an update is projected: the cosine of gradient and weights is below delta / sqrt(n).
      wd_ratio: Factor of the decay where an update is projected.
      dampening: Which part of a gradient does not join the momentum.
      nesterov: Look one step ahead along the momentum.

    Source: arXiv:2006.08217
    """
    ...

def scale_by_shampoo(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.99,
    eps: _t.Hyper = 1e-06,
    precondition_frequency: int = 10,
    *,
    root: int = 4,
    sums: bool = False,
    block_size: int | None = 1024,
    max_precond_dim: int | None = None,
    sides: Literal["both", "short", "left", "right"] = "both",
    method: Literal["eigh", "newton"] = "eigh",
    combine: Literal["product", "sum"] = "product",
) -> Transformation:
    """Multiply gradients by inverse roots of their second moments, L on the left and R on the right.

    L = b2 L + (1 - b2) g g^H;  R = b2 R + (1 - b2) g^H g;  m = b1 m + (1 - b1) g
    u = L'^(-1/root) m' R'^(-1/root),  x' = x / (1 - b^t); the roots are those of (L' + eps |L'|_2 I)
    sums: L = L + g g^H, R = R + g^H g, as in arXiv:1802.09568. The roots are renewed each
    precondition_frequency steps, before the update. With sides="short" root=2 is that of one-sided Shampoo.
    combine="sum": CASPR, x = (L^(-1/root) m' + m' R^(-1/root)) / 2 and u the same of x, arXiv:2311.10085.
    A vector has u = m' / (sqrt(v') + eps), v its mean or sum of squares: the diagonal of its one matrix.
    State of a square matrix in float32: 12 bytes a parameter.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      precondition_frequency: After how many steps the roots or bases of a matrix are renewed.
      root: Which inverse root of a factor is taken: L^(-1/root).
      sums: Sum second moments up, not average them.
      block_size: Longest side of a block with factors of its own; longer sides are cut evenly.
      max_precond_dim: Sides longer than this have no factor; None: all have one.
      sides: Which sides of a matrix have factors: both, left (rows), right, or the short one.
      method: How roots are taken: by eigenvectors (eigh) or by Newton's iteration, of products alone.
      combine: How the sides of a matrix work together: the product of their roots, or the sum (CASPR).

    Source: arXiv:1802.09568; arXiv:2309.06497
    """
    ...

def scale_by_shape(
    consistent_rms: _t.Hyper | None = None,
    *,
    at_least_one: bool = True,
) -> Transformation:
    """Scale the update of a matrix by its shape, so that one learning rate fits all of them.

    u = g * sqrt(max(1, columns / rows)), rows being inputs as in Flax's kernels
    at_least_one=False: u = g * sqrt(columns / rows), that of Scion, arXiv:2502.07529.
    consistent_rms: u = g * consistent_rms * sqrt(max(rows, columns)); an orthogonal g gets that root mean
    square, and 0.2 is about that of AdamW's updates, arXiv:2502.16982.

    Arguments shared with others:
      consistent_rms: Root mean square of the updates of all matrices; None: scaled by columns / rows.

    Source: Jordan et al. 2024, Muon; arXiv:2502.16982
    """
    ...

def scale_by_sides(
    vector_scale: _t.Hyper = 0.001,
    max_precond_dim: int | None = 10000,
) -> Transformation:
    """Scale the update of a matrix by 2 / (rows + columns), and what is none by a number of its own.

    A matrix with a side longer than max_precond_dim counts as none.

    Arguments shared with others:
      vector_scale: Factor of the updates of leaves that are no matrices.
      max_precond_dim: Sides longer than this have no factor; None: all have one.

    Source: arXiv:2506.07254
    """
    ...

def scale_by_sign(
) -> Transformation:
    """Take the sign of each element: u = sign(g), 0 at 0 and x / |x| of a complex x.

    Source: arXiv:1802.04434
    """
    ...

def scale_by_simplified_ademamix(
    b1: _t.Fraction = 0.99,
    b2: _t.Decay = 0.95,
    alpha: _t.Hyper = 0.0,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
) -> Transformation:
    """Scale by simplified AdEMAMix: one slow sum, and the newest gradient with a weight of its own.

    m = b1 m + g;  n = b2 n + (1 - b2) |g|^2;  u = (m + alpha g) / (sqrt(n / (1 - b2^t) + eps_root) + eps)
    m is a sum, of up to 1 / (1 - b1) gradients: the learning rate is smaller by about that.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      alpha: Weight of one term of the update, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.

    Source: arXiv:2502.02431
    """
    ...

def scale_by_sinkhorn(
    *,
    iterations: int = 5,
) -> Transformation:
    """Give all inputs of a matrix one norm, and nearly all outputs, by dividing by norms in turn.

    iterations times  u = u / rms of each output's weights,  u = u / rms of each input's, from u = g
    The squares of u are then nearly those of a matrix with equal sums of rows and of columns. The length of g
    is lost, the root mean square of u is 1. It keeps no state. Of a vector u = sign(g); zeros stay.

    Arguments shared with others:
      iterations: How many fixed-point iterations find the numbers of rows and columns.

    Source: arXiv:2502.06742
    """
    ...

def scale_by_sm3(
    b1: _t.Decay = 0.9,
    b2: _t.Fraction = 1.0,
    eps: _t.Hyper = 1e-08,
) -> Transformation:
    """Scale by SM3-II: sums of squares that are bounded by one vector for each axis of a layer.

    v = w |g|^2 + b2 min over the axes of mu_i, w = 1 where b2 is 1, else 1 - b2
    mu_i = max of v over the other axes;  n = b1 n + (1 - b1) g / sqrt(v + eps);  u = n
    A layer is what the leaf's axes say, each of a stack by itself (Optax has a vector for a stack's axis
    too: `with_axes`); of more than five axes the first five count.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.

    Source: arXiv:1901.11150
    """
    ...

def scale_by_soap(
    b1: _t.Decay = 0.95,
    b2: _t.Decay = 0.95,
    shampoo_beta: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    precondition_frequency: int = 10,
    *,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Literal["both", "short", "left", "right"] = "both",
    of_momentum: bool = False,
) -> Transformation:
    """Adam in the eigenbases P, Q of L = E[g g^H] and R = E[g^H g].

    h = P^H g Q;  m = b1 m + (1 - b1) h;  v = b2 v + (1 - b2) |h|^2;  u = P (m' / (sqrt(v') + eps)) Q^H
    then L, R with shampoo_beta, and each precondition_frequency steps P from the QR decomposition of L P,
    and m in the new bases.
    The first step of a matrix makes its L, R, P, Q by eigenvectors, and its update is 0, as in the authors'
    code; their eps is divided by sqrt(1 - b2^t). A vector has Adam's update, from the first step on.
    of_momentum: v, L and R are of m' instead of g. State of a square matrix in float32: 20 bytes a parameter,
    14 with one side, and 6 less with moments in log8.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      shampoo_beta: Decay of the factors, from 0 to 1.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      precondition_frequency: After how many steps the roots or bases of a matrix are renewed.
      block_size: Longest side of a block with factors of its own; longer sides are cut evenly.
      max_precond_dim: Sides longer than this have no factor; None: all have one.
      sides: Which sides of a matrix have factors: both, left (rows), right, or the short one.
      of_momentum: Take the statistics of the mean of gradients, not of the gradients.

    Source: arXiv:2409.11321
    """
    ...

def scale_by_sophia(
    b1: _t.Decay = 0.965,
    b2: _t.Decay = 0.99,
    eps: _t.Hyper = 1e-08,
    gamma: _t.Hyper = 0.01,
    clip_threshold: _t.Hyper | None = 1.0,
    update_interval: _t.Period = 10,
    hessian_diagonal_fn: _t.Link = ...,
    mu_dtype: _t.DType | None = None,
    verbose: bool = False,
    print_win_rate_every_n_steps: int = 0,
    *,
    bias_correction: bool = False,
    delayed: bool = False,
) -> Transformation:
    """Scale by Sophia.

    m = b1 m + (1 - b1) g;  every update_interval steps h = b2 h + (1 - b2) hessian_diagonal_fn's update
    u = clip(m / max(gamma h, eps), clip_threshold)
    hessian_diagonal_fn is any transformation whose updates estimate the Hessian's diagonal; extra arguments
    of update go to it. Optax corrects the bias of m (bias_correction=True) and divides by the h of the step
    before (delayed=True). verbose prints the share of elements that are not clipped, the win rate, every
    print_win_rate_every_n_steps steps: the paper keeps it between 0.1 and 0.5.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      clip_threshold: The largest element of the update, or root mean square of its elements; None: any.
      update_interval: How many steps pass from one estimate of the Hessian to the next.
      hessian_diagonal_fn: A transformation whose updates are an estimate of the Hessian's diagonal.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      verbose: Print what went wrong, or the numbers that are asked for.
      print_win_rate_every_n_steps: How often the share of unclipped elements is printed; 0: never.
      bias_correction: Divide averages that start at zero by 1 - decay^t.
      delayed: Divide by the Hessian as it was before this step.

    Source: arXiv:2305.14342
    """
    ...

def scale_by_spam(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-06,
    threshold: _t.Hyper | None = 5000.0,
    reset_every: _t.Period = 500,
    warmup_steps: _t.Period | None = 150,
    wait_steps: _t.Hyper = 20,
    *,
    restart: bool = False,
) -> Transformation:
    """Scale by Adam with moments that start at 0 in every reset_every-th step.

    g = sqrt(threshold v) g / |g| where |g|^2 > threshold v, but not in the wait_steps steps after a reset
    m, v, u as in Adam;  u = u (1 - 0.99 (1 + cos(pi (k + 1) / (warmup_steps + 1))) / 2)
    k counts steps from 0 at a reset; before the first reset there is no warmup. None leaves a part out. Bias
    correction goes on counting as in the authors' code; restart=True starts it again. Where v is 0 nothing
    is clipped: the authors' code would hold such an element at 0 until the next reset.
    State: 8 bytes a parameter.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      threshold: Where a rule begins to act: at this root mean square, in RAdam at this length of average, in QK-clip at this logit, in SPAM where a square is this many times the mean of squares; of roll_back, so many standard deviations above the mean.
      reset_every: In which steps the moments start afresh: every reset_every-th.
      warmup_steps: Steps in which the learning rate grows to its value; None: it is constant.
      wait_steps: Steps after a start or a reset in which no spike is clipped.

    Source: arXiv:2501.06842
    """
    ...

def scale_by_splus(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    precondition_frequency: int = 100,
    *,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Literal["both", "short", "left", "right"] = "both",
) -> Transformation:
    """Signs of the momentum in the eigenbases P, Q of L = E[g g^H] and R = E[g^H g].

    m = b1 m + (1 - b1) g;  u = P sign(P^H m Q) Q^H
    then L, R = b2 (L, R) + (1 - b2) (g g^H, g^H g), and every precondition_frequency steps, the first
    included, P, Q from the eigenvectors. Of a vector u = sign(m). Where L or R has not its full rank, as the
    long side's in the first steps, some eigenvectors are anyone's, and so is the update; sides="short" avoids
    that. State of a square matrix: 16 bytes a parameter, 10 with one side.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      precondition_frequency: After how many steps the roots or bases of a matrix are renewed.
      block_size: Longest side of a block with factors of its own; longer sides are cut evenly.
      max_precond_dim: Sides longer than this have no factor; None: all have one.
      sides: Which sides of a matrix have factors: both, left (rows), right, or the short one.

    Source: arXiv:2506.07254
    """
    ...

def scale_by_stable_adam(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.99,
    eps: _t.Hyper = 1e-06,
    weight_decay: _t.Hyper = 0.0,
    threshold: _t.Limit = 1.0,
    mu_dtype: _t.DType | None = None,
    *,
    per_leaf: bool = False,
) -> Transformation:
    """Scale by Adam, and divide a layer's update by the root mean square of |g| / sqrt(v').

    r = sqrt(mean(|g|^2 / max(v', eps^2))) of the layer;  m' and v' as of `scale_by_adam`
    u = (m' / (sqrt(v') + eps) + weight_decay * p) / max(1, r / threshold)

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      threshold: Where a rule begins to act: at this root mean square, in RAdam at this length of average, in QK-clip at this logit, in SPAM where a square is this many times the mean of squares; of roll_back, so many standard deviations above the mean.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:2304.13013
    """
    ...

def scale_by_stddev(
    decay: _t.Decay = 0.9,
    eps: _t.Hyper = 1e-08,
    initial_scale: _t.Hyper = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> Transformation:
    """Divide by a running standard deviation.

    `scale_by_rms` with v - |m|^2 in place of v;  m = decay m + (1 - decay) g
    A variance that rounding made negative counts as 0. With bias_correction the first variance is exactly
    that, and the first update is g over eps (or its root): a few small steps are wanted there.

    Arguments shared with others:
      decay: How much of an average, or of a sum, outlives a step, from 0 to 1.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      initial_scale: What the mean of squares starts with.
      eps_in_sqrt: Whether eps is under the root, sqrt(v + eps), or beside it, sqrt(v) + eps.
      bias_correction: Divide averages that start at zero by 1 - decay^t.

    Source: arXiv:1308.0850
    """
    ...

def scale_by_trust_ratio(
    min_norm: _t.Hyper = 0.0,
    trust_coefficient: _t.Hyper = 1.0,
    eps: _t.Hyper = 0.0,
    *,
    per_leaf: bool = True,
) -> Transformation:
    """Scale a leaf, or each layer of a stack, to the norm of its weights.

    u = g * trust_coefficient * |p| / (|g| + eps), u = g where |p| or |g| is 0
    Norms count as min_norm at least.

    Arguments shared with others:
      min_norm: Norms count as this at least.
      trust_coefficient: Length of a step relative to the weights of its layer.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:1904.00962
    """
    ...

def scale_by_yogi(
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 0.001,
    eps_root: _t.Hyper = 0.0,
    initial_accumulator_value: _t.Hyper = 1e-06,
    *,
    fill_mu: bool = True,
) -> Transformation:
    """Scale by Yogi: v goes to |g|^2 by steps of (1 - b2) |g|^2, whatever their distance.

    m = b1 m + (1 - b1) g;  v = v - (1 - b2) sign(v - |g|^2) |g|^2, v = initial_accumulator_value at the start
    u = m' / (sqrt(v' + eps_root) + eps), m' and v' as of `scale_by_adam`
    fill_mu: m starts at initial_accumulator_value too, as in Optax, and not at 0 as in the paper.

    Arguments shared with others:
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      initial_accumulator_value: What the sum or mean of squares starts with.
      fill_mu: Start the first moment with initial_accumulator_value too.

    Source: Zaheer et al. 2018, Adaptive Methods for Nonconvex Optimization
    """
    ...

def scale_by_zoom_linesearch(
    max_linesearch_steps: _t.Period,
    max_learning_rate: _t.Hyper | None = None,
    tol: _t.Hyper = 0.0,
    increase_factor: _t.Hyper = 2.0,
    slope_rtol: _t.Hyper = 0.0001,
    curv_rtol: _t.Limit = 0.9,
    approx_dec_rtol: _t.Hyper | None = 1e-06,
    stepsize_precision: _t.Hyper = 1e-05,
    initial_guess_strategy: Literal["keep", "one"] = "keep",
    verbose: bool = False,
    *,
    conjugate_grad: bool = True,
) -> Transformation:
    """Scale the updates to a step t with sufficient decrease and small curvature (strong Wolfe).

    f(t) <= f(0) + slope_rtol t f'(0), or f'(t) <= (2 slope_rtol - 1) f'(0) and f(t) <= f(0) +
    approx_dec_rtol |f(0)|; and |f'(t)| <= curv_rtol |f'(0)|; f(t) = value_fn(params + t * updates)
    Extra arguments of update: `value` and `grad` at the parameters, `value_fn`, and what value_fn takes by
    name. The first trial is 1 or ("keep") the last step; where the function is not finite a step was too
    long. A search that fails takes the lowest point that decreases, or no step, and `info` holds the errors.
    An interval shorter than stepsize_precision of its end is searched no further, once a step decreases.
    Which points are tried is not as in Optax: cubics here go through values and slopes of both ends.
    conjugate_grad: of complex parameters `grad` is the conjugate of jax.grad's, as the updates are in L-BFGS.

    Arguments shared with others:
      max_learning_rate: The longest step.
      increase_factor: By how much a step may grow, from one trial, or from one search, to the next.
      slope_rtol: Which share of the decrease that the slope foretells a step must reach.
      verbose: Print what went wrong, or the numbers that are asked for.

    Source: Nocedal & Wright 2006, algorithms 3.5 and 3.6; Hager & Zhang 2005
    """
    ...

def schedule_free(
    base_optimizer: _t.Link,
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    weight_lr_power: _t.Hyper = 2.0,
    state_dtype: _t.DType | None = None,
    *,
    weight_power: _t.Hyper = 0.0,
    weight_by_max: bool = True,
    first_count: int = 1,
    rectify: _t.Decay | None = None,
) -> Transformation:
    """Run an optimizer without momentum on z; the parameters are y, between z and its average x.

    z = z + u(gradient at y);  w = t^weight_power lr^weight_lr_power;  c = w / sum of w
    x = (1 - c) x + c z;  y = (1 - b1) z + b1 x
    `eval_params(tx, state, params)` is x, which is not kept: (y - (1 - b1) z) / b1. The learning rate is the
    one of the base, here for the weights alone. state_dtype is that of z.
    weight_by_max: the largest rate so far for lr (the authors' code and Optax). Schedules start at
    first_count: 1 is Optax's, which never looks at their value at 0. rectify: the rate of the weights is that
    behind `scale_by_rectification(rectify)`.

    Arguments shared with others:
      base_optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      weight_lr_power: Power of the learning rate in the weight of a step in the average.
      state_dtype: dtype in which the second copy of the parameters is kept; None: float32 at least.
      weight_power: Power of the number of the step in its weight in the average.
      weight_by_max: Weigh by the largest learning rate so far, not by that of the step.
      first_count: At which step schedules begin: 0, or 1 as in Optax.

    Source: arXiv:2405.15682
    """
    ...

def schedule_free_adamw(
    learning_rate: _t.Hyper = 0.0025,
    warmup_steps: int | None = None,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    weight_lr_power: _t.Hyper = 2.0,
    state_dtype: _t.DType | None = None,
    *,
    weight_power: _t.Hyper = 0.0,
    weight_by_max: bool = True,
    first_count: int = 1,
) -> Transformation:
    """AdamW, schedule-free: RMSprop with bias correction and decay of y within `schedule_free`.

    The learning rate grows to its value in warmup_steps steps, the first being learning_rate / warmup_steps.
    first_count=1 is Optax's: its first step has length 0.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      warmup_steps: Steps in which the learning rate grows to its value; None: it is constant.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      weight_lr_power: Power of the learning rate in the weight of a step in the average.
      state_dtype: dtype in which the second copy of the parameters is kept; None: float32 at least.
      weight_power: Power of the number of the step in its weight in the average.
      weight_by_max: Weigh by the largest learning rate so far, not by that of the step.
      first_count: At which step schedules begin: 0, or 1 as in Optax.

    Source: arXiv:2405.15682
    """
    ...

def schedule_free_radam(
    learning_rate: _t.Hyper = 0.0025,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    weight_lr_power: _t.Hyper = 2.0,
    state_dtype: _t.DType | None = None,
    *,
    weight_power: _t.Hyper = 0.0,
) -> Transformation:
    """RAdam, schedule-free: `schedule_free_adamw` whose rate is rectified, so that it needs no warm-up.

    As long as the second moment cannot be trusted, 5 steps for b2 = 0.999, nothing moves.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      weight_lr_power: Power of the learning rate in the weight of a step in the average.
      state_dtype: dtype in which the second copy of the parameters is kept; None: float32 at least.
      weight_power: Power of the number of the step in its weight in the average.

    Source: arXiv:2405.15682; arXiv:1908.03265
    """
    ...

def schedule_free_sgd(
    learning_rate: _t.Hyper = 1.0,
    warmup_steps: int | None = None,
    b1: _t.Decay = 0.9,
    weight_decay: _t.Hyper | None = None,
    weight_lr_power: _t.Hyper = 2.0,
    state_dtype: _t.DType | None = None,
    *,
    weight_power: _t.Hyper = 0.0,
    weight_by_max: bool = True,
    first_count: int = 1,
) -> Transformation:
    """Gradient descent, schedule-free: see `schedule_free`. The decay, of y, joins the gradient.

    The learning rate grows to its value in warmup_steps steps, the first being learning_rate / warmup_steps.
    first_count=1 is Optax's: its first step has length 0.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      warmup_steps: Steps in which the learning rate grows to its value; None: it is constant.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      weight_lr_power: Power of the learning rate in the weight of a step in the average.
      state_dtype: dtype in which the second copy of the parameters is kept; None: float32 at least.
      weight_power: Power of the number of the step in its weight in the average.
      weight_by_max: Weigh by the largest learning rate so far, not by that of the step.
      first_count: At which step schedules begin: 0, or 1 as in Optax.

    Source: arXiv:2405.15682
    """
    ...

def scion(
    learning_rate: _t.Hyper,
    beta: _t.Decay = 0.9,
    radius: _t.Hyper = 50.0,
    eps: _t.Hyper = 1e-08,
    mu_dtype: _t.DType | None = None,
    *,
    input_radius: _t.Hyper = 1.0,
    output_radius: _t.Hyper = 3000.0,
    constrained: bool = True,
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = (3.4445, -4.775, 2.0315),
    ns_steps: int = 5,
    muon_mask: _t.Selection = None,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
    ns_kernel: Literal["xla", "pallas"] = "xla",
) -> Transformation:
    """Scion: p = (1 - lr) p - lr * lmo(m), m the mean of gradients, so that weights stay within a ball.

    lmo(m) is sqrt(columns / rows) * newton_schulz(m) for matrices and, see `scale_by_lmo`, "rms" for vectors,
    both times `radius`; "inputs" for embeddings and "sign" for heads, by the names in their paths. The
    muon_mask selects matrices that are hidden layers whatever their names.
    constrained=False: p = p - lr * lmo(m). The default radii are the paper's for language models.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      radius: Radius of the ball that updates are on the edge of.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      muon_mask: Which leaves with rows and columns are matrices here; None: all but embeddings and heads, by the names in their paths.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.
      ns_kernel: What Newton-Schulz products run by: 'xla', or on TPU 'pallas', half of the symmetric ones.

    Source: arXiv:2502.07529
    """
    ...

def selective_transform(
    optimizer: _t.Link,
    *,
    freeze_mask: _t.Selection,
) -> Transformation:
    """Optax's name for `chain(freeze(freeze_mask), optimizer)`: what is frozen has no state and stays.

    Arguments shared with others:
      optimizer: The optimizer that is wrapped: gradchain's, or another library's.
    """
    ...

def set_to_zero(
) -> Transformation:
    """Set every update to zero: u = 0."""
    ...

def sgd(
    learning_rate: _t.Hyper,
    momentum: _t.Fraction | None = None,
    nesterov: bool = False,
    accumulator_dtype: _t.DType | None = None,
) -> Transformation:
    """Gradient descent: p = p - lr * g, or with momentum p = p - lr * v, see `trace`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      momentum: Decay of the momentum that is added to the method, from 0 to 1; None: no momentum.
      nesterov: Look one step ahead along the momentum.
      accumulator_dtype: dtype in which the accumulated updates are kept; the arithmetic stays float32.

    Source: Robbins & Monro 1951; Sutskever et al. 2013
    """
    ...

def sgd_sai(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.01,
    mask: _t.Selection = None,
) -> Transformation:
    """SGD-SaI: p = p - lr * (r m + weight_decay * p), see `scale_by_sgd_sai`: no second moment.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2412.11768
    """
    ...

def sgdp(
    learning_rate: _t.Hyper,
    momentum: _t.Decay = 0.9,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    delta: _t.Hyper = 0.1,
    wd_ratio: _t.Fraction = 0.1,
    dampening: _t.Fraction = 0.0,
    *,
    nesterov: bool = False,
) -> Transformation:
    """SGDP: p = p - lr * u, see `scale_by_sgdp`; weights before a normalisation do not grow by momentum.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      momentum: Decay of the momentum that is added to the method, from 0 to 1; None: no momentum.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      delta: Where an update is projected: the cosine of gradient and weights is below delta / sqrt(n).
      wd_ratio: Factor of the decay where an update is projected.
      dampening: Which part of a gradient does not join the momentum.
      nesterov: Look one step ahead along the momentum.

    Source: arXiv:2006.08217
    """
    ...

def shampoo(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.99,
    eps: _t.Hyper = 1e-06,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    precondition_frequency: int = 10,
    *,
    grafting: Any = "adam",
    root: int = 4,
    sums: bool = False,
    block_size: int | None = 1024,
    max_precond_dim: int | None = None,
    sides: Literal["both", "short", "left", "right"] = "both",
    method: Literal["eigh", "newton"] = "eigh",
    combine: Literal["product", "sum"] = "product",
) -> Transformation:
    """Shampoo: p = p - lr * (u |v| / |u| + weight_decay * p), u of `scale_by_shampoo`, |u| that of a layer.

    v is what `grafting` would step by: "adam", "rms" without its momentum, "sgd" the mean gradient, or a
    transformation; lr is then that of the other method. None: u as it is, whose length follows the gradients
    of late over those of long ago; the paper and its users always graft.
    Other decays than b1 and 0.999 for v: grafting=scale_by_adam(b1, b2, eps). State of a square matrix in
    float32: 20 bytes a parameter with "adam", 16 with "rms" and "sgd", 12 with None.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      precondition_frequency: After how many steps the roots or bases of a matrix are renewed.
      grafting: What the lengths of steps are taken from, layer by layer: 'adam', 'rms', 'sgd', a transformation; None: nothing.
      root: Which inverse root of a factor is taken: L^(-1/root).
      sums: Sum second moments up, not average them.
      block_size: Longest side of a block with factors of its own; longer sides are cut evenly.
      max_precond_dim: Sides longer than this have no factor; None: all have one.
      sides: Which sides of a matrix have factors: both, left (rows), right, or the short one.
      method: How roots are taken: by eigenvectors (eigh) or by Newton's iteration, of products alone.
      combine: How the sides of a matrix work together: the product of their roots, or the sum (CASPR).

    Source: arXiv:1802.09568; arXiv:2309.06497
    """
    ...

def sign_sgd(
    learning_rate: _t.Hyper,
) -> Transformation:
    """Sign descent: p = p - lr * sign(g).

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.

    Source: arXiv:1802.04434
    """
    ...

def signum(
    learning_rate: _t.Hyper,
    beta: _t.Decay = 0.9,
    accumulator_dtype: _t.DType | None = None,
) -> Transformation:
    """Signum: m = beta m + (1 - beta) g;  p = p - lr * sign(m).

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      accumulator_dtype: dtype in which the accumulated updates are kept; the arithmetic stays float32.

    Source: arXiv:1802.04434
    """
    ...

def simplified_ademamix(
    learning_rate: _t.Hyper,
    b1: _t.Fraction = 0.99,
    b2: _t.Decay = 0.95,
    alpha: _t.Hyper = 0.0,
    eps: _t.Hyper = 1e-08,
    eps_root: _t.Hyper = 0.0,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """Simplified AdEMAMix: p = p - lr * (u + weight_decay * p), u from `scale_by_simplified_ademamix`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      alpha: Weight of one term of the update, see the formula.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      eps_root: Added to the second moment, under the root.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2502.02431
    """
    ...

def sinkgd(
    learning_rate: _t.Hyper,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    *,
    iterations: int = 5,
) -> Transformation:
    """SinkGD: p = p - lr * (u + weight_decay * p), see `scale_by_sinkhorn`; it keeps no state.

    The paper takes Adam for embeddings, heads and vectors: that is a `partition`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      iterations: How many fixed-point iterations find the numbers of rows and columns.

    Source: arXiv:2502.06742
    """
    ...

def skip(
    tx: _t.Link,
    spikes: _t.Limit | None = None,
    *,
    window: int = 128,
    by: str = "norm",
    max_consecutive: _t.Period | None = None,
    max_nonfinite: int | None = None,
) -> Transformation:
    """Leave out an update whose gradient has no finite norm: parameters and inner state stay, it is counted.

    With `spikes` also one whose measure is above mean + spikes * std of the last `window` updates that were
    let through, once there are that many (6 is usual). by="norm": the measure is the gradient's global norm;
    by="value": the extra argument `value`, the loss. After max_consecutive skips in a row the next finite
    update goes through whatever its size. One that is not finite never does, unless max_nonfinite is given:
    then after so many in a row the next go through as they are, so that the run fails openly. Those count
    as skipped, too.

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.
      window: How many of the last updates are remembered.
      by: What says that a step is a spike: the gradient's "norm", or "value", the loss.
    """
    ...

def slim_adam(
    learning_rate: _t.Hyper,
    over: Literal["blocks", "rows", "cols", "matrix", "none"] | Mapping[str, str],
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """SlimAdam: Adam whose second moments are means along the axes that `over` says.

    p = p - lr * (u + weight_decay * p), see `scale_by_adam_mini`. Of transformers the paper finds that keys
    and queries bear a mean over their inputs ("rows"), values and projections over their outputs ("cols"),
    embeddings over features but not over tokens ("cols"), and that vectors should stay whole ("none").

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      over: Along which axes elements share a second moment: a word, or patterns of paths and words.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2503.01843
    """
    ...

def sm3(
    learning_rate: _t.Hyper,
    momentum: _t.Decay = 0.9,
) -> Transformation:
    """SM3 with momentum: p = p - lr * u, see `scale_by_sm3`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      momentum: Decay of the momentum that is added to the method, from 0 to 1; None: no momentum.

    Source: arXiv:1901.11150
    """
    ...

def snapshot(
    measure_name: str,
    measure: Callable[[Any], Any] | None = None,
) -> Transformation:
    """Pass updates through and keep what is measured of them in the state: u = g.

    measure(updates) is a number, or any tree of arrays; by default the global norm. `metrics` reports it as
    measure_name. Under a mask the updates are a dict of the chosen leaves by path. A function has no place
    in a JSON config.
    """
    ...

def snapshot_layer_grads(
) -> Transformation:
    """Pass gradients through and keep the norm of each layer in the state: u = g.

    A layer is a leaf, or a matrix of a stack. `metrics` reports them as layer_grad_norm, a tree like the
    parameters; `scalars` as one number for each layer. First in a chain; `monitored` puts it there.
    """
    ...

def snapshot_layer_updates(
) -> Transformation:
    """Pass updates through and keep, for each layer, their norm, that of the parameters and the ratio: u = g.

    ratio = |u| / |p|, 0 where |p| is 0
    A layer is a leaf, or a matrix of a stack. `metrics` reports layer_update_norm, layer_param_norm and
    update_ratio, trees like the parameters. Last in a chain, where `monitored` has it.
    """
    ...

def soap(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.95,
    b2: _t.Decay = 0.95,
    shampoo_beta: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    precondition_frequency: int = 10,
    *,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Literal["both", "short", "left", "right"] = "both",
    of_momentum: bool = False,
) -> Transformation:
    """SOAP: p = p - lr * (u + weight_decay * p), see `scale_by_soap`; sides="short" is one-sided SOAP.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      shampoo_beta: Decay of the factors, from 0 to 1.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      precondition_frequency: After how many steps the roots or bases of a matrix are renewed.
      block_size: Longest side of a block with factors of its own; longer sides are cut evenly.
      max_precond_dim: Sides longer than this have no factor; None: all have one.
      sides: Which sides of a matrix have factors: both, left (rows), right, or the short one.
      of_momentum: Take the statistics of the mean of gradients, not of the gradients.

    Source: arXiv:2409.11321
    """
    ...

def sophia(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.965,
    b2: _t.Decay = 0.99,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0001,
    mask: _t.Selection = None,
    gamma: _t.Hyper = 0.01,
    clip_threshold: _t.Hyper | None = 1.0,
    update_interval: _t.Period = 10,
    hessian_diagonal_fn: _t.Link = ...,
    mu_dtype: _t.DType | None = None,
    verbose: bool = False,
    print_win_rate_every_n_steps: int = 0,
    *,
    bias_correction: bool = True,
    delayed: bool = True,
) -> Transformation:
    """Sophia: p = p - lr * (u + weight_decay * p), see `scale_by_sophia`.

    The default estimate of the Hessian needs an extra argument: tx.update(grads, state, params, obj_fn=f).

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      gamma: Strength of a pull or correction, how fast noise fades or bounds close, or the largest growth of a norm, see the formula.
      clip_threshold: The largest element of the update, or root mean square of its elements; None: any.
      update_interval: How many steps pass from one estimate of the Hessian to the next.
      hessian_diagonal_fn: A transformation whose updates are an estimate of the Hessian's diagonal.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      verbose: Print what went wrong, or the numbers that are asked for.
      print_win_rate_every_n_steps: How often the share of unclipped elements is printed; 0: never.
      bias_correction: Divide averages that start at zero by 1 - decay^t.
      delayed: Divide by the Hessian as it was before this step.

    Source: arXiv:2305.14342
    """
    ...

def spam(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-06,
    threshold: _t.Hyper | None = 5000.0,
    reset_every: _t.Period = 500,
    warmup_steps: _t.Period | None = 150,
    wait_steps: _t.Hyper = 20,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """SPAM: p = p - lr * (u + weight_decay * p), see `scale_by_spam`; every element has its moments.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      threshold: Where a rule begins to act: at this root mean square, in RAdam at this length of average, in QK-clip at this logit, in SPAM where a square is this many times the mean of squares; of roll_back, so many standard deviations above the mean.
      reset_every: In which steps the moments start afresh: every reset_every-th.
      warmup_steps: Steps in which the learning rate grows to its value; None: it is constant.
      wait_steps: Steps after a start or a reset in which no spike is clipped.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2501.06842
    """
    ...

def spectral_sphere(
    learning_rate: _t.Hyper,
    beta: _t.Decay = 0.9,
    radius: _t.Hyper = 1.0,
    eps: _t.Hyper = 1e-08,
    mu_dtype: _t.DType | None = None,
    *,
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = "polar_express",
    ns_steps: int = 8,
    power_steps: int = 10,
    search_steps: int = 20,
    adam_b1: _t.Decay = 0.9,
    adam_b2: _t.Decay = 0.999,
    adam_weight_decay: _t.Hyper = 0.0,
    adam_learning_rate: _t.Hyper | None = None,
    mask: _t.Selection = None,
    muon_mask: _t.Selection = None,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
) -> Transformation:
    """SSO: a running mean of gradients, and `step_on_spectral_sphere`; AdamW for all other leaves.

    The learning rate is relative to the spectral norm of the weights, which the first step makes `radius`
    times sqrt(columns / rows). `muon_mask` selects the matrices; None: all but embeddings and heads, by their
    paths. An approximation that keeps the norm of all singular values together is `muonh`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      radius: Radius of the ball that updates are on the edge of.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      power_steps: Steps of power iteration for each update.
      search_steps: How many times the interval of the multiplier is halved.
      adam_b1: `b1` of Adam for the leaves that are no matrices.
      adam_b2: `b2` of Adam for the leaves that are no matrices.
      adam_weight_decay: Weight decay of the leaves that are no matrices.
      adam_learning_rate: Learning rate of the leaves that are no matrices; None: the same.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      muon_mask: Which leaves with rows and columns are matrices here; None: all but embeddings and heads, by the names in their paths.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.

    Source: arXiv:2601.08393
    """
    ...

def spel(
    learning_rate: _t.Hyper,
    beta: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    mu_dtype: _t.DType | None = None,
    *,
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = (3.4445, -4.775, 2.0315),
    ns_steps: int = 5,
    nesterov: bool = False,
    adam_b1: _t.Decay = 0.9,
    adam_b2: _t.Decay = 0.999,
    adam_weight_decay: _t.Hyper = 0.0,
    adam_learning_rate: _t.Hyper | None = None,
    muon_mask: _t.Selection = None,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
    ns_kernel: Literal["xla", "pallas"] = "xla",
) -> Transformation:
    """SPEL: Muon on orthogonal matrices, p = newton_schulz(p - lr * (u + weight_decay * p)).

    u is the orthogonal momentum, not scaled. Other leaves: AdamW. See `step_on_stiefel`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      nesterov: Look one step ahead along the momentum.
      adam_b1: `b1` of Adam for the leaves that are no matrices.
      adam_b2: `b2` of Adam for the leaves that are no matrices.
      adam_weight_decay: Weight decay of the leaves that are no matrices.
      adam_learning_rate: Learning rate of the leaves that are no matrices; None: the same.
      muon_mask: Which leaves with rows and columns are matrices here; None: all but embeddings and heads, by the names in their paths.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.
      ns_kernel: What Newton-Schulz products run by: 'xla', or on TPU 'pallas', half of the symmetric ones.

    Source: arXiv:2601.21487
    """
    ...

def split_columns(
    inner: _t.Link,
    blocks: Mapping[str, Any],
) -> Transformation:
    """Let an optimizer treat blocks of columns of some leaves as leaves: one matrix for each of q, k and v.

    split_columns(muon(0.02), {"**/qkv/kernel": 3}): `blocks` maps patterns of paths to a number of blocks
    along the last axis, or to the columns of each, (512, 128, 128). Inside, "kernel" is "kernel/0",
    "kernel/1", ..., also in the state and for masks. With a block for each head this is Muon by heads; a
    kernel [in, 3, heads, dim] needs no blocks, with_axes(muon(0.02), {"**/qkv/kernel": "rbbc"}) reads it so.
    A leaf whose columns are split over a mesh is gathered along them, and put back.
    Raises ValueError for a leaf whose columns are not such blocks.

    Arguments shared with others:
      inner: The transformation that is wrapped.
    """
    ...

def split_real_and_imaginary(
    inner: _t.Link,
) -> Transformation:
    """Let an optimizer treat each complex leaf as a pair of real ones.

    Most rules here take complex numbers as they are, with |g|^2 for squares; in torch and in this wrapper
    real and imaginary part have statistics of their own. Inside, "kernel" is "kernel/real" and
    "kernel/imaginary", also in the state and for masks ("**/kernel/*"); real leaves stay as they are.

    Arguments shared with others:
      inner: The transformation that is wrapped.
    """
    ...

def split_weights(
    bits: int = 16,
    seed: int = 0,
) -> Transformation:
    """Keep the low half of float32 parameters in the state, next to bfloat16 parameters: nothing is lost.

    X = (p << 16) + r as the bits of a float32;  X = X + u;  p = (X + 0x8000) >> 16;  r = X - (p << 16)
    bits=16: r is int16, and the steps are those of float32 parameters bit for bit. bits=8: r is int8,
    rounded stochastically, so that small updates are kept on average. The last link of a chain.
    A parameter set from outside keeps its remainder, less than half of its spacing. Where p + u cannot be p
    (see `towards`), the remainder is made against the sum as it is.

    Arguments shared with others:
      seed: Number that the noise is made from, together with step, path and element.

    Source: arXiv:2005.04680
    """
    ...

def splus(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
    precondition_frequency: int = 100,
    *,
    vector_scale: _t.Hyper = 0.001,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Literal["both", "short", "left", "right"] = "both",
) -> Transformation:
    """SPlus: p = p - lr * f * (u + weight_decay * p), u of `scale_by_splus` and f of `scale_by_sides`.

    The paper evaluates an average of the parameters with decay 0.999: `average(splus(0.1), 0.999)`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      precondition_frequency: After how many steps the roots or bases of a matrix are renewed.
      vector_scale: Factor of the updates of leaves that are no matrices.
      block_size: Longest side of a block with factors of its own; longer sides are cut evenly.
      max_precond_dim: Sides longer than this have no factor; None: all have one.
      sides: Which sides of a matrix have factors: both, left (rows), right, or the short one.

    Source: arXiv:2506.07254
    """
    ...

def stable_adamw(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.99,
    eps: _t.Hyper = 1e-06,
    weight_decay: _t.Hyper = 0.01,
    mask: _t.Selection = None,
    threshold: _t.Limit = 1.0,
    mu_dtype: _t.DType | None = None,
    *,
    per_leaf: bool = False,
) -> Transformation:
    """StableAdamW: p = p - lr / max(1, r / threshold) * (m' / (sqrt(v') + eps) + weight_decay * p).

    r is the root mean square of |g| / sqrt(v') in a layer, see `scale_by_stable_adam`: a spike of gradients
    shortens the step instead of needing a clipped gradient. The decay is shortened with it, as in the paper.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      threshold: Where a rule begins to act: at this root mean square, in RAdam at this length of average, in QK-clip at this logit, in SPAM where a square is this many times the mean of squares; of roll_back, so many standard deviations above the mean.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      per_leaf: Take norms over whole leaves, stacks of layers too; False: of each layer by itself.

    Source: arXiv:2304.13013
    """
    ...

def stable_spam(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 1e-08,
    gamma1: _t.Decay = 0.7,
    gamma2: _t.Decay = 0.9,
    theta: _t.Decay = 0.999,
    reset_every: _t.Period = 1000,
    weight_decay: _t.Hyper = 0.0,
    mask: _t.Selection = None,
) -> Transformation:
    """Stable-SPAM, for training in few bits: Adam on gradients without spikes and of steady norm.

    g = clip_by_spikes(theta), normalize_by_history(gamma1, gamma2, eps);  u = Adam of g, which starts afresh
    in every reset_every-th step;  p = p - lr * (u + weight_decay * p)
    State: 8 bytes a parameter and 12 a matrix.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      reset_every: In which steps the moments start afresh: every reset_every-th.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.

    Source: arXiv:2502.17055
    """
    ...

def stateless(
    f: Callable[[Any, Any], Any],
) -> Transformation:
    """A function as a link without state: u = f(updates, params), on whole trees; params may be None.

    Arguments shared with others:
      f: The function that the link is.
    """
    ...

def stateless_with_tree_map(
    f: Callable[[Any, Any], Any],
) -> Transformation:
    """A function as a link without state: u = f(g, p) for each leaf; p is None where no params are given.

    Arguments shared with others:
      f: The function that the link is.
    """
    ...

def step_and_shrink(
    learning_rate: _t.Hyper,
) -> Transformation:
    """Descend and shrink, so that steps as long as the learning rate times the weights do not let them grow.

    p + u = (p - learning_rate * g) / sqrt(1 + learning_rate^2): the last link of a chain.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.

    Source: arXiv:2002.03432
    """
    ...

def step_by_outputs(
    learning_rate: _t.Hyper,
    beta: _t.Decay = 0.95,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.95,
    eps: _t.Hyper = 1e-08,
    mu_dtype: _t.DType | None = None,
    *,
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = (3.4445, -4.775, 2.0315),
    ns_steps: int = 5,
    nesterov: bool = True,
    consistent_rms: _t.Hyper = 0.2,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
    ns_kernel: Literal["xla", "pallas"] = "xla",
) -> Transformation:
    """Descend in p = r v / |v| of each output's weights: in their lengths r by Adam, in v by Muon.

    d = p / r;  g_r = <g, d>;  g_v = r / |v| (g - g_r d);  r = r - lr * adam(g_r)
    v = v - lr * consistent_rms * sqrt(max(rows, columns)) * newton_schulz(momentum of g_v)
    r and v begin with the norms and the weights. Weights of zero have no direction, and stay. It takes
    gradients: the only link. On a mesh the sums for each output, small arrays, cross the devices.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      nesterov: Look one step ahead along the momentum.
      consistent_rms: Root mean square of the updates of all matrices; None: scaled by columns / rows.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.
      ns_kernel: What Newton-Schulz products run by: 'xla', or on TPU 'pallas', half of the symmetric ones.

    Source: arXiv:2605.10797
    """
    ...

def step_on_spectral_sphere(
    learning_rate: _t.Hyper,
    radius: _t.Hyper = 1.0,
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = "polar_express",
    ns_steps: int = 8,
    eps: _t.Hyper = 1e-08,
    *,
    power_steps: int = 10,
    search_steps: int = 20,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
) -> Transformation:
    """Descend along the matrices of one spectral norm: the last link of a chain.

    s, t = the largest singular value of p and u v^T of its vectors;  r = radius * sqrt(columns / rows)
    d = msign(g / |g| + c t), c such that <t, d> = 0;  p + u = r * (p / s - learning_rate * d)
    msign is `newton_schulz`, s and t come from power_steps steps of power iteration from fixed noise. c is
    found by bisection from -2 to 2 roots of the shorter side: search_steps times the products of one msign.
    A gradient of zeros only scales p; p = 0 is moved as by `orthogonalize`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      radius: Radius of the ball that updates are on the edge of.
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      power_steps: Steps of power iteration for each update.
      search_steps: How many times the interval of the multiplier is halved.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.

    Source: arXiv:2601.08393
    """
    ...

def step_on_sphere(
    learning_rate: _t.Hyper,
) -> Transformation:
    """Descend by a part of a matrix's norm and keep that norm, hyperball: the last link of any chain.

    q = p - learning_rate * r * g / |g|;  p + u = r * q / |q|, r = |p| at the start, for each matrix
    The learning rate is an angle, nearly: how far the direction of the weights turns. Weight decay has no
    place beside it. A matrix that starts at zero stays there: give it another group (`partition`). Steps
    relative to the norm without keeping it are `scale_by_trust_ratio`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.

    Source: arXiv:2606.16899
    """
    ...

def step_on_stiefel(
    learning_rate: _t.Hyper,
    ns_coeffs: tuple[float, float, float] | Sequence[tuple[float, float, float]] | Literal["standard", "dion", "polar_express", "cans"] = (3.4445, -4.775, 2.0315),
    ns_steps: int = 5,
    eps: _t.Hyper = 1e-08,
    *,
    precision: Any | None = None,
    ns_dtype: _t.DType | None = None,
    ns_kernel: Literal["xla", "pallas"] = "xla",
) -> Transformation:
    """Descend, then make the matrix orthogonal again: the last link of a chain.

    p + u = newton_schulz(p - learning_rate * g), whose singular values are 1, nearly, see `orthogonalize`

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      ns_coeffs: Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: 'standard', 'dion', 'polar_express', 'cans'.
      ns_steps: Steps of the Newton-Schulz iteration, where `ns_coeffs` are for any number.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      precision: Precision of matrix products: None is the platform's own, "highest" float32 everywhere.
      ns_dtype: dtype of the factors of Newton-Schulz products: bfloat16, float16; None: see precision.
      ns_kernel: What Newton-Schulz products run by: 'xla', or on TPU 'pallas', half of the symmetric ones.

    Source: arXiv:2601.21487
    """
    ...

def stored(
    tx: _t.Link,
    codec: Any,
    *,
    min_size: int = 4096,
    seed: int = 0,
) -> Transformation:
    """Keep the state of a transform, or of a whole chain, in 4 to 16 bits: stored(adamw(1e-3), "log8").

    `codec` is a name ("log8", "log4", "int8", "fp8", "bfloat16", "bfloat16_stochastic", "float16",
    "rank_one"), a value of `codecs`, or for some slots only {pattern: codec}, with patterns such as "nu",
    "mu/**/kernel", "scale_by_adam/nu"; the first that matches counts. Values are decoded before and
    encoded after each kernel, in the same compiled kernel, and updates are computed from the exact
    values. Counters, leaves with less than `min_size` numbers, copies of parameters and sums of gradients
    stay as they are, the last two unless a pattern names them. Noise comes from (seed, step, path, slot,
    element) alone.

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.
      min_size: Arrays with fewer numbers than this are left as they are.
      seed: Number that the noise is made from, together with step, path and element.
    """
    ...

def tiger(
    learning_rate: _t.Hyper,
    beta: _t.Decay = 0.965,
    mu_dtype: _t.DType | None = None,
    weight_decay: _t.Hyper = 0.01,
    mask: _t.Selection = None,
    *,
    multiply_by_parameter_scale: bool = False,
) -> Transformation:
    """Tiger: m = beta m + (1 - beta) g;  p = p - lr * (sign(m) + weight_decay * p).

    Lion with one decay, `signum` with decay. multiply_by_parameter_scale: lr times the root mean square of
    the leaf's parameters (1e-3 at least), for matrices in the author's code, with lr / 2 for vectors.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      beta: Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients the weight of the difference.
      mu_dtype: dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.
      weight_decay: Multiple of the parameters that joins the update or gradient, where `mask` says so.
      mask: Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.
      multiply_by_parameter_scale: Make steps relative to the root mean square of the parameters.

    Source: Su 2023, Tiger: a tight-fisted optimizer
    """
    ...

def trac(
    base_optimizer: _t.Link,
    s_init: _t.Hyper = 1e-08,
    eps: _t.Hyper = 1e-08,
    num_betas: int = 6,
) -> Transformation:
    """Scale the sum of an optimizer's updates by a number that is learned, from where training began.

    h = <D, g>;  v = b^2 v + h^2;  sigma = b sigma - h;  then D = D + u(g)
    s = s_init / erfi(1 / sqrt(2)) * sum of erfi(sigma / (sqrt(2 v) + eps));  p = p0 + max(s, 0) D
    b = 0.9, 0.99, ..., num_betas of them; all start at 0, so that the first step is none. s grows from about
    s_init, so that next to nothing moves in the first 20 steps or more; a larger s_init begins earlier. The
    base has the learning rate that it has alone. The bound of s at 0 is the authors' code's, which computes D
    as (p - p0) / (s + eps): that rounds to nothing while s is small.

    Arguments shared with others:
      base_optimizer: The optimizer that is wrapped: gradchain's, or another library's.
      s_init: The scale to start with, far below the one that is looked for.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      num_betas: How many decays, 0.9, 0.99, ..., the scale is the sum of.

    Source: arXiv:2405.16642
    """
    ...

def trace(
    decay: _t.Fraction,
    nesterov: bool = False,
    accumulator_dtype: _t.DType | None = None,
) -> Transformation:
    """Accumulate past updates: momentum as a decaying sum, not an average (that is `ema`).

    v = g + decay v;  u = v
    nesterov: u = g + decay v, the momentum of one step ahead.

    Arguments shared with others:
      decay: How much of an average, or of a sum, outlives a step, from 0 to 1.
      nesterov: Look one step ahead along the momentum.
      accumulator_dtype: dtype in which the accumulated updates are kept; the arithmetic stays float32.

    Source: Polyak 1964; Sutskever et al. 2013
    """
    ...

def unfreeze(
    tx: _t.Link,
    starts: Mapping[str, int],
) -> Transformation:
    """Let leaves begin to train at steps of their own: unfreeze(tx, {"layers/2/**": 1000, "layers/3/**": 0}).

    `starts` is {glob: step}, the first match counts, and leaves that none matches train from the first step.
    Until a leaf begins it stays, its gradient counts in no norm, and its moments are as they started; from
    then on its bias correction counts its own steps. Its gradient is still computed: `freeze` saves that, and
    state, for leaves that never train.

    Arguments shared with others:
      tx: The transformation that is wrapped: gradchain's, or another library's.

    Source: arXiv:1801.06146
    """
    ...

def with_axes(
    inner: _t.Link,
    axes: Mapping[str, str],
) -> Transformation:
    """Say which axes of some leaves are a stack, rows and columns: with_axes(muon(0.02), {"**/qkv": "rbcc"}).

    `axes` maps patterns of paths to one letter for each axis: b (a stack of layers, heads or experts), r
    (rows) or c (columns); several axes of a letter are taken together. Used by everything that is not
    elementwise: factored moments, trust ratios, norms of blocks, matrix methods. Other leaves are read by
    their names, as Flax calls them: kernels, convolutions, attention, embeddings, stacks for scan.
    Raises ValueError for a pattern that no leaf matches, and for letters that do not fit a leaf's rank.

    Arguments shared with others:
      inner: The transformation that is wrapped.
    """
    ...

def yogi(
    learning_rate: _t.Hyper,
    b1: _t.Decay = 0.9,
    b2: _t.Decay = 0.999,
    eps: _t.Hyper = 0.001,
    *,
    initial_accumulator_value: _t.Hyper = 1e-06,
    fill_mu: bool = True,
) -> Transformation:
    """Yogi: p = p - lr * m' / (sqrt(v') + eps), see `scale_by_yogi`.

    Arguments shared with others:
      learning_rate: Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.
      b1: Decay of the mean of gradients that the update is made of, from 0 to 1.
      b2: Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.
      eps: Keeps a division away from zero; it stands where the paper puts it, see the formula.
      initial_accumulator_value: What the sum or mean of squares starts with.
      fill_mu: Start the first moment with initial_accumulator_value too.

    Source: Zaheer et al. 2018, Adaptive Methods for Nonconvex Optimization
    """
    ...

def zero(
    inner: _t.Link,
    axis: str | Sequence[str] = "data",
    *,
    stage: int = 1,
    specs: Mapping[str, Any] | None = None,
    min_size: int = 16384,
) -> Transformation:
    """Split the state and the update of a transformation over data axes: zero(adamw(1e-3), "data").

    Gradients are reduce-scattered, each device updates its part, parameters are gathered. `axis` is a mesh
    axis, several, or "data" for "data0", "data1", ... (`make_mesh`). stage 1 and 2 give parameters back as
    they came; with 2, `microbatch_grad` sums split gradients; with 3 parameters stay split between steps, and
    the model, or `gather_params`, gathers them. Each axis goes to the dimension with most left of it; leaves
    under `min_size` numbers stay whole. On a mesh with automatic axes a trace cannot see specs: `specs` maps
    patterns of paths to those of parameters that are split over other axes. Wrap the whole optimizer.
    Raises ValueError for an axis that the mesh has not, of the parameters or else jax.set_mesh; without one
    nothing is split. Warns (ShardingWarning) of leaves that stay whole.

    Arguments shared with others:
      inner: The transformation that is wrapped.
      axis: Which axes of an array a norm is taken over; of `zero`, which axes of the mesh.
      min_size: Arrays with fewer numbers than this are left as they are.

    Source: arXiv:1910.02054
    """
    ...

def zero_nans(
) -> Transformation:
    """Replace NaN by zero, element by element; the state says in which leaves there was one."""
    ...
