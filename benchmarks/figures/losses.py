"""The figure of the quality benchmark: how far the losses are from fp32's while training, and at the end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures.bars import COLOURS, GREY

Rows = Sequence[Mapping[str, Any]]
KINDS = {
    "fp32": (GREY, "fp32 throughout"),
    "state": (COLOURS["gradchain"], "stored state"),
    "parameters": (COLOURS["torch"], "bfloat16 parameters"),
    "control": ("#b23a48", "controls, which must be worse"),
}
LINES = ("#2a6f97", "#c8773a", "#7a8450", "#7a5ca8", "#3fa7a0", "#c46a9b", "#e0b030", "#5b5b9e")
DIVERGED = 10.0  # nats per byte; knowing nothing costs 5.5
BASE, CONTROL = "fp32", KINDS["control"][0]


def by_seed(runs: Rows, name: str) -> dict[int, np.ndarray]:
    """The loss curve of each seed."""
    return {run["seed"]: np.array(run["curve"].split(), float) for run in runs if run["name"] == name}


def curves(axes: Any, rows: Rows, runs: Rows, title: str) -> None:
    """The difference from fp32 of the same seed over the steps: mean, and a standard error to each side.

    What diverges is left to the final losses.
    """
    base, colours = by_seed(runs, BASE), iter(LINES)
    for row in rows:
        if not row["loss"] < DIVERGED:
            continue
        mine = by_seed(runs, row["name"])
        apart = np.array([mine[seed] - base[seed] for seed in mine if seed in base])  # [seeds, points]
        at = (np.arange(apart.shape[1]) + 1) * row["steps"] / apart.shape[1]
        mean = apart.mean(0)
        error = apart.std(0, ddof=1) / math.sqrt(len(apart)) if len(apart) > 1 else 0 * mean
        colour = {"fp32": GREY, "control": CONTROL}.get(row["kind"]) or next(colours)
        style = "--" if row["kind"] == "control" else "-"
        axes.plot(at, mean, style, color=colour, linewidth=1.4, label=row["name"].removeprefix("bf16 p, "))
        axes.fill_between(at, mean - error, mean + error, color=colour, alpha=0.15, linewidth=0)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel("steps", fontsize=9)
    axes.legend(
        frameon=False,
        fontsize=7.5,
        ncols=2,
        loc="upper right",
        handlelength=1.5,
        columnspacing=1.2,
        labelspacing=0.3,
    )


def limits(axes: Any, runs: Rows) -> None:
    """Room for the curves of runs that ended well, and above them for the legend."""
    base = by_seed(runs, BASE)
    final = {run["seed"]: run["loss"] for run in runs if run["name"] == BASE}
    well = [run for run in runs if run["seed"] in base and run["loss"] < 1.1 * final[run["seed"]]]
    apart = [by_seed([run], run["name"])[run["seed"]] - base[run["seed"]] for run in well]
    low, high = np.quantile(np.concatenate(apart), (0.005, 0.995))
    axes.set_ylim(1.15 * min(low, 0), 1.5 * max(high, 1e-3))


def dots(axes: Any, rows: Rows, runs: Rows) -> None:
    """The final losses by seed and their mean, over the band of fp32's, and in words beside it."""
    base = next(row for row in rows if row["name"] == BASE)
    low, high = base["loss"] - base["sd"], base["loss"] + base["sd"]
    axes.axvspan(low, high, color=GREY, alpha=0.22, linewidth=0)
    axes.axvline(base["loss"], color=GREY, linewidth=1)
    usual = [row for row in rows if row["kind"] != "control"] or rows
    width = max(abs(row["loss"] - base["loss"]) + row["sd"] for row in usual)
    width = max(width, 4 * base["sd"], 1e-3)
    left, right = base["loss"] - 1.3 * width, base["loss"] + 2.2 * width
    for y, row in enumerate(rows):
        colour = KINDS[row["kind"]][0]
        losses = [run["loss"] for run in runs if run["name"] == row["name"]]
        inside = [x for x in losses if left <= x <= right]
        axes.plot(inside, [y] * len(inside), "o", color=colour, markersize=3.5, alpha=0.45, markeredgewidth=0)
        if left <= row["loss"] <= right:
            axes.plot(row["loss"], y, "D", color=colour, markersize=5.5)
        else:
            axes.plot(right - 0.015 * (right - left), y, ">", color=colour, markersize=6)
        words = f"{row['loss']:.4f}   {row['apart']:+.4f} ± {row['error']:.4f}   {row['sds']:+.2f} sd"
        if not row["loss"] < DIVERGED:
            words = f"{row['loss']:.3g}   diverged"
        if row["name"] == BASE:
            words = f"{row['loss']:.4f}   sd {row['sd']:.4f}"
        axes.text(1.015, y, words, transform=axes.get_yaxis_transform(), va="center", fontsize=7.5)
    head = "mean     apart from fp32 of the same seed"
    axes.text(
        1.015, -1, head, transform=axes.get_yaxis_transform(), va="center", fontsize=7.5, color="#555555"
    )
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=8.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(left, right)
    label = f"final loss, nats per byte; grey: mean and standard deviation of fp32's {base['seeds']} seeds"
    axes.set_xlabel(label, fontsize=9)


def draw(rows: Rows, runs: Rows, path: Path) -> Path:
    """Curves of stored state and of bfloat16 parameters above, final losses below."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    narrow = {run["name"] for run in runs if run["parameter_bytes"] == 2}
    chance = [row for row in rows if row["kind"] == "fp32" and row["name"] != BASE]
    others = [row for row in rows if row["kind"] != "fp32"]
    height = 1.0 + 0.27 * len(rows)
    figure = plt.figure(figsize=(9, 4.2 + height), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(4.2, height))
    sides = {
        "stored state": [row for row in others if row["name"] not in narrow],
        "bfloat16 parameters": [row for row in others if row["name"] in narrow],
    }
    sides = {title: mine for title, mine in sides.items() if mine} or {"stored state": []}
    panels, final = above.subplots(1, len(sides), sharey=True, squeeze=False)[0], below.subplots()
    for axes, (title, mine) in zip(panels, sides.items(), strict=True):
        curves(axes, [*chance, *mine], runs, title)
    panels[0].set_ylabel("loss - fp32's, nats per byte", fontsize=9)
    limits(panels[0], runs)
    dots(final, rows, runs)
    for axes in (*panels, final):
        for side in ("top", "right", *(["left"] if axes is final else [])):
            axes.spines[side].set_visible(False)
        axes.grid(axis="x" if axes is final else "y", color="#e4e4e4", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8.5)
    final.tick_params(left=False)
    above.suptitle("What rounding costs in quality", x=0.01, ha="left", fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, metadata={"Software": None})
    plt.close(figure)
    return path
