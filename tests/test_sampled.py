"""The parts of the catalogue that the quick suite takes."""

import gradchain as gc
from gradchain import testing
from tests.sampled import few, spread


def test_a_spread_meets_every_row_and_column_and_does_not_grow():
    for rows in (30, 90, 250):
        found = spread(range(rows), range(29), 600)
        assert abs(len(found) - 600) < 60
        assert {row for row, _ in found} == {*range(rows)} and {column for _, column in found} == {*range(29)}
    assert len(spread(range(3), range(4), 100)) == 12


def test_a_few_have_every_trait():
    names = testing.sample()
    chosen = few(names, 40)
    assert len(chosen) <= 41 and chosen < {*names}
    of = lambda names: set().union(*(testing.subject(name).traits for name in names))  # noqa: E731
    assert of(chosen) == of(gc.REGISTRY)
