"""Sweep: what a sweep found, as a table, rows, a figure, and the best optimizer."""

from __future__ import annotations

import dataclasses
import html
import math
from pathlib import Path
from typing import Any

import numpy as np

from gradchain import writers
from gradchain.core import words
from gradchain.core.transform import Transform
from gradchain.report import text
from gradchain.tuning import plots
from gradchain.tuning.points import Grid

SHOWN = 40  # rows of a table
LONG = 24  # characters of a heading
FLAT = 0.02  # of the best score: no difference


@dataclasses.dataclass(frozen=True, repr=False)
class Sweep:
    """What `sweep` found: printed as a table; best, optimizer, rows, plot and to_csv.

    values: {metric: array [points, seeds]}. A point counts by its mean over the seeds; where a run of it has
    ended without a finite number it has diverged and is never the best.
    """

    grid: Grid
    values: dict[str, np.ndarray]  # metric -> [points, seeds]
    metric: str  # the one that the best has least, or with highest=True most, of
    highest: bool = False

    @property
    def points(self) -> list[dict[str, Any]]:
        """The values of each point by name, as the table shows them."""
        return [dict(zip(self.grid.names, point, strict=True)) for point in self.grid.points]

    @property
    def scores(self) -> np.ndarray:
        """The metric of each point, the mean over its seeds; NaN where one has diverged."""
        return _mean(self.values[self.metric])

    @property
    def best_index(self) -> int:
        """Which point is the best; ValueError where all have diverged."""
        scores = self.scores
        if not np.isfinite(scores).any():
            raise ValueError(
                f"sweep: all {len(scores)} points have diverged ({self.metric} is not finite); try smaller "
                "learning rates, or look at the loss: it may be NaN at the start"
            )
        return int(np.nanargmax(scores) if self.highest else np.nanargmin(scores))

    @property
    def best(self) -> dict[str, Any]:
        """The arguments of the best point, as they were given; of several optimizers its name."""
        pairs = zip(self.grid.axes, self.grid.points[self.best_index], strict=True)
        return {axis.name: axis.meant(value) for axis, value in pairs}

    @property
    def best_score(self) -> float:
        """The metric of the best point."""
        return float(self.scores[self.best_index])

    @property
    def optimizer(self) -> Transform:
        """The optimizer with the best values, a plain value."""
        return self.grid.optimizer(self.best_index)

    @property
    def edges(self) -> list[str]:
        """Where the best is the first or last value tried of a hyperparameter: what to try next.

        Not of random points, nor where the value beside it is as good, to 2 %.
        """
        known = not self.grid.paired and np.isfinite(self.scores).any()
        return _edges(self.grid, self.best_index, self.scores) if known else []

    def rows(self) -> list[dict[str, Any]]:
        """A dict for each point: hyperparameters, metrics, their standard deviation over seeds, diverged."""
        found = []
        for i, point in enumerate(self.points):
            row: dict[str, Any] = dict(point)
            for name, values in self.values.items():
                row[name] = float(_mean(values)[i])
                if values.shape[1] > 1:
                    row[f"{name}_sd"] = float(np.std(values[i], ddof=1))
            row["diverged"] = not math.isfinite(row[self.metric])
            found.append(row)
        return found

    def to_csv(self, path: str | Path) -> Path:
        """Write the rows to a file; its path."""
        return writers.table(path, self.rows())

    def plot(self, x: str | None = None, y: str | None = None, *, path: str | Path | None = None) -> Any:
        """The metric over one hyperparameter as a line, over two as a map of colours; a matplotlib Figure.

        x and y choose among more; a point of the figure is the best over the others. With a path it is saved.
        """
        return plots.swept(self, x, y, path)

    def table(self) -> str:
        """The points as a text table, the best marked and repeated at the end, and notes below."""
        return "\n".join([text.aligned(*self._cells()), *self._notes()])

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return text.as_html(*self._cells()) + "".join(f"<p>{html.escape(x)}</p>" for x in self._notes())

    def _cells(self) -> tuple[list[list[str]], list[bool]]:
        rows, scores = self.rows(), self.scores
        alive = np.isfinite(scores).any()
        best = self.best_index if alive else -1
        order = np.argsort(np.where(np.isfinite(scores), -scores if self.highest else scores, np.inf))
        names = [*self.grid.names, *self.values]

        def line(i: int, note: str) -> list[str]:
            return [*(_shown(rows[i], name, name in self.values) for name in names), note]

        right = [not axis.choice for axis in self.grid.axes] + [True] * len(self.values)
        cells = [[*(name if len(name) <= LONG else f"...{name[3 - LONG :]}" for name in names), ""]]
        for i in sorted(order[:SHOWN].tolist()):
            cells.append(line(i, "diverged" if rows[i]["diverged"] else "best" if i == best else ""))
        last = line(best, f"best of {len(rows)}") if alive else [*[""] * len(names), "all have diverged"]
        return [*cells, last], [*right, False]

    def _notes(self) -> list[str]:
        found, (n, seeds) = [], next(iter(self.values.values())).shape
        if seeds > 1:
            found.append(f"mean ± standard deviation over {seeds} seeds")
        if n > SHOWN:
            found.append(f"the best {SHOWN} of {n} points are shown; rows() has all")
        return [*found, *self.edges]


def _mean(values: np.ndarray) -> np.ndarray:
    """Over the seeds; NaN where one is not finite."""
    return np.where(np.isfinite(values).all(1), np.mean(np.where(np.isfinite(values), values, 0), 1), np.nan)


def _shown(row: dict[str, Any], name: str, metric: bool) -> str:
    if not metric:
        value = row[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return text.number(value) if number else words.plain(str(value), LONG)
    spread = f" ± {row[f'{name}_sd']:.2g}" if math.isfinite(row.get(f"{name}_sd", math.nan)) else ""
    return f"{text.number(row[name])}{spread}" if math.isfinite(row[name]) else "-"


def _edges(grid: Grid, best: int, scores: np.ndarray) -> list[str]:
    """For each axis at whose end the best lies: the value that goes on where the axis stops."""
    found = []
    for k, axis in enumerate(grid.axes):
        if axis.choice:
            continue
        values = sorted(axis.values)
        at = grid.points[best][k]
        if len(values) < 2 or values[0] < at < values[-1]:
            continue
        up = at == values[-1]
        near = values[-2] if up else values[1]
        beside = tuple(near if i == k else x for i, x in enumerate(grid.points[best]))
        if abs(scores[grid.points.index(beside)] - scores[best]) <= FLAT * abs(scores[best]):
            continue
        ratio = at > 0 and near > 0 and values[-1] / max(values[0], 1e-300) >= 4
        after = at * at / near if ratio else 2 * at - near
        after = round(after) if all(isinstance(v, int) for v in values) else after
        nearer = 1 - (1 - at) ** 2 / (1 - near) if 0 < near < at < 1 else after  # of 0.9, 0.99: 0.999
        point = dict(zip(grid.names, grid.points[best], strict=True)) | grid.choices(best)
        for value in (after, nearer):
            if value != at and _allowed(grid, point | {axis.name: value}):
                word = "largest" if up else "smallest"
                found.append(f"the best {axis.name} is the {word} tried: try {value:.4g} too")
                break
    return found


def _allowed(grid: Grid, point: dict[str, Any]) -> bool:
    """Whether there is an optimizer beyond: no decay rate of 1, no weight decay below 0."""
    try:
        grid.make(point)
    except (ValueError, TypeError):
        return False
    return True
