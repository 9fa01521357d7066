"""Examples of every schedule, each with its formula in plain NumPy, and ways to look inside a schedule."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import gradchain.schedules as gs


class Case(NamedTuple):
    schedule: gs.Schedule
    formula: Callable[[np.ndarray], Any]  # of float64 counts
    last: tuple[int, float] | None = None  # from this count on, exactly this value


def ramp(t, steps, begin=0):
    """The fraction of a transition that is done."""
    return np.clip((t - begin) / steps, 0, 1)


def half_cosine(d):
    return (1 + np.cos(np.pi * d)) / 2


def one_cosine(t, warmup, steps, init, peak, end, exponent):
    down = end + (peak - end) * half_cosine(ramp(t, steps - warmup, warmup)) ** exponent
    return np.where(t < warmup, init + (peak - init) * t / max(warmup, 1), down)


def sigmoid(d):
    return 1 / (1 + np.exp(6 * (d - 0.4)))


def through(points, values, t, shape=lambda d: 1 - d):
    i = np.clip(np.searchsorted(points, t, side="right") - 1, 0, len(points) - 2)
    points, values = np.asarray(points), np.asarray(values)
    w = shape(np.clip((t - points[i]) / (points[i + 1] - points[i]), 0, 1))
    return values[i] * w + values[i + 1] * (1 - w)


def stable(shape):
    return lambda t: np.where(t < 10, 0.4 * t / 10, 0.04 + 0.36 * shape(ramp(t, 20, 25)))


CASES = (
    Case(gs.constant_schedule(0.3), lambda t: 0.3 + 0 * t, (0, 0.3)),
    Case(gs.linear_schedule(0.7, 0.1, 30), lambda t: 0.7 - 0.6 * ramp(t, 30), (30, 0.1)),
    Case(gs.linear_schedule(0.7, 0.0, 50), lambda t: 0.7 * (1 - ramp(t, 50)), (50, 0.0)),
    Case(gs.linear_schedule(0.0, 0.3, 7, 5), lambda t: 0.3 * ramp(t, 7, 5), (12, 0.3)),
    Case(
        gs.polynomial_schedule(0.7, 0.1, 2.5, 30), lambda t: 0.1 + 0.6 * (1 - ramp(t, 30)) ** 2.5, (30, 0.1)
    ),
    Case(
        gs.polynomial_schedule(0.0, 0.9, 3, 9, 4), lambda t: 0.9 * (1 - (1 - ramp(t, 9, 4)) ** 3), (13, 0.9)
    ),
    Case(gs.polynomial_schedule(0.3, 0.1, 1, 9), lambda t: 0.3 - 0.2 * ramp(t, 9), (9, 0.1)),
    Case(gs.exponential_decay(0.5, 10, 0.8, 3), lambda t: 0.5 * 0.8 ** (np.maximum(t - 3, 0) / 10)),
    Case(
        gs.exponential_decay(0.5, 10, 0.8, 3, True, 0.2),
        lambda t: np.maximum(0.5 * 0.8 ** (np.maximum(t - 3, 0) // 10), 0.2),
        (53, 0.2),
    ),
    Case(
        gs.exponential_decay(0.1, 4, 1.5, 0, False, 0.7),
        lambda t: np.minimum(0.1 * 1.5 ** (np.minimum(t, 99) / 4), 0.7),
        (20, 0.7),
    ),
    Case(gs.cosine_decay_schedule(0.3, 40), lambda t: 0.3 * half_cosine(ramp(t, 40)), (40, 0.0)),
    Case(
        gs.cosine_decay_schedule(0.3, 40, 0.125, 1.5),
        lambda t: 0.3 * (0.125 + 0.875 * half_cosine(ramp(t, 40)) ** 1.5),
        (40, 0.3 * 0.125),
    ),
    Case(
        gs.staircase_schedule(32, 16, 8, 4, 128),
        lambda t: np.minimum(32 + 16 * (np.maximum(t - 4, 0) // 8), 128),
        (52, 128),
    ),
    Case(
        gs.staircase_schedule(0.9, -0.1, 5, end_value=0.25),
        lambda t: np.maximum(0.9 - 0.1 * (t // 5), 0.25),
        (35, 0.25),
    ),
    Case(gs.staircase_schedule(1, 1), lambda t: 1 + t),
    Case(
        gs.join_schedules([gs.linear_schedule(0.1, 0.5, 10), gs.cosine_decay_schedule(0.4, 20)], [10]),
        lambda t: np.where(t < 10, 0.1 + 0.04 * t, 0.4 * half_cosine(ramp(t, 20, 10))),
        (30, 0.0),
    ),
    Case(gs.warmup_constant_schedule(0.1, 0.6, 12), lambda t: 0.1 + 0.5 * ramp(t, 12), (12, 0.6)),
    Case(gs.warmup_constant_schedule(0.1, 0.6, 0), lambda t: 0.6 + 0 * t, (0, 0.6)),
    Case(
        gs.warmup_cosine_decay_schedule(0.1, 0.6, 12, 50, 0.05, 1.3),
        lambda t: one_cosine(t, 12, 50, 0.1, 0.6, 0.05, 1.3),
        (50, 0.05),
    ),
    Case(
        gs.warmup_cosine_decay_schedule(0.1, 0.6, 0, 50), lambda t: 0.6 * half_cosine(ramp(t, 50)), (50, 0.0)
    ),
    Case(
        gs.warmup_exponential_decay_schedule(0.1, 0.6, 12, 7, 0.7, 3, True, 0.15),
        lambda t: np.where(
            t < 12, 0.1 + 0.5 * t / 12, np.maximum(0.6 * 0.7 ** (np.maximum(t - 15, 0) // 7), 0.15)
        ),
        (43, 0.15),
    ),
    Case(gs.wsd_schedule(0.0, 0.4, 10, 15, 20, 0.04), stable(lambda d: 1 - np.sqrt(d)), (45, 0.04)),
    Case(gs.wsd_schedule(0.4, 0.4, 0, 0, 50), lambda t: 0.4 * (1 - np.sqrt(ramp(t, 50))), (50, 0.0)),
    Case(gs.wsd_schedule(0.0, 0.4, 10, 15, 20, 0.04, "linear"), stable(lambda d: 1 - d), (45, 0.04)),
    Case(gs.wsd_schedule(0.0, 0.4, 10, 15, 20, 0.04, "cosine"), stable(half_cosine), (45, 0.04)),
    Case(
        gs.inverse_sqrt_schedule(0.05, 0.4, 16),
        lambda t: np.where(t < 16, 0.05 + 0.35 * t / 16, 0.4 * np.sqrt(16 / np.maximum(t, 16))),
    ),
    Case(gs.inverse_sqrt_schedule(0.05, 0.4, 0, 30), lambda t: 0.4 * np.sqrt(30 / (30 + t))),
    Case(
        gs.sgdr_schedule(
            [
                {"init_value": 0.0, "peak_value": 0.4, "warmup_steps": 5, "decay_steps": 20},
                {
                    "init_value": 0.1,
                    "peak_value": 0.3,
                    "warmup_steps": 4,
                    "decay_steps": 30,
                    "end_value": 0.02,
                },
            ]
        ),
        lambda t: np.where(
            t < 20, one_cosine(t, 5, 20, 0.0, 0.4, 0.0, 1), one_cosine(t - 20, 4, 30, 0.1, 0.3, 0.02, 1)
        ),
        (50, 0.02),
    ),
    Case(
        gs.piecewise_constant_schedule(0.8, {30: 0.25, 10: 0.5}),
        lambda t: np.select([t < 10, t < 30], [0.8, 0.4], 0.1),
        (30, 0.1),
    ),
    Case(gs.piecewise_constant_schedule(0.8), lambda t: 0.8 + 0 * t, (0, 0.8)),
    Case(
        gs.piecewise_interpolate_schedule("linear", 0.8, {30: 0.25, 10: 0.5}),
        lambda t: np.interp(t, [0, 10, 30], [0.8, 0.4, 0.1]),
        (30, 0.1),
    ),
    Case(
        gs.piecewise_interpolate_schedule("cosine", 0.8, ((10, 0.5), (30, 0.25))),
        lambda t: through([0, 10, 30], [0.8, 0.4, 0.1], t, half_cosine),
        (30, 0.1),
    ),
    Case(
        gs.linear_onecycle_schedule(50, 0.8, 0.33, 0.71, 4.0, 20.0),
        lambda t: through([0, 16, 35, 50], [0.2, 0.8, 0.2, 0.01], t),
        (50, 0.2 / 20),
    ),
    Case(
        gs.cosine_onecycle_schedule(50, 0.8, 0.33, 4.0, 20.0),
        lambda t: through([0, 16, 50], [0.2, 0.8, 0.01], t, half_cosine),
        (50, 0.2 / 20),
    ),
    Case(gs.inverse_time_schedule(0.5, 10, 0.8, 3), lambda t: 0.5 / (1 + 0.8 * np.maximum(t - 3, 0) / 10)),
    Case(
        gs.inverse_time_schedule(0.5, 10, 0.8, 3, True),
        lambda t: 0.5 / (1 + 0.8 * (np.maximum(t - 3, 0) // 10)),
    ),
    Case(
        gs.rex_schedule(0.7, 30, 0.1),
        lambda t: 0.1 + 0.6 * (1 - ramp(t, 30)) / (0.5 + (1 - ramp(t, 30)) / 2),
        (30, 0.1),
    ),
    Case(gs.cyclic_schedule(0.1, 0.7, 6, 9), lambda t: 0.1 + 0.6 * np.interp(t % 15, [0, 6, 15], [0, 1, 0])),
    Case(
        gs.cyclic_schedule(0.1, 0.7, 6, shrink=0.5, gamma=0.99),
        lambda t: 0.1 + 0.6 * np.interp(t % 12, [0, 6, 12], [0, 1, 0]) * 0.5 ** (t // 12) * 0.99**t,
    ),
    Case(
        gs.sigmoid_schedule(0.7, 0.1, 30, 4, 6.0, 0.4),
        lambda t: 0.1 + 0.6 * (sigmoid(ramp(t, 30, 4)) - sigmoid(1)) / (sigmoid(0) - sigmoid(1)),
        (34, 0.1),
    ),
    Case(
        gs.by_samples(gs.linear_schedule(0.7, 0.1, 30), 5, 3),
        lambda t: 0.7 - 0.6 * ramp(t * 5 // 3, 30),
        (18, 0.1),
    ),
    Case(
        gs.batch_ramp_schedule(8, 32, 40, 4),
        lambda t: (8 + 24 * np.minimum(t, 40) // 40) // 4 * 4,
        (40, 32),
    ),
    Case(
        gs.batch_scaled_schedule(gs.linear_schedule(0.7, 0.1, 30), gs.batch_ramp_schedule(4, 32, 40), 32.0),
        lambda t: (0.7 - 0.6 * ramp(t, 30)) * np.sqrt((4 + 28 * np.minimum(t, 40) // 40) / 32),
        (40, 0.1),
    ),
    Case(
        gs.batch_scaled_schedule(
            gs.constant_schedule(0.3), gs.batch_ramp_schedule(4, 32, 40), 16.0, "linear"
        ),
        lambda t: 0.3 * (4 + 28 * np.minimum(t, 40) // 40) / 16,
        (40, 0.6),
    ),
)
IDS = [f"{i}-{type(case.schedule).__name__}" for i, case in enumerate(CASES)]


def numbers(part: Any, path: tuple = ()) -> Iterator[tuple[tuple, float]]:
    """(path, value) of every number inside a schedule."""
    if dataclasses.is_dataclass(part):
        for field in dataclasses.fields(part):
            yield from numbers(getattr(part, field.name), (*path, field.name))
    elif isinstance(part, tuple):
        for i, item in enumerate(part):
            yield from numbers(item, (*path, i))
    elif isinstance(part, int | float) and not isinstance(part, bool):
        yield path, part


def put(part: Any, path: tuple, value: Any) -> Any:
    """The schedule with another value at a path."""
    if not path:
        return value
    name, *rest = path
    if isinstance(part, tuple):
        return (*part[:name], put(part[name], tuple(rest), value), *part[name + 1 :])
    return dataclasses.replace(part, **{name: put(getattr(part, name), tuple(rest), value)})


def stretched(schedule: gs.Schedule, factor: int) -> Any:
    """The same schedule with every length multiplied."""

    def stretch(part):
        if dataclasses.is_dataclass(part) and not isinstance(part, type):
            return dataclasses.replace(
                part, **{f.name: stretch(getattr(part, f.name)) for f in dataclasses.fields(part)}
            )
        if isinstance(part, tuple):
            return tuple(map(stretch, part))
        return part * factor if isinstance(part, int) and not isinstance(part, bool) else part

    return stretch(schedule)


def build(config: Any) -> Any:
    """A schedule from its configuration: {name: arguments}, at any depth."""
    if isinstance(config, list):
        return [build(item) for item in config]
    if isinstance(config, dict) and len(config) == 1 and (name := next(iter(config))) in gs.SCHEDULES:
        return gs.SCHEDULES[name](**{key: build(value) for key, value in config[name].items()})
    return config
