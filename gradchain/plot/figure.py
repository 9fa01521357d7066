"""What all figures share: made without pyplot, transparent, in colours for light and dark pages."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable
from typing import Any

import numpy as np

from gradchain.core.optional import need

# At least 3:1 against white and against #1e2129, told apart by readers who do not see red or green.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#A67C00", "#7B61D1", "#2AA1B3", "#808080")
LINES = ("-", "--", "-.", ":")
INK = "#7f7f7f"  # text and axes: 4:1 against both
FEW = len(COLORS)  # lines that a legend can tell apart


def panels(
    n: int = 1, *, across: int = 1, width: float = 6.4, height: float = 3.4, sharex: bool = False
) -> tuple[Any, list[Any]]:
    """A figure, and the axes of n panels in rows of `across`; sizes in inches, the height of one panel."""
    down = -(-n // across)
    figure = need("matplotlib.figure", "plot", "gc.plot").Figure(
        figsize=(width, height * down), layout="constrained", facecolor="none", edgecolor="none"
    )
    figure._repr_png_ = functools.partial(
        _png, figure
    )  # notebooks show figures of pyplot alone by themselves
    grid = figure.subplots(down, across, squeeze=False, sharex=sharex)
    axes = list(grid.ravel())
    for ax in axes[n:]:
        ax.remove()
    for ax in axes[:n]:
        _dress(ax)
    return figure, axes[:n]


def _png(figure: Any) -> tuple[bytes, dict[str, int]]:
    """The picture at twice the resolution that it is shown in."""
    out, (width, height) = io.BytesIO(), figure.get_size_inches() * figure.dpi
    figure.savefig(out, format="png", dpi=2 * figure.dpi)
    return out.getvalue(), {"width": round(width), "height": round(height)}


def _dress(ax: Any) -> None:
    ax.set_facecolor("none")
    ax.tick_params(colors=INK, which="both", labelsize=9)
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


def short(text: str, most: int = 44) -> str:
    """Text of at most so many characters, the middle left out."""
    keep = (most - 1) // 2
    return text if len(text) <= most else f"{text[: most - keep - 1]}…{text[-keep:]}"


def legend(figure: Any, ax: Any, n: int) -> None:
    """Names of the lines: in the axes where they are few; else under them, and the figure grows by that."""
    handles, names = ax.get_legend_handles_labels()
    names = [short(name, 40) for name in names]
    how = {"frameon": False, "labelcolor": INK, "fontsize": 9}
    if n <= 4:
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
