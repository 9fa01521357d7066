"""What all figures share: made without pyplot, transparent, in colours for light and dark pages."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gradchain.core import words
from gradchain.core.optional import need

# At least 3:1 against white and against #1e2129, told apart by readers who do not see red or green.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#A67C00", "#7B61D1", "#2AA1B3", "#808080")
LINES = ("-", "--", "-.", ":")
INK = "#7f7f7f"  # text and axes: 4:1 against both
FEW = len(COLORS)  # lines that a legend can tell apart


def panels(
    n: int = 1,
    *,
    across: int = 1,
    width: float = 6.4,
    height: float = 3.4,
    sharex: bool = False,
    widths: Sequence[float] | None = None,
) -> tuple[Any, list[Any]]:
    """A matplotlib figure and the axes of n empty panels, in the style of all figures here, to draw in.

    They stand in rows of `across`. Sizes are in inches: the width of the figure, the height of one panel;
    widths: of the columns, relative to each other. Texts are gray, for light and dark pages.
    """
    if across < 1 or n < 1 or (widths is not None and len(widths) != across):
        raise ValueError(
            f"plot.panels: n is {n}, across {across}, widths {words.show(widths)}; expected at least one "
            "panel in a row, and as many widths as columns"
        )
    down = -(-n // across)
    figure = need("matplotlib.figure", "plot", "gc.plot").Figure(
        figsize=(width, height * down), layout="constrained", facecolor="none", edgecolor="none"
    )
    figure._repr_png_ = functools.partial(
        _png, figure
    )  # notebooks show figures of pyplot alone by themselves
    grid = figure.subplots(down, across, squeeze=False, sharex=sharex, width_ratios=widths)
    axes = list(grid.ravel())
    for ax in axes[n:]:
        ax.remove()
    for ax in axes[:n]:
        _dress(ax)
    return figure, axes[:n]


def rows_of(names: Sequence[str], ax: Any, who: str, *, height: float = 2.6) -> tuple[Any, list[Any]]:
    """The panels of some names: one wide, else two in a row; or the axes that a caller gave for the one."""
    if ax is None:
        alone = len(names) == 1
        return panels(
            len(names), across=1 if alone else 2, width=6.4 if alone else 9.6, height=3.4 if alone else height
        )
    if len(names) > 1:
        raise ValueError(f"{who}: {len(names)} panels do not fit into one ax; choose one: names={names[0]!r}")
    return ax.figure, [ax]


def logarithmic(log: Any, name: str, default: bool = False) -> bool:
    """Whether a panel has a logarithmic axis: `log` is True, False, None or the names of such panels."""
    if isinstance(log, bool) or log is None:
        return default if log is None else log
    return name in ([log] if isinstance(log, str) else log)


def _png(figure: Any) -> tuple[bytes, dict[str, int]]:
    """The picture at twice the resolution that it is shown in."""
    out, (width, height) = io.BytesIO(), figure.get_size_inches() * figure.dpi
    figure.savefig(out, format="png", dpi=2 * figure.dpi)
    return out.getvalue(), {"width": round(width), "height": round(height)}


def _dress(ax: Any) -> None:
    ax.set_facecolor("none")
    ax.tick_params(colors=INK, which="both", labelsize=9)
    for text in (ax.xaxis.label, ax.yaxis.label, ax.title):
        text.set_color(INK)
    for side, spine in ax.spines.items():
        spine.set_color(INK)
        spine.set_visible(side in ("left", "bottom"))
    ax.grid(True, color=INK, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)


def label(ax: Any, x: str = "", y: str = "", title: str = "") -> None:
    """Name the axes; long names are cut in the middle so that they stay within the figure."""
    ax.set_xlabel(short(x), color=INK, fontsize=10)
    ax.set_ylabel(short(y, 32), color=INK, fontsize=10)
    if title:
        ax.set_title(short(title, 52), color=INK, fontsize=10, loc="left")


def plain_ticks(ax: Any) -> None:
    """Numbers on logarithmic axes at powers of ten, at 1, 2 and 5 where those are few, else evenly."""
    ticker = need("matplotlib.ticker", "plot", "gc.plot")
    for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        if axis.get_scale() != "log":
            continue
        decades = abs(math.log10(high / low))
        close, few = decades < 0.8, decades < 2.5
        axis.set_major_locator(
            ticker.MaxNLocator(5) if close else ticker.LogLocator(subs=(1, 2, 5) if few else (1,))
        )
        if few:
            axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(ticker.NullFormatter())


def short(text: str, most: int = 44) -> str:
    """Text of at most so many characters, the middle left out."""
    keep = (most - 1) // 2
    return text if len(text) <= most else f"{text[: most - keep - 1]}…{text[-keep:]}"


def legend(figure: Any, ax: Any, n: int, *, within: bool = False) -> None:
    """Names of the lines: in the axes where they are few; else under them, and the figure grows by that."""
    handles, names = ax.get_legend_handles_labels()
    names = [short(name, 40) for name in names]
    how = {"frameon": False, "labelcolor": INK, "fontsize": 9}
    if n <= 4 or within:
        ax.legend(handles, names, loc="best", **how)
        return
    width, height = figure.get_size_inches()
    columns = max(1, min(4, int(13 * width) // (max(map(len, names)) + 6)))
    figure.set_size_inches(width, height + 0.2 * -(-len(names) // columns) + 0.1)
    figure.legend(handles, names, loc="outside lower center", ncols=columns, **how)


def strokes(n: int) -> list[dict[str, Any]]:
    """Colour and dashes for n lines: by hand where they are few, else from blue over grey to red."""
    if n <= FEW:
        return [{"color": COLORS[i], "linestyle": LINES[i % len(LINES)]} for i in range(n)]
    ramp = need("matplotlib.colors", "plot", "gc.plot").LinearSegmentedColormap.from_list(
        "layers", [COLORS[0], COLORS[7], COLORS[1]]
    )
    return [{"color": ramp(i / (n - 1))} for i in range(n)]


def sizes(values: Iterable[np.ndarray]) -> bool:
    """Whether numbers are sizes, some above 0 and none below: a logarithmic axis leaves out what is 0."""
    found = [v[np.isfinite(v)] for v in values]
    return any((v > 0).any() for v in found) and all((v >= 0).all() for v in found)
