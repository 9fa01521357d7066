"""Which matrices of a stack are worked on in a step, and what belongs to each of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from gradchain.core import place
from gradchain.core.slots import Leaf
from gradchain.matrices.stacks import Stacked, Stacks


class Due(NamedTuple):
    """Of a leaf's matrices, counted over its stack, those i that are worked on: (i - first) % every == 0."""

    first: Array | int  # [] int32
    every: int


class Row(NamedTuple):
    """What belongs to the matrices of one leaf."""

    arrays: tuple[Array, ...]
    leaves: tuple[Leaf, ...]  # how each is read, and where it is
    due: Due | None = None  # None: all

    @property
    def first(self) -> Array:
        """The number of the first matrix that is due."""
        return jnp.asarray(0 if self.due is None else self.due.first, jnp.int32)


class Job(NamedTuple):
    """What is done to the matrices of some rows."""

    f: Stacked  # [k, m, n] of each operand, and what is shared -> a tuple of results
    shared: tuple[Array, ...]
    results: tuple[int, ...]  # the operands in whose shapes and places results are
    turned: bool | None  # how all operands are read; None: short side first
    padding: bool
    turning: bool  # whether square matrices may be turned, to travel with others


class Chosen(NamedTuple):
    """The due ones of the matrices that a device has: `width` places in its stack, not all of them due."""

    at: Any = None  # [width] int32; None: all are due
    valid: Any = None  # [width]

    @classmethod
    def of(cls, row: Row, numbers: Array, split: place.Split = (), sizes: Mapping[str, int] | None = None):
        """From the numbers [k] in the whole stack of the matrices here."""
        if row.due is None or row.due.every == 1:
            return cls()
        most = width(row, split, sizes or {})
        on = (numbers - row.first) % row.due.every == 0
        at = jnp.argsort(~on, stable=True)[:most]
        return cls(at, on[at])

    def taken(self, stacks: Stacks) -> Stacks:
        """Those matrices."""
        if self.at is None:
            return stacks
        return tuple(jnp.concatenate([lax.dynamic_index_in_dim(x, i) for i in self.at]) for x in stacks)

    def given_back(self, ys: Stacks, old: Sequence[Array]) -> Stacks:
        """The stacks with results in their places."""
        if self.at is None:
            return ys
        out = []
        for y, x in zip(ys, old, strict=True):
            for k, i in enumerate(self.at):
                new = jnp.where(self.valid[k], y[k], lax.dynamic_index_in_dim(x, i, keepdims=False))
                x = lax.dynamic_update_index_in_dim(x, new, i, 0)
            out.append(x)
        return tuple(out)


def width(row: Row, split: place.Split, sizes: Mapping[str, int]) -> int:
    """How many matrices at most are due on any device."""
    assert row.due is not None
    leaf, every = row.leaves[0], row.due.every
    batch = [leaf.shape[i] for i in leaf.axes.batch]
    numbers = np.arange(math.prod(batch)).reshape(batch)
    cuts = [math.prod(sizes[n] for n in split[i]) if split else 1 for i in leaf.axes.batch]
    widths = [size // cut for size, cut in zip(batch, cuts, strict=True)]
    found = 1
    for where in itertools.product(*map(range, cuts)):
        part = numbers[tuple(slice(w * i, w * (i + 1)) for w, i in zip(widths, where, strict=True))]
        found = max(found, int(np.bincount(part.ravel() % every).max()))
    return found


def numbers_of(leaf: Leaf, split: place.Split, sizes: Mapping[str, int]) -> Array:
    """Within shard_map, the numbers [k] of the matrices here in the stack of a leaf."""
    total = jnp.zeros((), jnp.int32)
    for i in leaf.axes.batch:
        at, cut = jnp.zeros((), jnp.int32), 1
        for name in split[i]:
            at, cut = at * sizes[name] + lax.axis_index(name), cut * sizes[name]
        here = leaf.shape[i] // cut
        total = total[..., None] * leaf.shape[i] + at * here + jnp.arange(here, dtype=jnp.int32)
    return total.reshape(-1)
