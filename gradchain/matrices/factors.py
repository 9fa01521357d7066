"""Factors of matrices: which sides have one, in which blocks, and how the state keeps them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

import jax.numpy as jnp
from jax import Array

from gradchain.core import place
from gradchain.core.slots import Leaf, Slot, SlotMaker, absent, zeros
from gradchain.math import numerics
from gradchain.matrices import packed
from gradchain.matrices.per_matrix import sides

Sides = Literal["both", "short", "left", "right"]
Kind = Literal["symmetric", "square", "values"]


@dataclasses.dataclass(frozen=True)
class Cut:
    """How the matrices [rows, cols] of a leaf are cut into blocks, and which sides have factors."""

    rows: int
    cols: int
    over: tuple[int, int]  # blocks along rows, along columns
    has: tuple[bool, bool]  # whether there is a left factor, a right one

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns of a block; the last ones are filled up with zeros."""
        return -(-self.rows // self.over[0]), -(-self.cols // self.over[1])

    @property
    def cost(self) -> float:
        """What it costs to renew the factors of a matrix: for each block the cubes of its sides."""
        return math.prod(self.over) * sum(n**3 for n, on in zip(self.block, self.has, strict=True) if on)

    def blocks(self, x: Array) -> Array:
        """[k, rows, cols] -> [k * blocks, m, n]"""
        (a, b), (m, n) = self.over, self.block
        if (a, b) == (1, 1):
            return x
        x = jnp.pad(x, ((0, 0), (0, a * m - self.rows), (0, b * n - self.cols)))
        return x.reshape(-1, a, m, b, n).swapaxes(2, 3).reshape(-1, m, n)

    def whole(self, x: Array) -> Array:
        """[k * blocks, m, n] -> [k, rows, cols]"""
        (a, b), (m, n) = self.over, self.block
        if (a, b) == (1, 1):
            return x
        x = x.reshape(-1, a, b, m, n).swapaxes(2, 3).reshape(-1, a * m, b * n)
        return x[:, : self.rows, : self.cols]


@dataclasses.dataclass(frozen=True)
class Factors:
    """Which sides of matrices get factors: `sides`, none longer than `max_size`, cut to at most `block_size`.

    "short" is the shorter side, the left one of two equal ones. A side of 1 has no factor, a vector none.
    """

    block_size: int | None = None
    max_size: int | None = None
    sides: Sides = "both"

    def check(self, who: str) -> None:
        """Raise where the sizes are none."""
        if self.block_size is not None and self.block_size < 2:
            raise ValueError(
                f"{who}: block_size is {self.block_size}; expected at least 2, or None: no blocks"
            )
        if self.max_size is not None and self.max_size < 1:
            raise ValueError(f"{who}: max_precond_dim is {self.max_size}; expected at least 1, or None")

    def cut(self, leaf: Leaf) -> Cut | None:
        """How a leaf is cut; None where it has no factor."""
        _, rows, cols = sides(leaf.shape, leaf.axes)
        wanted = {
            "both": (True, True),
            "left": (True, False),
            "right": (False, True),
            "short": (rows <= cols, rows > cols),
        }[self.sides]
        if not (leaf.axes.rows and leaf.axes.cols) or 0 in leaf.shape:
            return None
        left, right = (
            on and 1 < n <= (self.max_size or n) for on, n in zip(wanted, (rows, cols), strict=True)
        )
        over = tuple(
            -(-n // (self.block_size or n)) if on else 1
            for on, n in zip((left, right), (rows, cols), strict=True)
        )
        return Cut(rows, cols, (over[0], over[1]), (left, right)) if left or right else None


@dataclasses.dataclass(frozen=True)
class Factor:
    """A field of the state with an array for each block: of the left side (0) or the right (1).

    "symmetric" [k, m, m], kept at half the bytes; "square" [k, m, m]; "values" [k, m], real, kept in rows
    so that both axes of a mesh can split them.
    It starts at eye times the unit matrix, values at eye.
    """

    side: int
    kind: Kind = "symmetric"
    eye: float = 0.0

    def size(self, cut: Cut) -> tuple[int, int]:
        """The two dimensions of what is kept of a block."""
        m = cut.block[self.side]
        return {"symmetric": packed.shape(m), "square": (m, m), "values": _folded(m)}[self.kind]

    def slot(self, leaf: Leaf, cut: Cut | None) -> Slot:
        """[*batch, blocks * height, width]; of a leaf without this factor a scalar."""
        if cut is None or not cut.has[self.side]:
            return absent(leaf)
        height, width = self.size(cut)
        batch = tuple(leaf.shape[i] for i in leaf.axes.batch)
        ends = (math.prod(cut.over) * height, width)
        dtype = numerics.wide_dtype(leaf.dtype)
        values = self.kind == "values"
        fill: Any = self.eye if values or not self.eye else lambda _: self.start(cut, dtype)
        return Slot(
            (*batch, *ends),
            jnp.finfo(dtype).dtype if values else dtype,
            (*leaf.axes.batch, *split_along(leaf, ends)),
            fill,
            positive=values,
            leaf=leaf,
            exact=True,
        )

    def start(self, cut: Cut, dtype: Any) -> Array:
        """The unit matrices of one matrix's blocks, as they are kept."""
        eye = self.eye * jnp.eye(cut.block[self.side], dtype=dtype)
        kept = packed.pack(eye) if self.kind == "symmetric" else eye
        return jnp.tile(kept, (math.prod(cut.over), 1))

    def blocks(self, x: Array, cut: Cut) -> Array:
        """[k, blocks * height, width] -> [k * blocks, m, m] or [k * blocks, m]"""
        x = x.reshape(-1, *self.size(cut))
        if self.kind == "values":
            return x.reshape(len(x), -1)
        return packed.unpack(x, cut.block[self.side]) if self.kind == "symmetric" else x

    def whole(self, x: Array, cut: Cut) -> Array:
        """The other way round."""
        height, width = self.size(cut)
        x = packed.pack(x) if self.kind == "symmetric" else x
        return x.reshape(-1, math.prod(cut.over) * height, width)


def _folded(m: int) -> tuple[int, int]:
    """m numbers as rows and columns: of the powers of two that divide m the largest up to its root."""
    rows = math.gcd(m, 2 ** (m.bit_length() // 2))
    return (rows, m // rows) if rows * rows <= m else (rows // 2, 2 * m // rows)


def split_along(leaf: Leaf, ends: tuple[int, int]) -> list[int | None]:
    """The axes of a leaf that its factor is split along: those that are split, where pieces are equal."""
    found: list[int | None] = [None, None]
    if leaf.sharding is None:
        return found
    split = place.split_of(leaf.sharding.spec, len(leaf.shape))
    for axis in leaf.axes.matrix:
        pieces = math.prod(leaf.sharding.mesh.shape[name] for name in split[axis])
        free = [i for i in (0, 1) if found[i] is None and ends[i] % pieces == 0]
        if pieces > 1 and free:
            found[free[0]] = axis
    return found


@dataclasses.dataclass(frozen=True)
class Otherwise:
    """A field for leaves that have no factor; for those with one it is None."""

    slot: SlotMaker = zeros
