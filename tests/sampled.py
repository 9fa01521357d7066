"""Parts of what grows with the catalogue: in the quick suite so many and no more, in the slow one all."""

import math
from collections.abc import Hashable, Mapping, Sequence, Set

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


def covering(features: Mapping[str, Set[Hashable]], most: int) -> set[str]:
    """At most so many names: some that have every feature, and others evenly."""
    chosen: list[str] = []
    missing = set().union(*features.values())
    for name in features:
        if features[name] & missing:
            chosen.append(name)
            missing -= features[name]
    rest = [name for name in features if name not in chosen]
    step = max(1, math.ceil(len(rest) / max(most - len(chosen), 1)))
    return {*chosen, *rest[::step]}


def few(names: Sequence[str], most: int) -> set[str]:
    """At most so many names: some that have every trait, and others evenly."""
    return covering({name: testing.subject(name).traits for name in names}, most)


def slow_but(names: Sequence[str], quick: Set[str]) -> list:
    """All names for parametrize; those that are not quick are slow."""
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]


def sampled(most: int = 30) -> list:
    """All names for parametrize; those that are not in some part of `gradchain.testing.sample` are slow."""
    return slow_but(sorted(gc.REGISTRY), few(testing.sample(), most))
