"""The figure of the README: three tables in one picture."""

from __future__ import annotations

from pathlib import Path

from benchmarks import results
from benchmarks.figures.bars import COLOURS, GREY

MOVED = (  # rows of aot_h100_gpt2
    *(("AdamW", "adamw", "optax"), ("AdamW", "adamw", "gradchain")),
    *(("AdamW, 8 bits", "adamw+log8", "gradchain"), ("AdamW, 4 bits", "adamw+log4", "gradchain")),
)
STARTED = (("adamw, equal-1000", "AdamW"), ("clip+adamw, equal-1000", "clip, AdamW"))


WHERE = Path(__file__).resolve().parents[2] / "docs" / "assets" / "front.png"


def draw(path: Path) -> Path:
    """Bytes of a step, the loss with fewer bits, seconds before the first step."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.1), layout="constrained", dpi=150)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.25, 1, 1))

    found = {(row["name"], row["library"]): row for row in results.read("aot_h100_gpt2")}
    shown = [(label, library, found[name, library]["average"]) for label, name, library in MOVED]
    for i, (_, library, moved) in enumerate(shown):
        left.barh(i, moved, 0.8, color=COLOURS[library])
        left.text(moved + 1.5, i, f"{moved:.3g}", va="center", fontsize=8)
    left.set_yticks(range(len(shown)), [f"{label}, {library}" for label, library, _ in shown], fontsize=8)
    left.set(xlim=(0, 1.15 * max(moved for *_, moved in shown)), ylim=(len(shown) - 0.4, -0.6))
    left.set_title(
        "bytes a step moves for each parameter\nGPT-2 124M, compiled for H100", fontsize=9, loc="left"
    )

    rows = {row["name"]: row for row in results.read("quality")}
    kept = [("8 bits", rows["log8"]), ("4 bits", rows["log4"])]
    for i, (_, row) in enumerate(kept):
        middle.errorbar(
            row["apart"], i, xerr=2 * row["error"], fmt="o", color=COLOURS["gradchain"], capsize=3
        )
    middle.axvline(0, color=GREY, linewidth=1)
    middle.set_yticks(range(len(kept)), [label for label, _ in kept], fontsize=8)
    middle.set(ylim=(len(kept) - 0.4, -0.6), xlim=(-0.02, 0.02))
    seeds, steps = int(kept[0][1]["seeds"]), int(kept[0][1]["steps"])
    title = (
        f"training loss less that of float32 state, nats\n{seeds} seeds, {steps:,} steps, two standard errors"
    )
    middle.set_title(title, fontsize=9, loc="left")

    rows = {(row["name"], row["library"]): row for row in results.read("trace")}
    for i, (name, _) in enumerate(STARTED):
        for j, library in enumerate(("optax", "gradchain")):
            seconds = rows[name, library]["trace_lower"]
            right.barh(i + 0.4 * j - 0.2, seconds, 0.36, color=COLOURS[library])
            right.text(seconds + 0.03, i + 0.4 * j - 0.2, f"{seconds:.2f} {library}", va="center", fontsize=8)
    right.set_yticks(range(len(STARTED)), [label for _, label in STARTED], fontsize=8)
    right.set(ylim=(len(STARTED) - 0.4, -0.6), xlim=(0, 2.4))
    right.set_title("seconds to trace and lower a step\n1,000 alike arrays", fontsize=9, loc="left")

    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    figure.savefig(path)
    return path
