"""Parts of what grows with the catalogue: in the quick suite so many and no more, in the slow one all."""

from collections.abc import Collection, Hashable, Mapping, Sequence, Set

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


def evenly(names: Sequence[str], most: int) -> list[str]:
    """At most so many names, as far apart as they can be."""
    return [name for i, name in enumerate(names) if i * most % len(names) < most]


def covering(features: Mapping[str, Set[Hashable]], most: int) -> set[str]:
    """At most so many names: some that have every feature, and others evenly."""
    chosen: list[str] = []
    missing = set().union(*features.values())
    for name in features:
        if features[name] & missing:
            chosen.append(name)
            missing -= features[name]
    rest = [name for name in features if name not in chosen]
    return {*chosen, *evenly(rest, max(most - len(chosen), 1))}


def few(names: Sequence[str], most: int) -> set[str]:
    """At most so many names: some that have every trait, and others evenly."""
    return covering({name: testing.subject(name).traits for name in names}, most)


def slow_but(names: Sequence[str], quick: Set[str]) -> list:
    """All names for parametrize; those that are not quick are slow."""
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]


def sampled(most: int = 30, names: Collection[str] | None = None) -> list:
    """All names for parametrize; those that are not in some part of `gradchain.testing.sample` are slow."""
    names = sorted(gc.REGISTRY if names is None else names)
    return slow_but(names, few([name for name in testing.sample() if name in names], most))
