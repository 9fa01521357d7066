"""Schedules that keep a state of their own, for `inject_hyperparams`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax.numpy as jnp
from jax import Array

from gradchain.math.numerics import increment


@runtime_checkable
class StatefulSchedule(Protocol):
    """A value that depends on more than the step: on the loss, say. Any class with these three methods.

    In each update the value is schedule(state, **extra), `extra` being the extra arguments of the update, and
    the next state schedule.update(state, **extra). `inject_hyperparams` keeps the state.
    """

    def init(self) -> Any:
        """The state to start with."""
        ...

    def update(self, state: Any, **extra: Any) -> Any:
        """The state of the next update."""
        ...

    def __call__(self, state: Any, **extra: Any) -> Any:
        """The value in this update."""
        ...


class WrappedScheduleState(NamedTuple):
    count: Array  # [] int32, updates so far


@dataclasses.dataclass(frozen=True)
class WrappedSchedule:
    """A function of the step as a StatefulSchedule that counts by itself."""

    schedule_fn: Callable[[Array], Any]

    def init(self) -> WrappedScheduleState:
        """Step 0."""
        return WrappedScheduleState(jnp.zeros((), jnp.int32))

    def update(self, state: WrappedScheduleState, **extra: Any) -> WrappedScheduleState:
        """The next step."""
        return WrappedScheduleState(increment(state.count))

    def __call__(self, state: WrappedScheduleState, **extra: Any) -> Any:
        """The value at the step that the state has counted."""
        return self.schedule_fn(state.count)
