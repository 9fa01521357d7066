"""Staggered refresh: who is due when, and what a step costs at most."""

import numpy as np
import pytest

from gradchain.matrices import refresh
from gradchain.matrices.spread import cost

GPT2 = {"qkv": (768, 2304), "out": (768, 768), "up": (768, 3072), "down": (3072, 768)}


def loads(counts, costs, every, offsets):
    """What each step costs, and how often each matrix is due in `every` steps."""
    found, times = np.zeros(every), [np.zeros(k) for k in counts]
    for t in range(1, every + 1):
        for i, (k, price) in enumerate(zip(counts, costs, strict=True)):
            first = (t - 1 - offsets[i]) % every
            on = (np.arange(k) - first) % every == 0
            found[t - 1] += on.sum() * price
            times[i] += on
    return found, times


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("every", [1, 4, 10])
def test_no_step_is_much_dearer(stacked, every):
    """GPT-2's 48 matrices, stacked over 12 layers or not: at most 1.3 times the mean step."""
    counts = [12] * 4 if stacked else [1] * 48
    costs = [float(cost(shape)) for shape in GPT2.values()] * (1 if stacked else 12)
    found, times = loads(counts, costs, every, refresh.offsets(counts, costs, every))
    assert all((t == 1).all() for t in times)
    assert found.max() <= 1.3 * found.mean()


def test_the_dearest_begins():
    assert refresh.offsets([1, 1, 1], [1.0, 5.0, 2.0], 3) == [2, 0, 1]


@pytest.mark.parametrize("every", [6, 7, 2**31 - 1])
def test_each_matrix_has_a_step_of_its_own_where_there_are_as_many(every):
    counts, costs = [3, 1, 2], [1.0, 2.0, 5.0]
    found = refresh.offsets(counts, costs, every)
    assert found == [3, 2, 0]
    taken = [(o + i) % every for o, k in zip(found, counts, strict=True) for i in range(k)]
    assert len(set(taken)) == 6
