"""Which figure draws which table of results/; a figure takes data and measures nothing.

`python -m benchmarks.figures` draws them all anew, `python -m benchmarks.figures step` one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.figures import losses
from benchmarks.figures.bars import bars

Rows = list[dict[str, Any]]
CHIPS = {"tpu": "TPU v5e", "h100": "H100"}  # by the target in the name of the table


def trace(rows: Rows, path: Path) -> Path:
    """Seconds before the first step."""
    for row in rows:
        row["note"] = f"{row['distinct']:,} equations"
    return bars(
        rows,
        "trace_lower",
        path,
        label="seconds to trace and lower one step, nothing cached (median, quartiles)",
        title="Before the first step",
        note="note",
        error=("low", "high"),
    )


def step(rows: Rows, path: Path) -> Path:
    """Milliseconds of a step on the CPU."""
    for row in rows:
        row["note"] = "" if row["library"] == "optax" else f"{row['ratio']:.2f} of Optax"
        row["milliseconds"], row["from"], row["to"] = (1e3 * row[k] for k in ("seconds", "low", "high"))
    return bars(
        rows,
        "milliseconds",
        path,
        label=f"milliseconds for one step (median and quartiles), CPU, {rows[0]['threads']} threads",
        title="One step of AdamW, float32",
        note="note",
        error=("from", "to"),
    )


def aot(rows: Rows, path: Path) -> Path:
    """Bytes of compiled programs; the table is named aot_<target>_<shapes>."""
    _, target, shapes = path.stem.split("_", 2)
    dtype = "bfloat16" if shapes.endswith("-bf16") else "float32"
    for row in rows:
        row["note"] = f"{row['kernels']} kernels" + (f", {row['copies']} copies" if row["copies"] > 9 else "")
        if row["average"] < 0.99 * row["bytes"]:
            most, due = f"; {row['least']:.3g}", f" in most steps, {row['bytes']:.3g} when due"
            row["note"] += most + (" mostly" if shapes == "sides" else due)  # whose bytes are no one step's
    averages = sorted(row["average"] for row in rows)
    return bars(
        rows,
        "average",
        path,
        label="bytes of HBM traffic for each parameter and step",
        title=f"Compiled for {CHIPS[target]}, {shapes.removesuffix('-bf16')}, {dtype}",
        floor="average_floor",
        note="note",
        limit=min(averages[-1] * 1.02, 4 * averages[len(averages) // 2]),
    )


def floors(rows: Rows, path: Path) -> Path:
    """Bytes of every transform's step beside its floor; the table is named floors_<target>."""
    for row in rows:
        row["note"] = textwrap.fill(row["why"], 48)
    values = sorted(row["bytes"] for row in rows)
    return bars(
        rows,
        "bytes",
        path,
        label="bytes of HBM traffic for each parameter and step",
        title=f"Compiled for {CHIPS[path.stem.split('_')[1]]}, three leaves, float32",
        floor="floor",
        note="note",
        limit=min(values[-1] * 1.02, 4 * values[len(values) // 2]),
    )


def gpu(rows: Rows, path: Path) -> Path:
    """Picoseconds of a step for each parameter on a card, beside those of copying what it must move."""
    measured = [row for row in rows if row["status"] == "measured"]
    for row in measured:
        per = 1e9 / row["parameters"]  # from milliseconds
        row["ps"], row["from"], row["to"] = (per * row[k] for k in ("ms", "low", "high"))
        row["copying"] = 1e12 * row["must_gb"] / row["copy_gb_per_s"] / row["parameters"]
        row["note"] = f"{row['ms']:.3g} ms, {row['of_copy']:.0%} of a copy"
    times = sorted(row["ps"] for row in measured)
    return bars(
        measured,
        "ps",
        path,
        label="picoseconds for each parameter and step (median and quartiles)",
        title=path.stem.split("_", 1)[1],
        floor="copying",
        note="note",
        error=("from", "to"),
        limit=min(times[-1] * 1.02, 6 * times[len(times) // 2]),
    )


def quality(rows: Rows, path: Path) -> Path:
    """Final losses, and the curves of the runs that they come from."""
    return losses.draw(rows, results.runs(rows[0]["steps"], results.RUNS.with_name(path.stem)), path)


DRAWN: dict[str, Callable[[Rows, Path], Path]] = {  # by the first word of the table's name
    "trace": trace,
    "step": step,
    "aot": aot,
    "floors": floors,
    "quality": quality,
    "gpu": gpu,
}


def draw(table: Path) -> Path:
    """Draw the figure of a table, beside it."""
    return DRAWN[table.stem.split("_")[0]](results.read(table.stem, table.parent), table.with_suffix(".png"))


def show(table: Path | None) -> None:
    """Draw what a measurement has written, if it has, and say where both are."""
    if table is not None:
        print(table, draw(table), sep="\n")
