"""Runs: curves of one, several compared with their seeds, ratios of layers as a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradchain.core import words
from gradchain.core.optional import need
from gradchain.plot.figure import (
    COLORS,
    FEW,
    INK,
    label,
    legend,
    logarithmic,
    panels,
    plain_ticks,
    rows_of,
    short,
    sizes,
    strokes,
)
from gradchain.plot.history import across, checked_weight, finite, groups, smoothed, table, there
from gradchain.writers.files import STEP

MOST = 12  # panels that are shown without being asked for
LABELS = 24  # layers whose names are written beside a map
SPARSE = 4  # what only every fourth row has, or fewer: evaluations, which are drawn as points
Names = str | Sequence[str] | Mapping[str, str | Sequence[str]] | None
Logs = bool | str | Sequence[str] | None


def curves(
    history: Any,
    names: Names = None,
    *,
    x: str = STEP,
    smooth: float | Mapping[str, float] = 0.0,
    log: Logs = None,
    title: str = "",
    ax: Any = None,
) -> Any:
    """The numbers of a run over its steps, a panel for each name, as a matplotlib figure.

    `history` is a list of dicts, as gc.scalars makes, a mapping of names to arrays, or the path of a CSV or
    JSON Lines file. `names` are names, beginnings of them or globs, each a panel: ["loss", "opt/*"], or with
    a title for those of one panel: {"loss, nats": ["loss", "validation_loss"]}; by default all, the layers of
    a metric together. x: the column to go along, such as "seconds". smooth: how much of the average stays at
    each row, such as 0.9, or {name of a panel: 0.9}; the numbers themselves are then paler, and what few rows
    have stays as it is. log: logarithmic values, which leave out 0, in all panels, in none or in those of
    these names; None: for norms and ratios alone. ax: axes to draw the one panel in.
    """
    who = "plot.curves"
    found = table(history, who)
    shown, along = groups(found, names, who, x), across(found, x, who)
    left = len(shown) - MOST if names is None else 0
    shown = dict(list(shown.items())[:MOST]) if names is None else shown
    if not shown:
        raise ValueError(f"{who}: the history has no numbers besides the step")
    figure, axes = rows_of([*shown], ax, who)
    for (name, members), panel in zip(shown.items(), axes, strict=True):
        weight = checked_weight(smooth, name, who)
        norms = _norms(name) and sizes(found[k] for k in members)
        _lines(panel, found, along, name, members, weight)
        if logarithmic(log, name, norms):
            panel.set_yscale("log", nonpositive="mask")
            plain_ticks(panel)
        label(panel, x, title=name)
        panel.xaxis.get_major_locator().set_params(integer=True)
        if len(members) > 1:
            panel.margins(y=0.2)  # room for their names
            _names(panel, len(members))
    if left > 0 or title:
        more = f"{MOST} of {MOST + left}: names=[...] chooses others" if left > 0 else ""
        figure.suptitle("\n".join(filter(None, [title, more])), color=INK, fontsize=9, x=0.01, ha="left")
    return figure


def _lines(
    ax: Any, found: Mapping[str, np.ndarray], along: np.ndarray, name: str, members: list[str], weight: float
) -> None:
    for member, stroke in zip(members, strokes(len(members)), strict=True):
        steps, values = finite(along, found[member])
        inner = short(member.removeprefix(f"{name}/"), 36)
        few = len(steps) <= len(along) / SPARSE  # as of evaluations
        if weight and not few:
            ax.plot(steps, values, **{**stroke, "linestyle": "-"}, alpha=0.3, linewidth=0.8)
            values = smoothed(values, weight)
        marker = "o" if len(steps) == 1 or few else None  # a line of one point is not seen
        ax.plot(steps, values, **stroke, label=inner, linewidth=1.4, marker=marker, markersize=4)


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
    names: Names = None,
    *,
    x: str = STEP,
    smooth: float | Mapping[str, float] = 0.0,
    log: Logs = False,
    spread: str = "range",
    ax: Any = None,
) -> Any:
    """Runs against each other, a panel for each name, as a matplotlib figure.

    runs: {"adamw": history, "muon": [history, history, ...]}; of several, one for each seed, the line is
    their mean and the band their range, or with spread="std" one standard deviation (n - 1) to both sides.
    Histories are those of `curves`, as are x, smooth, log and ax; steps that one of them lacks are
    interpolated within it, and a mean ends where the first of its histories ends. names: by default those of
    all runs that are no "opt/...".
    """
    who = "plot.compare"
    found = _tables(runs, who)
    if spread not in ("range", "std"):
        raise ValueError(f"{who}: spread is {words.show(spread)}; expected 'range' or 'std'")
    common = _common(found)
    own = [k for k in common if not k.startswith("opt/") and k not in (STEP, x)] or common
    shown = [
        name
        for members in groups(own if names is None else common, names, who, x).values()
        for name in members
    ]
    if not shown:
        raise ValueError(f"{who}: the runs have no name in common besides the step")
    figure, axes = rows_of(shown, ax, who, height=2.8)
    for name, panel in zip(shown, axes, strict=True):
        weight = checked_weight(smooth, name, who)
        for (run, tables), stroke in zip(found.items(), strokes(len(found)), strict=True):
            lines = [finite(across(t, x, who), t[name]) for t in tables]
            if not any(len(s) for s, _ in lines):
                panel.plot([], [], **stroke, label=f"{run} (diverged)")
                continue
            steps, values = _aligned(lines)
            if weight:
                values = np.array([smoothed(v, weight) for v in values])
            n = len(values)
            panel.plot(steps, values.mean(0), **stroke, label=run if n == 1 else f"{run} ({n} seeds)")
            if n > 1:
                low, high = _band(values, spread)
                panel.fill_between(steps, low, high, color=stroke["color"], alpha=0.22, linewidth=0)
        label(panel, x, title=name)
        panel.xaxis.get_major_locator().set_params(integer=True)
        if logarithmic(log, name):
            panel.set_yscale("log", nonpositive="mask")
            plain_ticks(panel)
    legend(figure, axes[0], len(found), within=ax is not None)
    return figure


def _tables(runs: Any, who: str) -> dict[str, list[dict[str, np.ndarray]]]:
    """The histories of each run as columns."""
    if not isinstance(runs, Mapping) or not runs:
        raise TypeError(f"{who}: runs is {words.show(runs)}; expected a mapping of names to histories")
    return {name: [table(one, who) for one in _seeds(given)] for name, given in runs.items()}


def _common(found: Mapping[str, list[dict[str, np.ndarray]]]) -> list[str]:
    """The names that all histories have."""
    return [k for k in next(iter(found.values()))[0] if all(k in t for ts in found.values() for t in ts)]


def ranking(
    runs: Mapping[str, Any],
    name: str = "loss",
    *,
    reference: str | None = None,
    highest: bool = False,
    log: bool = False,
    ax: Any = None,
) -> Any:
    """How runs end: the last value of each, the best above, as a matplotlib figure.

    Of several seeds the dot is the median and the line reaches from the least to the largest. runs and ax are
    as in `compare`. The reference, a run, has another colour, and a line at its median. Runs of which a seed
    does not end with a finite number have diverged and are named last.
    """
    who = "plot.ranking"
    found = _tables(runs, who)
    if name not in (common := _common(found)):
        raise ValueError(f"{who}: not all runs have {words.show(name)}; {there(name, common)}")
    if reference is not None and reference not in found:
        raise ValueError(f"{who}: there is no run {words.show(reference)}; {there(reference, found)}")
    ends = {run: np.array([t[name][-1] for t in tables]) for run, tables in found.items()}
    sign = -1 if highest else 1
    alive = {run: bool(np.isfinite(x).all()) for run, x in ends.items()}
    order = sorted(ends, key=lambda run: (not alive[run], sign * np.median(ends[run]) if alive[run] else 0))
    figure, (panel,) = panels(height=0.9 + 0.2 * len(order)) if ax is None else (ax.figure, [ax])
    if reference and alive[reference]:
        panel.axvline(np.median(ends[reference]), color=COLORS[1], linewidth=0.8, linestyle=":")
    for i, run in enumerate(order):
        color = COLORS[1 if run == reference else 0]
        if alive[run]:
            panel.plot([ends[run].min(), ends[run].max()], [i, i], color=color, linewidth=1.2)
            panel.plot([np.median(ends[run])], [i], "o", color=color, markersize=4)
        else:
            at = {"transform": panel.get_yaxis_transform(), "va": "center", "fontsize": 8}
            panel.text(0.01, i, "diverged", color=INK, **at)
    panel.set_yticks(range(len(order)), [short(run, 30) for run in order])
    panel.tick_params(axis="y", labelsize=8 if len(order) <= 30 else 7)
    panel.set_ylim(len(order) - 0.4, -0.6)
    panel.set_xscale("log" if log else "linear")
    plain_ticks(panel)
    label(panel, f"{name}, at the end")
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
