"""The types of Optax by their names: for annotations, isinstance, and pairs of functions of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from jax import Array

from gradchain.core.foreign import is_pair

Params = Any  # a tree of arrays
Updates = Params
OptState = Any
ScalarOrSchedule = float | Array | Callable[[Any], Any]
MaskOrFn = Any  # a tree of booleans, or a function of the parameters that gives one


class EmptyState(NamedTuple):
    """The state of what has none, in Optax's form."""


def init_empty_state(params: Params) -> EmptyState:
    """The init of what keeps no state."""
    del params
    return EmptyState()


class MaskedNode(NamedTuple):
    """What stands in Optax's form of a state for a leaf that a mask leaves out; it has no leaves."""


class TransformInitFn(Protocol):
    """init(params) -> state."""

    def __call__(self, params: Params) -> OptState: ...


class TransformUpdateFn(Protocol):
    """update(updates, state, params) -> (updates, state)."""

    def __call__(
        self, updates: Updates, state: OptState, params: Params | None = None
    ) -> tuple[Updates, OptState]: ...


class TransformUpdateExtraArgsFn(Protocol):
    """update(updates, state, params, **extra) -> (updates, state)."""

    def __call__(
        self, updates: Updates, state: OptState, params: Params | None = None, **extra_args: Any
    ) -> tuple[Updates, OptState]: ...


class ConditionFn(Protocol):
    """should_transform_fn(step, **extra) -> one truth value, for `conditionally_transform`."""

    def __call__(self, step: Array, **extra_args: Any) -> Any: ...


class ShouldSkipUpdateFunction(Protocol):
    """should_skip_update_fn(grads, gradient_step, params) -> (leave it out, what to keep)."""

    def __call__(
        self, updates: Updates, gradient_step: Array, params: Params | None
    ) -> tuple[Array, Any]: ...


class _Pairs(type):
    """isinstance asks for init and update: whatever library made it, and whether it takes extra arguments."""

    def __instancecheck__(cls, found: Any) -> bool:
        named = cls.__module__ == __name__  # of a subclass elsewhere only its own are instances
        return is_pair(found) if named else super().__instancecheck__(found)


class _Pair(NamedTuple):
    init: TransformInitFn
    update: TransformUpdateFn


class GradientTransformation(_Pair, metaclass=_Pairs):
    """A pair of functions (init, update), which `chain` and the wrappers take; every Transform is one."""

    __slots__ = ()


class GradientTransformationExtraArgs(GradientTransformation):
    """One whose update takes extra arguments by name."""

    __slots__ = ()
    update: TransformUpdateExtraArgsFn  # pyright: ignore[reportIncompatibleVariableOverride]  # for checkers


# The classes of Optax's states that no link here declares: gradchain.optax gives states in their form.
class MaskedState(NamedTuple):
    inner_state: Any


class PartitionState(NamedTuple):
    inner_states: Mapping[Any, Any]  # label -> MaskedState


MultiTransformState = PartitionState


class MultiStepsState(NamedTuple):
    mini_step: Array  # [] int32, microbatches since the last step
    gradient_step: Array  # [] int32, steps taken
    inner_opt_state: Any
    acc_grads: Updates  # like params, their mean or sum
    skip_state: Any = ()


class ApplyEvery(NamedTuple):
    count: Array  # [] int32, updates since the last that went through
    grad_acc: Updates  # like params, their sum


class WeightDecaySchedule(NamedTuple):
    count: Array  # [] int32


class ApplyIfFiniteState(NamedTuple):
    notfinite_count: Array  # [] int32, in a row
    last_finite: Array  # [] bool
    total_notfinite: Array  # [] int32
    inner_state: Any


class LookaheadState(NamedTuple):
    fast_state: Any
    steps_since_sync: Array  # [] int32


class ConditionallyMaskState(NamedTuple):
    step: Array  # [] int32
    inner_state: Any


class ConditionallyTransformState(NamedTuple):
    inner_state: Any
    step: Array  # [] int32


class InjectHyperparamsState(NamedTuple):
    count: Array  # [] int32
    hyperparams: dict[str, Array]
    inner_state: Any


class InjectStatefulHyperparamsState(NamedTuple):
    count: Array  # [] int32
    hyperparams: dict[str, Array]
    hyperparams_states: dict[str, Any]
    inner_state: Any


class MonitorState(NamedTuple):
    measurements: dict[str, Any]
    measure_states: Any


class SplitRealAndImaginaryState(NamedTuple):
    inner_state: Any


class ScheduleFreeState(NamedTuple):
    b1: Array  # []
    weight_sum: Array  # []
    step_count: Array  # [] int32
    max_lr: Array  # []
    base_optimizer_state: Any
    z: Params  # like params


class MechanicState(NamedTuple):
    base_optimizer_state: Any
    count: Array  # [] int32
    r: Array  # [num_betas]
    m: Array  # [num_betas]
    v: Array  # [num_betas]
    s: Array  # [num_betas]
    x0: Params  # like params


class SAMState(NamedTuple):
    steps_since_sync: Array  # [] int32
    opt_state: Any
    adv_state: Any
    cache: Params | None  # like params


class SophiaState(NamedTuple):
    count: Array  # [] int32
    mu: Updates  # like params, as is nu
    nu: Updates
    hessian_fn_state: Any


class GaLoreState(NamedTuple):
    count: Array  # [] int32
    base_optimizer_state: Any
    projector: Any  # [m, rank] for each matrix


class MuonState(NamedTuple):
    count: Array  # [] int32
    mu: Updates  # like params
    ns_coeffs: Array


class ScaleByAdanState(NamedTuple):
    m: Updates  # like params, as are v, n and g
    v: Updates
    n: Updates
    g: Updates
    t: Array  # [] int32


class ScaleByAdemamixState(NamedTuple):
    count: Array  # [] int32
    count_m2: Array  # [] int32
    m1: Updates  # like params, as are m2 and nu
    m2: Updates
    nu: Updates


class ScaleBySimplifiedAdEMAMixState(NamedTuple):
    t: Array  # [] int32
    m: Updates  # like params, as is n
    n: Updates


class ScaleByOptimisticGradientState(NamedTuple):
    is_initial_step: Array  # [] bool
    previous_gradient: Updates  # like params


class ScaleBySM3State(NamedTuple):
    mu: Any  # for each leaf a list of arrays, one for each axis
    nu: Updates  # like params


class DifferentiallyPrivateAggregateState(NamedTuple):
    rng_key: Any


ScaleState = ClipState = ClipByGlobalNormState = AddDecayedWeightsState = EmptyState
ScaleByTrustRatioState = NormalizeState = EmptyState

__all__ = [
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
]
