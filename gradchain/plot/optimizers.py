"""What an optimizer's arguments do over the steps, and what its state takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np

from gradchain.core import hyper, tree, words
from gradchain.core.inside import opens
from gradchain.core.leaves import is_array
from gradchain.core.transform import need_transform
from gradchain.math import numerics
from gradchain.plot.figure import COLORS, FEW, INK, label, legend, panels, short
from gradchain.plot.schedules import over_steps
from gradchain.report import text
from gradchain.report.links import links
from gradchain.report.table import describe

BARS = 12  # layers that have a bar of their own
OTHERS = "others"
HATCHES = ("", "//", "..", "xx")


@opens
def hyperparams(tx: Any, steps: int | None = None, *, log: bool = False) -> Any:
    """A panel for each hyperparameter of an optimizer that a schedule gives, by path, as a matplotlib figure.

    The learning rates are shown also where they are constant. steps and log are as in `schedules`.
    """
    need_transform(tx, "plot.hyperparams(tx, steps)", steps)
    found = {
        f"{place.path}/{name}": value for place in links(tx) for name, value in place.hyperparams.items()
    }
    shown = {k: v for k, v in found.items() if _numeric(v) and (callable(v) or k.endswith("learning_rate"))}
    if not shown:
        raise ValueError(
            f"plot.hyperparams: {tx.name} has no hyperparameter that changes over the steps; expected a "
            "schedule, as in gc.adamw(gc.cosine_decay_schedule(1e-3, 1000))"
        )
    plain = {k: v.value if isinstance(v, hyper.Tunable) else v for k, v in shown.items()}
    return over_steps({k: v for k, v in plain.items() if v is not None}, steps, log)


def _numeric(value: Any) -> bool:
    number = isinstance(value, int | float | hyper.Tunable) and not isinstance(value, bool)
    return number or hyper.is_schedule(value) or hyper.is_array(value)


def memory(tx: Any, params: Any, *, by: str = "") -> Any:
    """Bytes of state as bars, stacked by link and slot: a bar for each layer, as a matplotlib figure.

    Several optimizers, {"adamw": tx, "8 bits": gc.stored(tx, "int8")}, have a bar each, stacked by link and
    slot or with by="layer" by layer. `params` may be abstract. A line shows the bytes of the parameters.
    """
    several = isinstance(tx, Mapping)
    if by not in ("", "link", "layer"):
        raise ValueError(f"plot.memory: by is {words.show(by)}; expected 'link' or 'layer'")
    if not several and by:
        raise ValueError("plot.memory: by says how the bars of several optimizers are stacked; here is one")
    if several and not tx:
        raise ValueError("plot.memory: no optimizers; expected {name: optimizer, ...}")
    rows = {name: _pieces(one, params) for name, one in (tx if several else {"": tx}).items()}
    groups = _groups([layer for found in rows.values() for _, layer, _ in found])
    if not several:
        pieces = [(groups[layer], slot, size) for slot, layer, size in rows[""]]
        return _bars(pieces, _totals(pieces, groups.values(), 0.002), None)
    pieces = [
        (name, groups[layer] if by == "layer" else slot, size)
        for name, found in rows.items()
        for slot, layer, size in found
    ]
    arrays = [x for x in jax.tree.leaves(params) if is_array(x)]
    line = sum(numerics.nbytes(x.shape, x.dtype) for x in arrays)
    return _bars(pieces, _totals(pieces, rows), line)


def _pieces(tx: Any, params: Any) -> list[tuple[str, str, int]]:
    """(link/slot, path of the parameter or "", bytes) of each array of state."""
    leaves = set(tree.paths(params))
    found = []
    for row in describe(tx, params, leaves=True).rows:
        if row.slot:
            owner = (
                row.path
                if row.path in leaves
                else next((p for p in leaves if row.path.startswith(f"{p}/")), "")
            )
            found.append((f"{row.link}/{row.slot}", owner, row.total_bytes))
    return found


def _groups(layers: Iterable[str]) -> dict[str, str]:
    """Names of bars for layers: as much of their paths as makes no more than BARS."""
    known = sorted(dict.fromkeys(layers), key=lambda x: not x)  # in their order, what belongs to all last
    for depth in range(max((x.count("/") for x in known), default=0) + 1, 0, -1):
        cut = {x: "/".join(x.split("/")[:depth]) or "all layers" for x in known}
        if len(set(cut.values())) <= BARS:
            return cut
    each = list(dict.fromkeys(x.split("/")[0] for x in known if x))
    others = dict.fromkeys(each[BARS - 1 :], f"{len(each) - BARS + 1} others")
    return {x: others.get(x.split("/")[0], x.split("/")[0] or "all layers") for x in known}


Pieces = list[tuple[str, str, int]]  # bar, part of it, bytes


def _totals(pieces: Pieces, bars: Iterable[str], least: float = 0.0) -> dict[str, int]:
    """Bytes of each bar, without those of less than a share of the largest."""
    totals = dict.fromkeys(bars, 0)
    for bar, _, size in pieces:
        totals[bar] += size
    return {bar: n for bar, n in totals.items() if n >= least * max(totals.values())}


def _parts(pieces: Pieces, totals: Mapping[str, int]) -> dict[str, list[int]]:
    """Bytes of each part in each bar: the largest parts by name, the rest as "others"."""
    sums: dict[str, int] = {}
    for _, part, size in pieces:
        sums[part] = sums.get(part, 0) + size
    largest = sorted(sums, key=lambda part: -sums[part])[: FEW - 1]
    kept = [part for part in sums if part in largest and sums[part] >= 0.005 * max(totals.values())]
    table = {part: dict.fromkeys(totals, 0) for part in [*kept, OTHERS]}
    for bar, part, size in pieces:
        if bar in totals:
            table[part if part in kept else OTHERS][bar] += size
    seen = 0.002 * max(totals.values())  # what is narrower than a line is not named
    return {part: list(row.values()) for part, row in table.items() if max(row.values()) > seen}


def _bars(pieces: Pieces, totals: Mapping[str, int], line: int | None) -> Any:
    if not totals or not max(totals.values()):
        raise ValueError(
            "plot.memory: there is no state; expected an optimizer that keeps arrays, as gc.adam(1e-3)"
        )
    parts = _parts(pieces, totals)
    largest = max([*totals.values(), line or 0])
    figure, (ax,) = panels(height=0.9 + 0.3 * len(totals))
    starts, at = np.zeros(len(totals)), np.arange(len(totals))
    for i, (part, sizes) in enumerate(parts.items()):
        how = {
            "color": INK if part == OTHERS else COLORS[i % FEW],
            "alpha": 0.9,
            "hatch": HATCHES[i % len(HATCHES)],
        }
        ax.barh(at, sizes, left=starts, height=0.7, label=part, edgecolor="#ffffff40", linewidth=0.5, **how)
        starts += np.array(sizes)
    for y, size in zip(at, totals.values(), strict=True):
        ax.annotate(
            text.size(size), (size, y), (4, 0), textcoords="offset points", va="center", color=INK, fontsize=9
        )
    if line:
        ax.axvline(line, color=INK, linestyle=":", label=f"the parameters, {text.size(line)}")
    ax.set_yticks(at, [short(bar, 30) for bar in totals])
    ax.invert_yaxis()
    ax.set_xlim(0, 1.18 * largest)
    ax.locator_params(axis="x", nbins=5)
    ax.xaxis.set_major_formatter(lambda x, _: text.size(round(x)).replace(".0 ", " "))
    ax.grid(False, axis="y")
    label(ax, "bytes of state")
    legend(figure, ax, FEW)  # always under the axes: bars fill them
    return figure
