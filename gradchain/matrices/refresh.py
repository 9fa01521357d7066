"""Staggered refresh: in each step another part of the matrices, so that none is much dearer than others."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from jax import Array

from gradchain.matrices.due import Due


def offsets(counts: Sequence[int], costs: Sequence[float], every: int) -> list[int]:
    """For each stack of matrices a number in 0..every-1: matrix i is due where (i + offset) % every == phase.

    counts[i] matrices of costs[i] each. Every phase gets as many of a stack, and those over go, dearest
    stack first, where least is due. The first stack of the dearest starts at 0.
    """
    found = [0] * len(counts)
    dearest = sorted(range(len(counts)), key=lambda i: -costs[i])
    if every >= sum(counts):  # each matrix has a step of its own
        for i, offset in zip(dearest, itertools.accumulate(counts[i] for i in dearest), strict=True):
            found[i] = offset - counts[i]
        return found
    load = np.zeros(every)
    for i in dearest:
        over = counts[i] % every
        if over:
            after = [load[(o + np.arange(over)) % every] for o in range(every)]
            found[i] = min(range(every), key=lambda o: (after[o].max(), after[o].sum(), o))
            load[(found[i] + np.arange(over)) % every] += costs[i]
    return found


def due(count: Array, offset: int, every: int) -> Due:
    """Of a stack with this offset the matrices that are due in step `count`, counted from 1."""
    return Due((count - 1 - offset) % every, every)
