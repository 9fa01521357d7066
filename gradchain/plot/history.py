"""The numbers of a run, from whatever holds them, as columns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from gradchain.core import select, words
from gradchain.writers.files import STEP
from gradchain.writers.reading import columns, read

# Metrics that have a number for each layer, under "name/path": one panel shows all of them.
LAYERED = ("layer_grad_norm", "layer_update_norm", "layer_param_norm", "update_ratio")
EXPECTED = (
    "expected a list of dicts of numbers, a mapping of names to arrays, or the path of a file of "
    "gc.writers.csv or jsonl"
)


def table(history: Any, who: str) -> dict[str, np.ndarray]:
    """A history as columns of one length, "step" among them."""
    if isinstance(history, str | os.PathLike):
        return read(history)
    if isinstance(history, Mapping):
        found = {str(k): np.asarray(v, np.float64) for k, v in history.items()}
        sizes = {k: v.shape for k, v in found.items()}
        if not found or len(set(sizes.values())) > 1 or any(len(shape) != 1 for shape in sizes.values()):
            raise ValueError(
                f"{who}: the history has arrays of shapes {words.show(sizes)}; expected one length"
            )
        return {STEP: np.arange(len(next(iter(found.values())))), **found}
    if isinstance(history, Iterable):
        found = columns(history, who)
        if len(found[STEP]):
            return found
    raise ValueError(f"{who}: the history is {words.show(history)}, without a step; {EXPECTED}")


def groups(known: Iterable[str], names: Any, who: str, across: str = STEP) -> dict[str, list[str]]:
    """What each panel shows: the names that a pattern means, or by default each name, layers together.

    A mapping of titles to names or patterns is a panel for each title.
    """
    known = [k for k in known if k not in (STEP, across)]
    if names is None:
        found: dict[str, list[str]] = {}
        for name in known:
            parts = name.split("/")
            layered = next((i for i, part in enumerate(parts[:-1]) if part in LAYERED), None)
            if parts[-1] != STEP:
                found.setdefault(name if layered is None else "/".join(parts[: layered + 1]), []).append(name)
        return dict(sorted(found.items(), key=lambda item: "/" in item[0]))  # yours before the optimizer's
    if isinstance(names, Mapping):
        return {
            str(title): [*dict.fromkeys(_meant(known, _listed(inner), who))] for title, inner in names.items()
        }
    return {wanted: _meant(known, [wanted], who) for wanted in _listed(names)}


def _listed(names: Any) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _meant(known: list[str], wanted: list[str], who: str) -> list[str]:
    """The names that some patterns mean; an error for one that means none."""
    found = []
    for w in wanted:
        mine = [k for k in known if k == w or k.startswith(f"{w}/") or select.matches(w, k)]
        if not mine:
            raise ValueError(f"{who}: the history has no {words.show(w)}; {there(w, known)}")
        found += mine
    return found


def across(found: Mapping[str, np.ndarray], x: str, who: str) -> np.ndarray:
    """The column that a figure goes along."""
    if x not in found:
        raise ValueError(f"{who}: the history has no {words.show(x)} to go along; {there(x, found)}")
    return found[x]


def there(name: str, known: Iterable[str]) -> str:
    """What there is in the place of a name that is not."""
    known = list(known)
    return f"there are {words.near(name, known) or ', '.join(known[:6])}"


def finite(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The steps that have a number, and the numbers."""
    there = np.isfinite(values) & np.isfinite(steps)
    return steps[there], values[there]


def smoothed(values: np.ndarray, weight: float) -> np.ndarray:
    """An average over the past, weights falling by `weight` a row; the first values are not pulled to 0."""
    out, mean = np.empty(len(values)), 0.0
    for i, x in enumerate(values):
        mean = weight * mean + (1 - weight) * x
        out[i] = mean / (1 - weight ** (i + 1))
    return out


def checked_weight(smooth: Any, name: str, who: str) -> float:
    """How much of the past stays in the panel of a name, from 0 to less than 1."""
    weight = smooth.get(name, 0.0) if isinstance(smooth, Mapping) else smooth
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < 1:
        raise ValueError(f"{who}: smooth is {words.show(weight)}; expected a number from 0 to less than 1")
    return float(weight)
