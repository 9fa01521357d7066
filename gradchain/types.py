"""The types of Optax by their names: for annotations, isinstance, and pairs of functions of one's own."""

from __future__ import annotations

from collections.abc import Callable
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
        return is_pair(found)


class _Pair(NamedTuple):
    init: TransformInitFn
    update: TransformUpdateFn


class GradientTransformation(_Pair, metaclass=_Pairs):
    """A pair of functions (init, update), which `chain` and the wrappers take; every Transform is one."""

    __slots__ = ()


class GradientTransformationExtraArgs(GradientTransformation):
    """One whose update takes extra arguments by name."""

    __slots__ = ()
