"""Matrices of alike leaves in turns, a few at a time: one program of the work, whichever leaf has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import AxisType, NamedSharding

from gradchain.core import place
from gradchain.core.control import turns, when
from gradchain.core.slots import Axes, Leaf
from gradchain.matrices.per_matrix import per_matrix
from gradchain.matrices.stacks import Stacked, Stacks

Member = tuple[int, int]  # which of the alike leaves, and which of its matrices


def due_in(phase_of: Sequence[np.ndarray]) -> list[list[Member]]:
    """The matrices due in each phase, up to the last that has any; from the phases of each leaf."""
    return [
        [(leaf, int(i)) for leaf, phases in enumerate(phase_of) for i in np.flatnonzero(phases == phase)]
        for phase in range(1 + max(int(phases.max()) for phases in phase_of))
    ]


def spread_out(x: Array, leaf: Leaf) -> Array:
    """Numbers of the matrices of a leaf, [k], in a shape that broadcasts to it."""
    return x.reshape(spread_shape(leaf))


def spread_shape(leaf: Leaf) -> tuple[int, ...]:
    """The shape of numbers of the matrices of a leaf."""
    return tuple(n if i in leaf.axes.batch else 1 for i, n in enumerate(leaf.shape))


def all_spread_out(x: Array, leaves: Sequence[Leaf]) -> tuple[Array, ...]:
    """`spread_out` for arrays of one stack, which share what has one shape."""
    shapes = [spread_shape(leaf) for leaf in leaves]
    made = {shape: x.reshape(shape) for shape in shapes}
    return tuple(made[shape] for shape in shapes)


class Round(NamedTuple):
    """The matrices that are worked on at one time."""

    leaf: Array  # [places] int32
    number: Array  # [places] int32
    valid: Array | None = None  # [places]; others are worked on in vain; None: all are valid


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

    def at(self, r: Array) -> Round:
        """Round r."""
        leaf, number, valid = (jnp.asarray(x)[r] for x in self[:3])
        return Round(leaf, number, None if self.valid.all() else valid)


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


def in_turns(
    f: Stacked,
    rounds: Callable[[Array], Round],
    bounds: tuple[Array, Array],
    arrays: Sequence[Stacks],
    leaves: Sequence[Sequence[Leaf]],
    *,
    places: int,
    results: Sequence[int],
    shared: Sequence[Array],
    keep: Sequence[Array],
) -> list[Stacks]:
    """`per_matrix` on some matrices of alike leaves, `places` at a time: those of rounds within the bounds.

    f, arrays, leaves, results and shared as `per_matrix` has them, with tuples. The derivative is 0 but for
    the matrices that are kept: keep, [k] of each leaf, those that no round works on.
    """
    picked = [tuple(map(Picked, own)) for own in leaves]
    written = [tuple(own[i] for i in results) for own in picked]
    stack = tuple(p.stack(places) for p in picked[0])

    def turn(r, carry, only):
        whole = [list(xs) for xs in only]
        for xs, ys in zip(whole, carry, strict=True):
            for i, y in zip(results, ys, strict=True):
                xs[i] = y
        now = rounds(r)
        (ys,) = per_matrix(f, [taken(now, whole, picked)], [stack], results=results, shared=shared)
        return given_back(now, ys, carry, written)

    carry = [tuple(xs[i] for i in results) for xs in arrays]
    only = [tuple(None if i in results else x for i, x in enumerate(xs)) for xs in arrays]
    keeps = [all_spread_out(k, [p.leaf for p in own]) for k, own in zip(keep, written, strict=True)]
    return turns(*bounds, turn, carry, only, keep=keeps)


def taken(now: Round, arrays: Sequence[Sequence[Array]], picked: Sequence[Sequence[Picked]]) -> Stacks:
    """What belongs to the matrices of a round, [places, ...] of each array; `arrays` are one tuple a leaf."""

    def one(w):
        def of(own):
            return lambda i, rows: tuple(p.get(x, i) for x, p in zip(rows[own], picked[own], strict=True))

        branches = [of(own) for own in range(len(arrays))]
        if len(branches) == 1:
            return branches[0](now.number[w], arrays)
        return lax.switch(now.leaf[w], branches, now.number[w], list(arrays))

    if now.leaf.shape[0] == 1:
        return tuple(lax.expand_dims(x, [0]) for x in one(0))
    return lax.map(one, jnp.arange(now.leaf.shape[0]))


def given_back(
    now: Round, ys: Stacks, old: Sequence[Stacks], picked: Sequence[Sequence[Picked]]
) -> list[Stacks]:
    """The arrays with results in the places of these matrices."""

    def one(w, old):
        new = [lax.dynamic_index_in_dim(y, w, keepdims=False) for y in ys]
        leaf, number = now.leaf[w], now.number[w]
        valid = None if now.valid is None else now.valid[w]
        out = []
        for own, (xs, ps) in enumerate(zip(old, picked, strict=True)):

            def put(xs, i, new, ps=ps):
                return tuple(p.put(x, y, i) for x, y, p in zip(xs, new, ps, strict=True))

            if len(old) == 1 and valid is None:
                out.append(put(xs, number, new))
            else:
                here = leaf == own if valid is None else valid & (leaf == own)
                out.append(when(here, put, tuple(xs), number, new))
        return out

    if now.leaf.shape[0] == 1:
        return one(0, list(old))
    return lax.fori_loop(0, now.leaf.shape[0], one, list(old))
