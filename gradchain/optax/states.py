"""The classes of Optax's form that no link declares: they hold the states of what is wrapped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from jax import Array

PyTree = Any


class MaskedState(NamedTuple):
    inner_state: Any


class PartitionState(NamedTuple):
    inner_states: Mapping[Any, Any]  # label -> MaskedState


MultiTransformState = PartitionState


class MultiStepsState(NamedTuple):
    mini_step: Array  # [] int32, microbatches since the last step
    gradient_step: Array  # [] int32, steps taken
    inner_opt_state: Any
    acc_grads: PyTree  # like params
    skip_state: Any = ()


class ApplyIfFiniteState(NamedTuple):
    notfinite_count: Array  # [] int32, in a row
    last_finite: Array  # [] bool
    total_notfinite: Array  # [] int32
    inner_state: Any
