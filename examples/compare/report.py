"""The comparison as a table in the terminal, as rows for a file and as a figure."""

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lm.files import naming
from rich.table import Table
from scipy import stats

import gradchain as gc
from compare.problems import Problem
from compare.tuning import Tuned, steps_to

SIGNIFICANT = 0.05


def rows(problem: Problem, found: Sequence[Tuned], reference: str) -> list[dict[str, Any]]:
    """A row for each optimizer, best first: its rate, its loss, its steps to the loss of the reference."""
    base = next(one for one in found if one.name == reference)
    target = float(np.max(base.ends))  # all its seeds get there
    made = []
    for one in sorted(found, key=lambda one: _order(one.ends)):
        steps = steps_to(one, target, problem.steps)
        made.append({
            "optimizer": one.name,
            "rate": one.rate,
            "bracketed": one.bracketed,
            "loss": float(np.mean(one.ends)),
            "sd": _sd(one.ends),
            "steps": float(np.mean(steps)),
            "steps_sd": _sd(steps),
            "against": "" if one is base else verdict(one.ends, base.ends),
            "state": one.state,
        })  # fmt: skip
    return made


def _sd(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 and np.isfinite(values).all() else math.nan


def _order(ends: np.ndarray) -> float:
    return float(np.median(np.where(np.isfinite(ends), ends, np.inf)))


def verdict(ends: np.ndarray, base: np.ndarray) -> str:
    """How runs stand to the reference: better, worse, or the same by Welch's test of the logarithms."""
    if not np.isfinite(ends).all():
        return "worse"
    a, b = np.log(np.maximum(ends, 1e-30)), np.log(np.maximum(base, 1e-30))
    if len(a) < 2 or (np.ptp(a) == 0 and np.ptp(b) == 0):
        return "same" if np.mean(a) == np.mean(b) else ("better" if np.mean(a) < np.mean(b) else "worse")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # runs of one side may be alike
        p = stats.ttest_ind(a, b, equal_var=False).pvalue
    return "same" if not p < SIGNIFICANT else ("better" if np.mean(a) < np.mean(b) else "worse")


def table(problem: Problem, made: Sequence[dict[str, Any]], reference: str, seeds: int) -> Table:
    """The rows for a terminal."""
    title = f"{problem.title}; {seeds} seeds, rates tuned for each"
    shown = Table(
        title=title,
        caption=f"{problem.unit}; steps: to the loss that {reference} ends at; against: p < {SIGNIFICANT}",
    )
    for head in ("optimizer", "rate", "loss", "steps", f"against {reference}", "state B/param"):
        shown.add_column(head, justify="left" if head == "optimizer" else "right", no_wrap=True)
    for row in made:
        rate = f"{row['rate']:.2g}" + ("" if row["bracketed"] else " *")
        steps = f"{row['steps']:.0f}" if math.isfinite(row["steps"]) else "-"
        if math.isfinite(row["steps_sd"]):
            steps += f" ± {row['steps_sd']:.0f}"
        shown.add_row(row["optimizer"], rate, spread(row), steps, row["against"], f"{row['state']:.3g}")
    if not all(row["bracketed"] for row in made):
        shown.caption = f"{shown.caption}\n* the best rate is the last one tried"
    return shown


def spread(row: dict[str, Any]) -> str:
    """A loss and its standard deviation over the seeds."""
    if not math.isfinite(row["loss"]):
        return "diverged"
    return f"{row['loss']:.3g}" + (f" ± {row['sd']:.1g}" if math.isfinite(row["sd"]) else "")


def figure(problem: Problem, found: Sequence[Tuned], reference: str, path: Path) -> None:
    """Curves of the best and of the reference; the losses of all with their spread over the seeds."""
    ranked = sorted(found, key=lambda one: _order(one.ends))
    at = problem.steps / problem.points * np.arange(1, problem.points + 1)
    runs = {one.name: [{"step": at, problem.unit: curve} for curve in one.curves] for one in ranked}
    curves = [one.name for i, one in enumerate(ranked) if i < 6 or one.name == reference]
    sheet, (left, right) = gc.plot.panels(
        2, across=2, width=11, height=max(4.0, 0.19 * len(ranked) + 1.4), widths=(1.25, 1)
    )
    gc.plot.compare({name: runs[name] for name in curves}, problem.unit, log=True, ax=left)
    gc.plot.ranking(runs, problem.unit, reference=reference, log=True, ax=right)
    sheet.suptitle(problem.title, x=0.01, ha="left", fontsize=10, color="gray")
    with naming(path):
        sheet.savefig(path, dpi=130)
