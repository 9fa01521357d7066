"""Horizontal bars: the figure of most tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COLOURS = {"gradchain": "#2a6f97", "optax": "#c8773a", "torch": "#7a8450"}
COLOURS |= {"heavyball": "#c8773a", "facebookresearch": "#7a8450"}
GREY = "#8a8a8a"


def bars(
    rows: Sequence[Mapping[str, Any]],
    value: str,
    path: Path,
    *,
    label: str,
    title: str,
    floor: str | None = None,
    note: str | None = None,
    error: tuple[str, str] | None = None,
    limit: float | None = None,
) -> Path:
    """Horizontal bars grouped by row["name"], one for each row["library"].

    floor names the column of what the work costs at least, drawn as a tick; note a column of text written
    after the bar; error two columns of a range; bars beyond `limit` are cut there, with the number written.
    """
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(row["name"] for row in rows))
    libraries = [x for x in COLOURS if any(row["library"] == x for row in rows)]
    height, gap = 1.0, 0.6
    ordered = sorted(rows, key=lambda row: (names.index(row["name"]), libraries.index(row["library"])))
    figure, axes = plt.subplots(figsize=(8.5, 1.3 + 0.2 * (len(rows) + gap * len(names))))
    top = limit or 1.02 * max(row[error[1]] if error else row[value] for row in rows)
    at_name: dict[str, list[float]] = {}
    for i, row in enumerate(ordered):
        y = i * height + names.index(row["name"]) * gap
        at_name.setdefault(row["name"], []).append(y)
        axes.barh(y, min(row[value], top), height * 0.9, color=COLOURS[row["library"]])
        if error and row[value] <= top:
            axes.plot([row[c] for c in error], [y, y], color="black", linewidth=0.8)
        if floor:
            axes.plot([row[floor]] * 2, [y - height * 0.48, y + height * 0.48], color="black", linewidth=1.6)
        text = ("… " if row[value] > top else "") + f"{row[value]:.3g}" + (f"   {row[note]}" if note else "")
        at = max(
            [min(row[value], top), *([row[floor]] if floor else []), *([row[error[1]]] if error else [])]
        )
        axes.text(min(at, top) + 0.01 * top, y, text, va="center", fontsize=7.5, color="#333333")
    axes.set_yticks([sum(at) / len(at) for at in at_name.values()], names, fontsize=9)
    axes.set_ylim(len(rows) * height + (len(names) - 1) * gap - 0.2, -0.8)
    axes.set_xlim(0, top * (1.45 if note else 1.12))
    axes.set_xlabel(label)
    axes.set_title(title, loc="left", fontsize=11)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(left=False)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    keys = [plt.Rectangle((0, 0), 1, 1, color=COLOURS[x]) for x in libraries]
    if floor:
        keys.append(plt.Line2D([], [], color="black", linewidth=1.6, marker="|", linestyle="none"))
    figure.legend(
        keys, [*libraries, *(["each array touched once"] if floor else [])], ncols=4, frameon=False,
        loc="lower left", bbox_to_anchor=(0.0, 0.0), fontsize=8.5,
    )  # fmt: skip
    figure.tight_layout(rect=(0, 0.35 / figure.get_figheight(), 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, metadata={"Software": None})
    plt.close(figure)
    return path
