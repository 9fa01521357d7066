"""The curves of a run as a picture."""

import math
import statistics
import textwrap
from pathlib import Path

import matplotlib
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lm.files import naming
from lm.report import BITS, Row

STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.edgecolor": "#888888",
    "font.size": 10,
}
TRAIN, VALIDATION, RATE, NORM = "#4878a8", "#c8502c", "#4a8f5c", "#7a5ca8"


def curves(rows: list[Row], path: Path, optimizer: str) -> None:
    """Loss, learning rate and gradient norm over the steps."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8, 8), layout="constrained", dpi=130)
        axes = figure.subplots(3, sharex=True, height_ratios=(2.4, 1, 1))
        title = textwrap.shorten(optimizer, 330, placeholder=" ...")
        figure.suptitle(textwrap.fill(title, 110), x=0.015, ha="left", fontsize=8, family="monospace")
        loss, rate, norm = axes
        draw(loss, rows, "loss", TRAIN, "training")
        steps, values = series(rows, "validation_loss")
        loss.plot(steps, values, "o-", color=VALIDATION, markersize=5, linewidth=1.6, label="validation")
        if values:
            place = {"xytext": (0, 10), "textcoords": "offset points", "ha": "right"}
            loss.annotate(
                f"{values[-1]:.3f}", (steps[-1], values[-1]), color=VALIDATION, weight="bold", **place
            )
        logarithmic(loss, (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 7))
        loss.set_ylabel("loss, nats per byte")
        loss.legend(frameon=False)
        bits = loss.secondary_yaxis("right", functions=(lambda x: x * BITS, lambda x: x / BITS))
        logarithmic(bits, (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8))
        bits.set_ylabel("bits per byte")
        rate.plot(*series(rows, "learning_rate"), color=RATE, linewidth=1.6)
        rate.set_ylabel("learning rate")
        rate.set_ylim(bottom=0)
        draw(norm, rows, "grad_norm", NORM)
        logarithmic(norm, (1, 2, 5))
        norm.set_ylabel("gradient norm")
        norm.set_xlabel("step")
        norm.margins(x=0.01)
        figure.align_ylabels(axes)
        with naming(path):
            figure.savefig(path)


def draw(axes: Axes, rows: list[Row], name: str, color: str, label: str | None = None) -> None:
    """A noisy metric: each value faint, the mean of those around it strong."""
    steps, values = series(rows, name)
    axes.plot(steps, values, color=color, alpha=0.25, linewidth=0.8)
    reach = len(values) // 80
    around = [values[max(0, i - reach) : i + reach + 1] for i in range(len(values))]
    axes.plot(steps, [statistics.fmean(part) for part in around], color=color, linewidth=1.6, label=label)


def logarithmic(axes: Axes, digits: tuple[float, ...]) -> None:
    """A logarithmic vertical axis with plain numbers at these first digits."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=digits))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(ticker.NullLocator())


def series(rows: list[Row], name: str) -> tuple[list[int], list[float]]:
    """The steps that have a metric, and its values; what is not finite is left out."""
    found = [(row["step"], row[name]) for row in rows if math.isfinite(row.get(name, math.nan))]
    return [step for step, _ in found], [value for _, value in found]
