"""Schedules and hyperparameters over the steps of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.core import hyper, words
from gradchain.plot.figure import label, legend, panels, strokes

MOST = 2000  # points of a line
UNKNOWN = 1000  # steps, where a schedule does not say


def schedules(named: Any, /, steps: int | None = None, *, log: bool = False, title: str = "") -> Any:
    """One line for each of several schedules, {"cosine": schedule, ...}, as a matplotlib figure.

    Schedules are those of this library or any functions of the step; numbers are constants. `steps` is how
    many to show: by default as many as the longest says of itself, and a twentieth more. log: a logarithmic
    axis of values, where 0 is left out.
    """
    lines = named if isinstance(named, Mapping) else {_name(named): named}
    for name, schedule in lines.items():
        if not callable(schedule) and not hyper.is_array(schedule) and not isinstance(schedule, int | float):
            raise TypeError(
                f"plot.schedules: {name!r} is {words.show(schedule)}; expected a schedule, a function of the "
                "step or a number"
            )
    counts = _counts(lines.values(), steps)
    figure, (ax,) = panels()
    for (name, schedule), stroke in zip(lines.items(), strokes(len(lines)), strict=True):
        values = _values(name, schedule, counts)
        ax.plot(counts, values, label=name, **stroke)
    label(ax, "step", "value", title or (next(iter(lines)) if len(lines) == 1 else ""))
    _scale(ax, log)
    if len(lines) > 1:
        legend(figure, ax, len(lines))
    return figure


def over_steps(lines: Mapping[str, Any], steps: int | None, log: bool) -> Any:
    """A panel for each hyperparameter, one below the other."""
    counts = _counts(lines.values(), steps)
    figure, axes = panels(len(lines), height=1.9 if len(lines) > 1 else 3.4, sharex=True)
    for (name, schedule), ax in zip(lines.items(), axes, strict=True):
        values = _values(name, schedule, counts)
        ax.plot(counts, values, **strokes(1)[0])
        label(ax, title=name)
        _scale(ax, log)
    label(axes[-1], "step", title=list(lines)[-1])
    return figure


def length(schedule: Any) -> int | None:
    """After how many steps a schedule has said all: None where it does not say."""
    if not dataclasses.is_dataclass(schedule) or isinstance(schedule, type):
        return None
    found = {f.name: getattr(schedule, f.name) for f in dataclasses.fields(schedule)}
    sizes = {k: int(v) for k, v in found.items() if k.endswith("_steps") and _known(v)}
    begin = int(found["transition_begin"]) if _known(found.get("transition_begin")) else 0
    parts = [length(x) for x in found.get("schedules", found.get("cosine_kwargs", ()))]
    inner = [n for key in ("schedule", "batch") if (n := length(found.get(key))) is not None]
    if "boundaries" in found:  # a schedule after another
        return int(found["boundaries"][-1] if found["boundaries"] else 0) + (parts[-1] or UNKNOWN)
    if parts:  # cycles
        return sum(n or UNKNOWN for n in parts)
    if found.get("boundaries_and_scales"):
        return round(1.25 * int(found["boundaries_and_scales"][-1][0]))
    if "decay_steps" in sizes:  # warmup included
        return sizes["decay_steps"]
    if inner:
        return max(inner)
    if not sizes:
        return None
    # What multiplies or adds every `transition_steps` goes on for ever; so do cycles and inverse roots.
    again = {"decay_rate": 5, "increment": 5, "up_steps": 4, "timescale": 10}
    times = next((n for key, n in again.items() if key in found), 1)
    return begin + times * max(sum(sizes.values()), 1)


def _known(value: Any) -> bool:
    return hyper.is_array(value) or isinstance(value, int)


def _name(schedule: Any) -> str:
    named = schedule if hasattr(schedule, "__qualname__") else type(schedule)
    return named.__name__ if callable(schedule) else "value"


def _counts(found: Any, steps: int | None) -> np.ndarray:
    """The steps to show: each, or MOST of them."""
    if steps is None:
        known = [n for schedule in found if (n := length(schedule)) is not None]
        steps = round(1.05 * max(known)) if known else UNKNOWN
    if not isinstance(steps, int) or isinstance(steps, bool) or not 0 < steps < 2**31:
        raise ValueError(f"plot.schedules: steps is {words.show(steps)}; expected a whole number above 0")
    return np.unique(np.linspace(0, steps, min(steps + 1, MOST)).astype(np.int32))


def _values(name: str, schedule: Any, counts: np.ndarray) -> np.ndarray:
    """The value at each count, one number each."""
    at: Any = schedule if callable(schedule) else lambda count: jnp.asarray(schedule)
    try:
        values = np.asarray(jax.vmap(at)(jnp.asarray(counts)), np.float64)
    except (jax.errors.ConcretizationTypeError, TypeError):  # it asks for the value of the step
        values = np.array([float(at(int(t))) for t in counts])
    if values.shape != counts.shape:
        raise ValueError(
            f"plot.schedules: {name!r} has values of shape {values.shape[1:]}; expected one number a step"
        )
    return values


def _scale(ax: Any, log: bool) -> None:
    ax.margins(x=0.01)
    if log:
        ax.set_yscale("log", nonpositive="mask")
        return
    ax.ticklabel_format(axis="y", scilimits=(-3, 4), useMathText=True)
    ax.yaxis.get_offset_text().set(color="#7f7f7f", fontsize=9)
