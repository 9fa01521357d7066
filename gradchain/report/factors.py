"""factors: the table of what the updates of each leaf are multiplied by."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from gradchain.core.inside import opens
from gradchain.core.leaves import floating
from gradchain.core.link import leaves_of
from gradchain.core.transform import PLAN, Transform, need_transform
from gradchain.report import text
from gradchain.report.links import Place, links
from gradchain.rules.parts.factors import Factor, PerLeaf

HEAD = ("leaf", "shape", "factor", "because of", "")
RIGHT = (False, False, True, False, False)


@dataclasses.dataclass(frozen=True)
class FactorRow:
    """A leaf: the product of its factors (the least and the largest, of stacked layers), and their links."""

    path: str
    shape: tuple[int, ...]
    least: float
    largest: float
    links: tuple[str, ...] = ()
    why: str = ""


@dataclasses.dataclass(frozen=True, repr=False)
class Factors:
    """What `factors` found: rows as data, and a table as text or, in a notebook, as HTML."""

    rows: tuple[FactorRow, ...]

    def __getitem__(self, path: str) -> float:
        """The factor of a leaf, the largest of a stack."""
        return next(row.largest for row in self.rows if row.path == path)

    def __repr__(self) -> str:
        return text.aligned(self._cells(), RIGHT)

    def _repr_html_(self) -> str:
        return text.as_html(self._cells(), RIGHT)

    def _cells(self) -> list[list[str]]:
        rows: list[list[str]] = [list(HEAD)]
        for row in self.rows:
            ends = dict.fromkeys(text.number(x) for x in (row.least, row.largest))
            rows.append([row.path, str(list(row.shape)), " to ".join(ends), ", ".join(row.links), row.why])
        sizes = [x for row in self.rows for x in (row.least, row.largest)] or [1.0]
        ends = dict.fromkeys(text.number(x) for x in (min(sizes), max(sizes)))
        return [*rows, [f"{len(self.rows)} leaves", "", " to ".join(ends), "", ""]]


@opens
def factors(tx: Transform, params: Any) -> Factors:
    """The table of what each leaf's updates are multiplied by, and why; `params` may be abstract.

    Of `layerwise_decay`, `lora_plus`, `mup` and their links, and of a constant `scale` under a mask. Factors
    of one leaf are multiplied. Print it, or use `.rows` or a path: factors(tx, params)["head/bias"].
    """
    need_transform(tx, "factors(tx, params)", params)
    seen = floating(params)
    found: dict[str, list[tuple[str, Factor]]] = {leaf.path: [] for leaf in leaves_of(seen, PLAN)}
    for place in links(tx, seen):
        for path, factor in _of(place):
            found[path].append((place.recipe.factory.name, factor))
    return Factors(tuple(_row(leaf, found[leaf.path]) for leaf in leaves_of(seen, PLAN)))


def _of(place: Place) -> list[tuple[str, Factor]]:
    described = leaves_of(place.params, PLAN)
    if isinstance(place.body, PerLeaf):
        return [(d.path, f) for d, f in zip(described, place.body.of(described), strict=True)]
    step = place.recipe.args.get("step_size") if place.recipe.factory.name == "scale" else None
    if not isinstance(step, int | float):
        return []
    return [(leaf.path, Factor(float(step), "")) for leaf in described]


def _row(leaf: Any, found: list[tuple[str, Factor]]) -> FactorRow:
    named = [(name, f) for name, f in found if f.why or np.any(np.asarray(f.value) != 1)]
    value = functools.reduce(np.multiply, [np.asarray(f.value, float) for _, f in named], np.ones(()))
    why = "; ".join(f.why for _, f in named if f.why)
    names = tuple(dict.fromkeys(name for name, _ in named))
    return FactorRow(leaf.path, leaf.shape, float(np.min(value)), float(np.max(value)), names, why)
