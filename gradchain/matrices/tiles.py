"""Which steps of Newton-Schulz share a Gram matrix, and the tiles of a kernel for them: shapes, no Pallas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

Triple = tuple[float, float, float]
Chain = tuple[tuple[Triple, ...], ...]  # blocks of steps that share a Gram matrix

VMEM = 56 * 2**20  # bytes that a kernel may take: a core of v5p and v7x has 64 MiB, of v5e and v6e 128
GROWTH = 150  # how far an error of the Gram matrix may grow before the last step of a block
GRAM, P, Q, OTHER = range(4)  # buffers: the Gram matrix, a polynomial of it, and two for their products


def blocks(coefficients: Sequence[Triple], m: int, n: int) -> tuple[tuple[Triple, ...], ...]:
    """Which steps of a Newton-Schulz iteration share one Gram matrix, for m <= n.

    A step that joins a block costs 6 m^3 flops and spares 4 m^2 n. A rounding error of the Gram matrix grows
    by a^2 in every step but the last of its block: in products of bfloat16 one block of five steps diverges,
    while three and two are as exact as one by one (two and three are four times worse).
    """
    found: list[list[Triple]] = []
    growth = 1.0
    for triple in coefficients:
        longest = 3 if len(found) == 1 else 2
        if 2 * n <= 3 * m or not found or len(found[-1]) == longest or growth > GROWTH:
            found.append([])
            growth = 1.0
        found[-1].append(triple)
        growth *= triple[0] ** 2
    return tuple(map(tuple, found))


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

    @property
    def width(self) -> int:
        """Of the blocks of a square product in full, `side` high: at most 768."""
        return max(w for w in range(self.side, 769, self.side) if self.rows % w == 0)

    def flops(self, steps: Sequence[Triple]) -> int:
        """Of the factor of a block of steps, padding included: its Gram matrix and products."""
        half, full = 2 * self.side**2 * self.blocks, 2 * self.rows**2
        return half * self.cols + sum(full if p.full else half for p in products(steps)) * self.rows

    @property
    def flops_of_last(self) -> int:
        """Of the factor times x."""
        return 2 * self.rows**2 * self.cols


def tiles(m: int, n: int) -> Tiles:
    """The tiles with the fewest flops; those of 256 count less, as v6e and v7x multiply 256 x 256."""

    def cost(side: int) -> float:
        rows = -(-m // side) * side
        return rows**2 * (rows + side) * (1 if side == 256 else 1.1)

    side = min((256, 128), key=cost)
    depth = min((512, 384, 256), key=lambda d: -(-n // d) * d)
    return Tiles(side, -(-m // side) * side, -(-n // depth) * depth, depth)


class Product(NamedTuple):
    """a + b r + c x y of the matrices in two buffers, y symmetric; the result too, if it is not `full`."""

    x: int
    y: int
    to: int
    full: int  # 0: its lower half is made; 1: all of it; 2: all of it, and written transposed
    numbers: Triple = (0.0, 0.0, 1.0)


def products(steps: Sequence[Triple]) -> list[Product]:
    """Those of a block of steps behind its Gram matrix r; the block's factor is Q's at the end.

    p r and the factor are symmetric but for rounding: by halves, the mean of two roundings would be lost, and
    the error of large singular values be 1.4 times as large. r = p r p is symmetric with rounding, too. The
    factor is kept transposed until the last step: then y, the buffer read by rows, is symmetric.
    """
    found, last = [], len(steps) - 1
    for i, triple in enumerate(steps):
        q, before = (Q, OTHER) if (last - i) % 2 == 0 else (OTHER, Q)
        p = P if i else q
        found.append(Product(GRAM, GRAM, p, 0, triple))
        if i:
            found.append(Product(before, p, q, 2 if i == last else 1))
        if i < last:
            found += [Product(p, GRAM, before, 1), Product(before, p, GRAM, 0)]
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
