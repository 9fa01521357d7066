"""Which device works on which matrix: a plan, made of shapes and specs alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gradchain.core.place import Split
from gradchain.core.slots import Axes

Dims = tuple[tuple[int, tuple[str, ...]], ...]  # for each dimension its size and the mesh axes that split it
Member = tuple[int, int]  # a leaf, and which of its matrices (of those on one device)


class Tiling(NamedTuple):
    """How the matrices of a leaf are cut over a mesh, the short side first."""

    rows: Dims
    cols: Dims
    home: tuple[str, ...] = ()  # mesh axes that split the stack: they hold whole matrices
    turned: bool = False  # rows are the columns of the leaf

    @property
    def shape(self) -> tuple[int, int]:
        """Of one matrix: short side, long side."""
        short, long = (math.prod(size for size, _ in dims) for dims in (self.rows, self.cols))
        return short, long

    @property
    def split(self) -> tuple[str, ...]:
        """The mesh axes that cut each matrix."""
        return tuple(name for _, names in (*self.rows, *self.cols) for name in names)

    @property
    def kind(self) -> tuple[Dims, Dims]:
        """What two leaves share whose pieces are put together in one way."""
        return self.rows, self.cols

    def local(self, sizes: Mapping[str, int]) -> list[int]:
        """The dimensions of the piece that one device holds of a matrix."""
        dims = (*self.rows, *self.cols)
        return [size // math.prod(sizes[n] for n in names) for size, names in dims]


def _merged(shape: Sequence[int], split: Split, axes: Sequence[int], sizes: Mapping[str, int]) -> Dims:
    """Some dimensions of an array, one where they are next to each other in memory on every device."""
    found: list[tuple[int, tuple[str, ...]]] = []
    for i in axes:
        names = tuple(name for name in split[i] if sizes[name] > 1)
        if found and not names:
            found[-1] = (found[-1][0] * shape[i], found[-1][1])
        else:
            found.append((shape[i], names))
    return tuple(found)


def tiling(
    shape: Sequence[int],
    axes: Axes,
    split: Split,
    sizes: Mapping[str, int],
    turned: bool | None = None,
    turning: bool = True,
) -> Tiling:
    """The tiling of a leaf, short side first or with `turned` as it says.

    With `turning` a square matrix lies like others, if that makes a difference.
    """
    rows, cols = (_merged(shape, split, group, sizes) for group in (axes.rows, axes.cols))
    home = tuple(n for i in axes.batch for n in split[i] if sizes[n] > 1)
    made = Tiling(rows, cols, home)
    short, long = made.shape
    turn = short > long or (turning and short == long and cols < rows) if turned is None else turned
    return Tiling(cols, rows, home, True) if turn else made


class Shipment(NamedTuple):
    """Matrices that travel together: each row gives one to every device of the mesh axes `over`."""

    over: tuple[str, ...]  # none: the matrices stay where they are
    shape: tuple[int, int]  # what each is padded to
    rows: tuple[tuple[Member, ...], ...]  # at most as many members as there are devices

    def segments(self, devices: int) -> Iterator[tuple[int, int, int]]:
        """(leaf, first, after the last) of matrices one after another; leaf -1: as many empty places."""
        for row in self.rows:
            for leaf, run in itertools.groupby(row, key=lambda m: m[0]):
                found = [index for _, index in run]
                yield leaf, found[0], found[-1] + 1
            if len(row) < devices:
                yield -1, 0, devices - len(row)


def plan(
    tilings: Sequence[Tiling],
    counts: Sequence[int],
    sizes: Mapping[str, int],
    padding: bool,
    others: Sequence[Sequence[Tiling]] = (),
) -> list[Shipment]:
    """Spread matrices over a mesh: counts[i] of tilings[i] on each device that holds some.

    others[i] are the tilings of what goes with a matrix of tilings[i]; rows have one shape of each of these.

    The largest come first, and each device gets one of every row, so that rows cost all devices the same:
    max(m, n) * min(m, n)^2 of the largest member. Without `padding` the matrices of a row are of one shape.
    Matrices of split stacks stay on the axes that split them. One matrix alone that every device has is
    worked on by all of them: nothing would be gained.
    """
    others = others or [()] * len(tilings)
    found: dict[tuple, list[tuple[Member, ...]]] = {}
    homes: dict[frozenset[str], list[Member]] = {}

    def beside(i: int) -> tuple[tuple[int, int], ...]:
        return tuple(t.shape for t in others[i])

    def kinds(i: int) -> tuple[tuple[Dims, Dims], ...]:
        return tuple(t.kind for t in (tilings[i], *others[i]))

    for i, (t, count) in enumerate(zip(tilings, counts, strict=True)):
        homes.setdefault(frozenset(t.home), []).extend((i, k) for k in range(count))
    for home, members in homes.items():
        over = tuple(name for name, size in sizes.items() if size > 1 and name not in home)
        devices = math.prod(sizes[n] for n in over)
        members.sort(key=lambda m: (*(-s for s in tilings[m[0]].shape), beside(m[0]), kinds(m[0]), m))
        for row in _rows([(tilings[i].shape, beside(i)) for i, _ in members], devices, padding):
            chosen = tuple(members[k] for k in row)
            first = chosen[0][0]
            ways = tuple(dict.fromkeys(kinds(i) for i, _ in chosen))
            shape = tuple(max(tilings[i].shape[side] for i, _ in chosen) for side in (0, 1))
            alone = len(chosen) == 1 and not any(t.split for t in (tilings[first], *others[first]))
            key = (() if alone else over, shape, beside(first), ways)
            found.setdefault(key, []).append(chosen)
    return [Shipment(over, shape, tuple(rows)) for (over, shape, *_), rows in found.items()]


def _rows(shapes: Sequence[Any], devices: int, padding: bool) -> Iterator[range]:
    start = 0
    while start < len(shapes):
        end = min(start + devices, len(shapes))
        if not padding:
            end = next((k for k in range(start, end) if shapes[k] != shapes[start]), end)
        yield range(start, end)
        start = end


def cost(shape: tuple[int, int]) -> int:
    """What work on a matrix costs, in units of max(m, n) * min(m, n)^2."""
    return max(shape) * min(shape) ** 2


def busiest(shipments: Sequence[Shipment]) -> int:
    """The cost of what each device works on."""
    return sum(cost(s.shape) * len(s.rows) for s in shipments)
