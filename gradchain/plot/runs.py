"""Runs: curves of one, several compared with their seeds, ratios of layers as a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradchain.core import words
from gradchain.core.optional import need
from gradchain.plot.figure import FEW, INK, label, legend, panels, short, sizes, strokes
from gradchain.plot.history import checked_weight, finite, groups, smoothed, table
from gradchain.writers.files import STEP

MOST = 12  # panels that are shown without being asked for
LABELS = 24  # layers whose names are written beside a map


def curves(
    history: Any, names: str | Sequence[str] | None = None, *, smooth: float = 0.0, log: bool | None = None
) -> Any:
    """The numbers of a run over its steps, a panel for each name, as a matplotlib figure.

    `history` is a list of dicts, as gc.scalars makes, a mapping of names to arrays, or the path of a CSV or
    JSON Lines file. `names` are names, beginnings of them or globs, each a panel: ["loss", "opt/*"]; by
    default all, the layers of a metric together. smooth: how much of the average stays at each row, such as
    0.9; the numbers themselves are then paler. log: logarithmic values, which leave out 0; None: for norms
    and ratios alone.
    """
    who = "plot.curves"
    found, weight = table(history, who), checked_weight(smooth, who)
    shown = groups(found, names, who)
    left = len(shown) - MOST if names is None else 0
    shown = dict(list(shown.items())[:MOST]) if names is None else shown
    if not shown:
        raise ValueError(f"{who}: the history has no numbers besides the step")
    across = 1 if len(shown) == 1 else 2
    figure, axes = panels(
        len(shown), across=across, width=6.4 if across == 1 else 9.6, height=3.4 if across == 1 else 2.6
    )
    for (name, members), ax in zip(shown.items(), axes, strict=True):
        logs = _norms(name) and sizes(found[k] for k in members) if log is None else log
        _lines(ax, found, name, members, weight)
        if logs:
            ax.set_yscale("log", nonpositive="mask")
        label(ax, "step", title=name)
        if len(members) > 1:
            ax.margins(y=0.2)  # room for their names
            _names(ax, len(members))
    if left > 0:
        figure.suptitle(f"{MOST} of {MOST + left}: names=[...] chooses others", color=INK, fontsize=9)
    return figure


def _lines(ax: Any, found: Mapping[str, np.ndarray], name: str, members: list[str], weight: float) -> None:
    for member, stroke in zip(members, strokes(len(members)), strict=True):
        steps, values = finite(found[STEP], found[member])
        inner = short(member.removeprefix(f"{name}/"), 36)
        if weight:
            ax.plot(steps, values, **{**stroke, "linestyle": "-"}, alpha=0.3, linewidth=0.8)
            values = smoothed(values, weight)
        marker = "o" if len(steps) == 1 else None  # a line of one point is not seen
        ax.plot(steps, values, **stroke, label=inner, linewidth=1.4, marker=marker)


def _names(ax: Any, n: int) -> None:
    """The names of n lines, or where they are many those of the first and the last."""
    lines, names = ax.get_legend_handles_labels()
    if n > FEW:
        lines, names = [lines[0], lines[-1]], [f"{names[0]} (first)", f"{names[-1]} (last)"]
    size, columns = (7, 2) if 4 < n <= FEW else (8, 1)
    ax.legend(lines, names, frameon=False, labelcolor=INK, fontsize=size, loc="best", ncols=columns)


def _norms(name: str) -> bool:
    return "norm" in name or "ratio" in name


def compare(
    runs: Mapping[str, Any],
    names: str | Sequence[str] | None = None,
    *,
    smooth: float = 0.0,
    log: bool = False,
    spread: str = "range",
) -> Any:
    """Runs against each other, a panel for each name, as a matplotlib figure.

    runs: {"adamw": history, "muon": [history, history, ...]}; of several, one for each seed, the line is
    their mean and the band their range, or with spread="std" one standard deviation (n - 1) to both sides.
    Histories are those of `curves`; steps that one of them lacks are interpolated within it, and a mean
    ends where the first of its histories ends. names: by default those of all runs that are no "opt/...".
    """
    who = "plot.compare"
    if not isinstance(runs, Mapping) or not runs:
        raise TypeError(f"{who}: runs is {words.show(runs)}; expected a mapping of names to histories")
    if spread not in ("range", "std"):
        raise ValueError(f"{who}: spread is {words.show(spread)}; expected 'range' or 'std'")
    weight = checked_weight(smooth, who)
    found = {name: [table(one, who) for one in _seeds(given)] for name, given in runs.items()}
    common = [k for k in next(iter(found.values()))[0] if all(k in t for ts in found.values() for t in ts)]
    own = [k for k in common if not k.startswith("opt/") and k != STEP] or common
    shown = [
        name for members in groups(own if names is None else common, names, who).values() for name in members
    ]
    if not shown:
        raise ValueError(f"{who}: the runs have no name in common besides the step")
    across = 1 if len(shown) == 1 else 2
    figure, axes = panels(
        len(shown), across=across, width=6.4 if across == 1 else 9.6, height=3.4 if across == 1 else 2.8
    )
    for name, ax in zip(shown, axes, strict=True):
        for (run, tables), stroke in zip(found.items(), strokes(len(found)), strict=True):
            steps, values = _aligned([finite(t[STEP], t[name]) for t in tables])
            if weight:
                values = np.array([smoothed(v, weight) for v in values])
            n = len(values)
            ax.plot(steps, values.mean(0), **stroke, label=run if n == 1 else f"{run} ({n} seeds)")
            if n > 1:
                low, high = _band(values, spread)
                ax.fill_between(steps, low, high, color=stroke["color"], alpha=0.22, linewidth=0)
        label(ax, "step", title=name)
        if log:
            ax.set_yscale("log", nonpositive="mask")
    legend(figure, axes[0], len(found))
    return figure


def _seeds(given: Any) -> list[Any]:
    """The histories of a run: several, or one."""
    if isinstance(given, Sequence) and not isinstance(given, str) and given and not _is_row(given[0]):
        return list(given)
    return [given]


def _is_row(x: Any) -> bool:
    """Whether it is the numbers of one step rather than a history."""
    return isinstance(x, Mapping) and all(np.ndim(v) == 0 for v in x.values())


def _aligned(found: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Lines on the steps that all of them reach: [steps], [lines, steps]."""
    steps = np.unique(np.concatenate([s for s, _ in found]))
    first, last = max(s[0] for s, _ in found if len(s)), min(s[-1] for s, _ in found if len(s))
    steps = steps[(steps >= first) & (steps <= last)]
    return steps, np.array([np.interp(steps, s, v) for s, v in found if len(s)])


def _band(values: np.ndarray, spread: str) -> tuple[np.ndarray, np.ndarray]:
    if spread == "range":
        return values.min(0), values.max(0)
    mean, std = values.mean(0), values.std(0, ddof=1)
    return mean - std, mean + std


def update_ratios(history: Any, name: str = "update_ratio") -> Any:
    """A map of the update-to-parameter ratios |u| / |p|: layers down, steps across, as a matplotlib figure.

    `history` is as in `curves`, of a run whose optimizer is gc.monitored(tx, layers=True). Any other metric
    of layers may be given by its name. Colours are logarithmic; where there is no number, or 0, is nothing.
    """
    who = "plot.update_ratios"
    found = table(history, who)
    layers = {k.split(f"{name}/", 1)[1]: k for k in found if f"/{name}/" in f"/{k}"}
    if not layers:
        raise ValueError(
            f"{who}: the history has no {name!r} of any layer; expected scalars of "
            "gc.monitored(tx, layers=True)"
        )
    values = np.array([found[k] for k in layers.values()], np.float64)  # [layers, steps]
    values = np.ma.masked_invalid(np.where(values > 0, values, np.nan))
    colors = need("matplotlib.colors", "plot", "gc.plot")
    n = len(layers)
    figure, (ax,) = panels(width=7.2, height=1.2 + min(5.0, 0.24 * n + 0.6))
    steps = np.asarray(found[STEP], np.float64)
    middles = (steps[1:] + steps[:-1]) / 2
    ends = (steps[:1] - 0.5, steps[-1:] + 0.5) if len(steps) < 2 else (
        steps[:1] - (middles[:1] - steps[:1]), steps[-1:] + (steps[-1:] - middles[-1:])
    )  # fmt: skip
    scale = colors.LogNorm() if values.count() and values.min() < values.max() else None
    mesh = ax.pcolormesh(
        np.concatenate([ends[0], middles, ends[1]]), np.arange(n + 1), values, cmap="cividis", norm=scale
    )
    every = -(-n // LABELS)
    ax.set_yticks(np.arange(0, n, every) + 0.5, [short(k, 34) for k in list(layers)[::every]])
    ax.tick_params(axis="y", labelsize=8)
    ax.invert_yaxis()
    ax.grid(False)
    label(ax, "step")
    bar = figure.colorbar(mesh, ax=ax, pad=0.02)
    bar.ax.tick_params(colors=INK, which="both", labelsize=9)
    bar.outline.set_edgecolor(INK)
    bar.set_label("|update| / |parameters|" if name == "update_ratio" else name, color=INK, fontsize=10)
    return figure
