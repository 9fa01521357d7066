"""Matrices of alike leaves in turns, a few at a time: one program of the work, whichever leaf has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import AxisType, NamedSharding

from gradchain.core import place
from gradchain.core.control import when
from gradchain.core.slots import Axes, Leaf
from gradchain.matrices.stacks import Stacks

Member = tuple[int, int]  # which of the alike leaves, and which of its matrices


def due_in(phase_of: Sequence[np.ndarray]) -> list[list[Member]]:
    """The matrices due in each phase, up to the last that has any; from the phases of each leaf."""
    return [
        [(leaf, int(i)) for leaf, phases in enumerate(phase_of) for i in np.flatnonzero(phases == phase)]
        for phase in range(1 + max(int(phases.max()) for phases in phase_of))
    ]


def spread_out(x: Array, leaf: Leaf) -> Array:
    """Numbers of the matrices of a leaf, [k], in a shape that broadcasts to it."""
    return x.reshape([n if i in leaf.axes.batch else 1 for i, n in enumerate(leaf.shape)])


class Rounds(NamedTuple):
    """Which matrices each round works on, `places` at a time; rounds of a phase follow one another."""

    leaf: np.ndarray  # [rounds, places] int32
    number: np.ndarray  # [rounds, places] int32
    valid: np.ndarray  # [rounds, places]; others are worked on in vain
    bounds: np.ndarray  # [phases + 1] int32, where the rounds of a phase begin

    @classmethod
    def of(cls, phases: Sequence[Sequence[Member]], places: int) -> Rounds:
        """The rounds of some phases, from the matrices due in each."""
        rows: list[list[tuple[int, int, bool]]] = []
        bounds = [0]
        for due in phases:
            for start in range(0, len(due), places):
                row = [(*member, True) for member in due[start : start + places]]
                rows.append(row + [(*due[start], False)] * (places - len(row)))
            bounds.append(len(rows))
        leaf, number, valid = np.moveaxis(np.array(rows, np.int32), 2, 0)
        return cls(leaf, number, valid.astype(bool), np.array(bounds, np.int32))


class Picked(NamedTuple):
    """How matrices are picked from an array of the state: each without the axes of its stack."""

    leaf: Leaf

    @property
    def alike(self) -> Any:
        """What arrays share whose matrices can be picked by one program."""
        return self.stack(1).bare(), None if (at := self.stack(1).sharding) is None else at.spec

    def stack(self, places: int) -> Leaf:
        """A stack of matrices that are picked."""
        axes, rest = self.leaf.axes, self._rest
        shape = (places, *(self.leaf.shape[i] for i in rest))
        home = self.leaf.sharding
        if home is not None:
            split = place.split_of(home.spec, len(self.leaf.shape))
            home = place.at(home.mesh, ((), *(split[i] for i in rest)))
        rows, cols = (tuple(1 + rest.index(i) for i in group) for group in (axes.rows, axes.cols))
        return Leaf(self.leaf.path, shape, self.leaf.dtype, Axes((0,), rows, cols), None, home)

    @property
    def _rest(self) -> list[int]:
        return [i for i in range(len(self.leaf.shape)) if i not in self.leaf.axes.batch]

    def _starts(self, number: Array) -> list[Any]:
        batch = self.leaf.axes.batch
        at: Any = jnp.unravel_index(number, [self.leaf.shape[i] for i in batch]) if batch else ()
        return [
            at[batch.index(i)] if i in batch else jnp.zeros((), number.dtype)
            for i in range(len(self.leaf.shape))
        ]

    def get(self, x: Array, number: Array) -> Array:
        """One matrix."""
        sizes = [1 if i in self.leaf.axes.batch else n for i, n in enumerate(self.leaf.shape)]
        if math.prod(sizes) != x.size:
            x = lax.dynamic_slice(x, self._starts(number), sizes)
        return lax.squeeze(x, self.leaf.axes.batch)

    def put(self, x: Array, new: Array, number: Array) -> Array:
        """The array with that matrix in its place."""
        new = lax.expand_dims(new, self.leaf.axes.batch)
        return new if new.size == x.size else lax.dynamic_update_slice(x, new, self._starts(number))


def _home(leaf: Leaf) -> NamedSharding | None:
    """The mesh that a leaf is known to be on, and how it is split; None where it has one device."""
    home = leaf.sharding
    if home is None or home.mesh.size == 1 or AxisType.Manual in home.mesh.axis_types:
        return None
    return home


def devices_of(leaf: Leaf) -> int:
    """How many devices may work on matrices of a leaf."""
    home = _home(leaf)
    return 1 if home is None else home.mesh.size


def is_split(leaf: Leaf) -> bool:
    """Whether a mesh splits the stack of a leaf, so that its devices have whole matrices."""
    home = _home(leaf)
    split = () if home is None else place.split_of(home.spec, len(leaf.shape))
    return bool(split) and any(split[i] for i in leaf.axes.batch)


def taken(rounds: Rounds, r: Array, arrays: Sequence[Stacks], picked: Sequence[Sequence[Picked]]) -> Stacks:
    """What belongs to the matrices of round r, [places, ...] of each array; `arrays` are one tuple a leaf."""
    leaf, number = jnp.asarray(rounds.leaf)[r], jnp.asarray(rounds.number)[r]

    def one(w):
        def of(own):
            return lambda i, rows: tuple(p.get(x, i) for x, p in zip(rows[own], picked[own], strict=True))

        branches = [of(own) for own in range(len(arrays))]
        if len(branches) == 1:
            return branches[0](number[w], arrays)
        return lax.switch(leaf[w], branches, number[w], list(arrays))

    if rounds.leaf.shape[1] == 1:
        return tuple(lax.expand_dims(x, [0]) for x in one(0))
    return lax.map(one, jnp.arange(rounds.leaf.shape[1]))


def given_back(
    rounds: Rounds, r: Array, ys: Stacks, old: Sequence[Stacks], picked: Sequence[Sequence[Picked]]
) -> list[Stacks]:
    """The arrays with results in the places of these matrices."""
    leaf, number, valid = (jnp.asarray(x)[r] for x in rounds[:3])

    def one(w, old):
        new = [lax.dynamic_index_in_dim(y, w, keepdims=False) for y in ys]
        out = []
        for own, (xs, ps) in enumerate(zip(old, picked, strict=True)):

            def put(xs, i, new, ps=ps):
                return tuple(p.put(x, y, i) for x, y, p in zip(xs, new, ps, strict=True))

            if len(old) == 1 and rounds.valid.all():
                out.append(put(xs, number[w], new))
            else:
                out.append(when(valid[w] & (leaf[w] == own), put, tuple(xs), number[w], new))
        return out

    if rounds.leaf.shape[1] == 1:
        return one(0, list(old))
    return lax.fori_loop(0, rounds.leaf.shape[1], one, list(old))
