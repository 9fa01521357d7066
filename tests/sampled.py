"""Parts of what grows with the catalogue: in the quick suite so many and no more, in the slow one all."""

import math
from collections.abc import Hashable, Sequence

import pytest

import gradchain as gc
from gradchain import testing


def spread(rows: Sequence[Hashable], columns: Sequence[Hashable], most: int) -> set[tuple]:
    """Diagonals of a table, about so many of its cells: every row is met, and every column."""
    cells = len(rows) * len(columns)
    return {
        (row, column)
        for i, row in enumerate(rows)
        for k, column in enumerate(columns)
        if (i + k) * most % cells < most
    }


def few(names: Sequence[str], most: int) -> set[str]:
    """At most so many names: some that have every trait, and others evenly."""
    chosen: list[str] = []
    declared = {name: testing.subject(name).traits for name in names}
    missing = set().union(*declared.values())
    for name in names:
        if declared[name] & missing:
            chosen.append(name)
            missing -= declared[name]
    rest = [name for name in names if name not in chosen]
    step = max(1, math.ceil(len(rest) / max(most - len(chosen), 1)))
    return {*chosen, *rest[::step]}


def sampled(most: int = 40) -> list:
    """All names for parametrize; those that are not in some part of `gradchain.testing.sample` are slow."""
    quick = few(testing.sample(), most)
    marks = lambda name: () if name in quick else pytest.mark.slow  # noqa: E731
    return [pytest.param(name, marks=marks(name)) for name in sorted(gc.REGISTRY)]
