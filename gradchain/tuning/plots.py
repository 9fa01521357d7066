"""Figures of sweeps and of learning rate tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gradchain.core import words
from gradchain.core.optional import need
from gradchain.plot.figure import COLORS, FEW, INK, label, legend, panels, plain_ticks, strokes
from gradchain.plot.runs import ranking

if TYPE_CHECKING:
    from gradchain.tuning.find_lr import RateTest
    from gradchain.tuning.result import Sweep

DECADE = 10.0


def swept(result: Sweep, x: str | None, y: str | None, path: str | Path | None) -> Any:
    """A line over one hyperparameter, a map of colours over two; of choices alone a row for each."""
    names = _axes(result, x, y)
    if not names:
        return _saved(_rows(result), path)
    figure, (axes,) = panels(height=4.2)
    (_lines if len(names) == 1 else _map)(result, axes, *names)
    return _saved(figure, path)


def _axes(result: Sweep, x: str | None, y: str | None) -> list[str]:
    """What the figure goes along: names of numbers; none where choices alone were varied."""
    numbers = [axis.name for axis in result.grid.axes if not axis.choice]
    given = [name for name in (x, y) if name is not None]
    for name in given:
        if name in result.grid.names and name not in numbers:
            raise ValueError(
                f"Sweep.plot: {words.show(name)} is no number; leave it out: it has a line for each"
            )
        if name not in numbers:
            hint = words.meant(name, numbers)
            raise ValueError(f"Sweep.plot: no hyperparameter {words.show(name)}; {hint}")
    if given:
        return given
    varied = [axis.name for axis in result.grid.axes if len(axis.values) > 1 and not axis.choice]
    varied = varied or ([] if len(result.grid.programs()) > 1 else numbers[:1])
    if len(varied) > 2:
        raise ValueError(
            f"Sweep.plot: {len(varied)} hyperparameters were varied; choose one or two: "
            f"plot({words.show(varied[0])}, {words.show(varied[1])}); the others are at their best"
        )
    return varied[:1] if result.grid.paired or len(result.grid.programs()) > 1 else varied


def _chosen(result: Sweep, point: int) -> str:
    """The choices of a point in words."""
    pairs = zip(result.grid.axes, result.grid.points[point], strict=True)
    return ", ".join(
        v if isinstance(v, str) else f"{axis.name} {v}"
        for axis, v in pairs
        if axis.choice and len(axis.values) > 1
    )


def _rows(result: Sweep) -> Any:
    """A row for each choice, the best above."""
    values = result.values[result.metric]
    names = [_chosen(result, i) for i in range(len(values))]
    runs = {name: [{result.metric: [x]} for x in row] for name, row in zip(names, values, strict=True)}
    return ranking(runs, result.metric, highest=result.highest)


def _lines(result: Sweep, axes: Any, name: str) -> None:
    """The metric over a hyperparameter, a line for each combination of choices."""
    k, scores, parts = result.grid.names.index(name), result.scores, result.grid.programs()
    at = np.asarray([float(point[k]) for point in result.grid.points])
    alive = np.isfinite(scores)
    label(axes, name, _metric(result))
    if _logarithmic(at):
        axes.set_xscale("log")
    values = result.values[result.metric]
    for points, stroke in zip(parts, strokes(len(parts)), strict=True):
        kept = _best_of(result, [at], points)
        several = values.shape[1] > 1
        if several and len(kept):
            axes.fill_between(
                at[kept], values[kept].min(1), values[kept].max(1), color=stroke["color"], alpha=0.2,
                linewidth=0, label=f"{values.shape[1]} seeds" if len(parts) == 1 else None,
            )  # fmt: skip
        text = _chosen(result, points[0]) if len(parts) > 1 else "mean" if several else None
        style = "" if result.grid.paired else stroke["linestyle"] if len(parts) <= FEW else "-"
        axes.plot(
            at[kept],
            scores[kept],
            marker="o",
            markersize=4,
            color=stroke["color"],
            linestyle=style,
            label=text,
        )
    if alive.any():
        best, kept = result.best_index, scores[alive]
        axes.plot(at[best], scores[best], "o", markersize=11, fillstyle="none", color=COLORS[1],
                  label=f"best: {at[best]:.4g}")  # fmt: skip
        if _logarithmic(kept):
            axes.set_yscale("log")
    gone = np.asarray(sorted(set(at[~alive]) - set(at[alive])))
    if gone.size:
        axes.plot(gone, np.full(gone.shape, 0.96), "x", color=COLORS[3], transform=axes.get_xaxis_transform(),
                  label="diverged")  # fmt: skip
    plain_ticks(axes)
    legend(axes.figure, axes, len(parts) + 2)


def _best_of(result: Sweep, keys: Sequence[np.ndarray], points: Sequence[int] | None = None) -> np.ndarray:
    """The point of the best score among those with equal keys, in order of the first key."""
    found: dict[tuple[float, ...], int] = {}
    sign = -1 if result.highest else 1
    for i in range(len(result.scores)) if points is None else points:
        if not np.isfinite(result.scores[i]):
            continue
        key = tuple(float(k[i]) for k in keys)
        if key not in found or sign * result.scores[i] < sign * result.scores[found[key]]:
            found[key] = int(i)
    return np.asarray([found[key] for key in sorted(found)], int)


def _map(result: Sweep, axes: Any, x: str, y: str) -> None:
    matplotlib = need("matplotlib", "plot", "Sweep.plot")
    at: list[Any] = [
        np.asarray([float(p[result.grid.names.index(name)]) for p in result.grid.points]) for name in (x, y)
    ]
    xs, ys = (sorted(set(values)) for values in at)
    table = np.full((len(ys), len(xs)), np.nan)
    for i in _best_of(result, at):
        table[ys.index(at[1][i]), xs.index(at[0][i])] = result.scores[i]
    known = table[np.isfinite(table)]
    wide = known.size and (known > 0).all() and _logarithmic(known)
    norm = matplotlib.colors.LogNorm() if wide else None
    colors = matplotlib.colormaps["viridis" if result.highest else "viridis_r"]
    shown = axes.imshow(np.ma.masked_invalid(table), cmap=colors, norm=norm, origin="lower", aspect="auto")
    axes.set_xticks(range(len(xs)), [f"{v:.3g}" for v in xs], rotation=45 if len(xs) > 6 else 0)
    axes.set_yticks(range(len(ys)), [f"{v:.3g}" for v in ys])
    label(axes, x, y)
    axes.grid(visible=False)
    bar = axes.figure.colorbar(shown, ax=axes)
    bar.set_label(_metric(result), color=INK)
    bar.ax.tick_params(colors=INK, which="both")
    for row, column in np.ndindex(table.shape):
        value = table[row, column]
        text = f"{value:.3g}" if math.isfinite(value) else "diverged"
        color = INK
        if math.isfinite(value):
            red, green, blue, _ = colors(shown.norm(value))
            color = "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
    if known.size:
        best = result.best_index
        where = (xs.index(at[0][best]) - 0.5, ys.index(at[1][best]) - 0.5)
        axes.add_patch(
            matplotlib.patches.Rectangle(where, 1, 1, fill=False, edgecolor=COLORS[3], linewidth=2.5)
        )
        axes.set_title(
            "best: " + ", ".join(f"{k} {v:.4g}" for k, v in result.best.items()), fontsize=10, color=INK
        )


def tested(result: RateTest, path: str | Path | None) -> Any:
    """The loss of each rate, and the rate that is suggested."""
    figure, (axes,) = panels(height=4.2)
    rates, scores = np.asarray(result.rates), np.asarray(result.losses)
    alive = np.isfinite(scores)
    top = result.start
    axes.set_xscale("log")
    label(axes, result.label, result.unit)
    style = "-" if result.method == "rising" else "-o"
    shown = alive & (scores <= 4 * abs(top) + 1e-30)
    axes.plot(rates[shown], scores[shown], style, color=COLORS[0], markersize=4, label="loss")
    axes.axhline(top, color=INK, linewidth=1, linestyle=":", label="loss at the start")
    gone = rates[~shown]
    if gone.size and result.method != "rising":
        axes.plot(gone, np.full(gone.shape, 0.96), "x", color=COLORS[3], transform=axes.get_xaxis_transform(),
                  label="diverged")  # fmt: skip
    if result.found:
        axes.axvline(
            result.suggestion, color=COLORS[1], linewidth=1.2, label=f"suggestion: {result.suggestion:.2g}"
        )
    kept = scores[shown]
    if kept.size and (kept > 0).all() and top > 0 and _logarithmic(np.append(kept, top)):
        axes.set_yscale("log")
    plain_ticks(axes)
    legend(axes.figure, axes, 3)
    return _saved(figure, path)


def _metric(result: Sweep) -> str:
    return f"{result.metric}{' (more is better)' if result.highest else ''}"


def _saved(figure: Any, path: str | Path | None) -> Any:
    if path is not None:
        figure.savefig(path)
    return figure


def _logarithmic(values: np.ndarray) -> bool:
    return bool(len(values) > 1 and values.min() > 0 and values.max() / values.min() >= DECADE)
