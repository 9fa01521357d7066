"""Which tiles a kernel for symmetric products works on, and what it computes: shapes alone, no Pallas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

Triple = tuple[float, float, float]
Chain = tuple[tuple[Triple, ...], ...]  # blocks of steps that share a Gram matrix

VMEM = 56 * 2**20  # bytes that a kernel may take: a core of v5p and v7x has 64 MiB, of v5e and v6e 128
GRAM, P, Q, OTHER = range(4)  # buffers: the Gram matrix, a polynomial of it, and two for their products


class Tiles(NamedTuple):
    """What a matrix [m, n] is padded to with zeros, and cut into."""

    side: int  # of the blocks of a symmetric product
    rows: int
    cols: int
    depth: int  # columns of x that are read at a time

    @property
    def blocks(self) -> int:
        """How many of a symmetric product are on or below the diagonal."""
        t = self.rows // self.side
        return t * (t + 1) // 2

    def flops(self, steps: Sequence[Triple]) -> int:
        """Of the factor of a block of steps, padding included: its Gram matrix and products."""
        return self.blocks * 2 * self.side**2 * (self.cols + len(products(steps)) * self.rows)

    @property
    def flops_of_last(self) -> int:
        """Of the factor times x."""
        return 2 * self.rows**2 * self.cols


def tiles(m: int, n: int) -> Tiles:
    """The tiles with the fewest flops; those of 256 count less, as v6e and v7x multiply 256 x 256."""

    def cost(side: int) -> float:
        rows = -(-m // side) * side
        return rows**2 * (rows + side) * (1 if side == 256 else 1.2)

    side = min((256, 128), key=cost)
    depth = min((512, 384, 256), key=lambda d: -(-n // d) * d)
    return Tiles(side, -(-m // side) * side, -(-n // depth) * depth, depth)


def products(steps: Sequence[Triple]) -> list[tuple[int, int, int, Triple]]:
    """The products of a block of steps behind its Gram matrix r, all symmetric: (x, y, to, (a, b, c)).

    Buffer `to` becomes a + b r + c x y; the block's factor is Q's at the end.
    """
    found = []
    plain, last = (0.0, 0.0, 1.0), len(steps) - 1
    for i, triple in enumerate(steps):
        q, before = (Q, OTHER) if (last - i) % 2 == 0 else (OTHER, Q)
        p = P if i else q
        found.append((GRAM, GRAM, p, triple))
        if i:
            found.append((p, before, q, plain))
        if i < last:
            found += [(p, GRAM, before, plain), (p, before, GRAM, plain)]
    return found


def whole(m: int, n: int, short: Any, kept: Any) -> bool:
    """Whether all steps of a matrix are one kernel: it and its products are in VMEM together."""
    _, rows, cols, _ = tiles(m, n)
    return rows * cols * (4 * kept.itemsize + 2 * short.itemsize) + _square(rows, short) <= VMEM


def worth(m: int, n: int, short: Any, kept: Any, chain: Chain) -> bool:
    """Whether a matrix goes through these kernels: its products fit into VMEM, and padding costs no flops."""
    tile = tiles(m, n)
    one = whole(m, n, short, kept)
    own = sum(tile.flops(steps) + (tile.flops_of_last if one else 2 * m * m * n) for steps in chain)
    full = sum(2 * m * m * (2 * n + len(products(steps)) * m) for steps in chain)
    streamed = 2 * tile.rows * tile.depth * short.itemsize + _square(tile.rows, short)
    return own < full and (one or streamed <= VMEM)


def _square(rows: int, short: Any) -> int:
    return rows * rows * (4 + 4 * short.itemsize)
