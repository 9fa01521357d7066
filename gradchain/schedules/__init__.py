"""Schedules: values that depend on the step, as frozen dataclasses under Optax's names.

The convention, for all of them: `schedule(0)` is the value of the first update. In general
`schedule(count)` is the value used by the update that has `count` updates before it; a transition of n
steps that starts at 0 reaches its end value at `schedule(n)`, in update number n + 1, and holds it from
there on.

`count` is an integer or an array of integers (elementwise); the value is an array of the default float type,
float32, or float64 under x64. Fractions of a transition are quotients of exact integers, so nothing drifts at
large counts.

Values (rates, factors) may be JAX arrays or tracers, lengths integer ones; the schedule then computes with
them. Numbers are checked when the schedule is built. A line, a power or an exponential of 0 transition steps
stays where it starts, as in Optax; a warmup of 0 steps is left out; below 0 is an error. `SCHEDULES` maps
each name to its class.
"""

from gradchain.schedules.base import SCHEDULES, Schedule
from gradchain.schedules.joined import (
    inverse_sqrt_schedule,
    join_schedules,
    sgdr_schedule,
    warmup_constant_schedule,
    warmup_cosine_decay_schedule,
    warmup_exponential_decay_schedule,
    wsd_schedule,
)
from gradchain.schedules.piecewise import (
    cosine_onecycle_schedule,
    linear_onecycle_schedule,
    piecewise_constant_schedule,
    piecewise_interpolate_schedule,
)
from gradchain.schedules.samples import (
    SamplesState,
    batch_ramp_schedule,
    batch_scaled_schedule,
    by_counted_samples,
    by_samples,
)
from gradchain.schedules.shapes import (
    cyclic_schedule,
    inverse_time_schedule,
    rex_schedule,
    sigmoid_schedule,
)
from gradchain.schedules.single import (
    constant_schedule,
    cosine_decay_schedule,
    exponential_decay,
    linear_schedule,
    polynomial_schedule,
    staircase_schedule,
)
from gradchain.schedules.stateful import StatefulSchedule, WrappedSchedule, WrappedScheduleState

__all__ = [
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
]
