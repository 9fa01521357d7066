"""rank_one: squares of a matrix as their means over rows and over columns."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import jax.numpy as jnp
from jax import Array

from gradchain.core.codec import Bits, Codec, CodecError
from gradchain.core.slots import Slot, drop
from gradchain.math.numerics import safe_divide
from gradchain.storage.base import real


@dataclasses.dataclass(frozen=True, repr=False)
class rank_one(Codec):
    """Squares v of a matrix, or of a stack of them, as row means r and column means c: v = r c / mean(r).

    The update is computed from what is stored, so that a second moment becomes Adafactor's: scale_by_rms
    kept so is scale_by_factored_rms. The leaf's axes say what rows and columns are; vectors, and matrices
    with fewer of either than `min_dim_size_to_factor`, stay as they are. arXiv:1804.04235
    """

    min_dim_size_to_factor: int = 128
    rows: tuple[int, ...] = ()  # found from the slot
    cols: tuple[int, ...] = ()

    name: ClassVar[str] = "rank_one"
    parts: ClassVar[tuple[str, ...]] = ("", "col")
    through: ClassVar[bool] = True

    def fit(self, slot: Slot) -> rank_one | None:
        """With the axes of the leaf; None for a leaf that is not factored."""
        real(self, slot)
        leaf = slot.leaf
        if not slot.positive:
            raise CodecError("holds squares, and the slot is signed")
        if leaf is None or slot.shape != leaf.shape or not leaf.axes.rows:
            return None
        sizes = [math.prod(leaf.shape[i] for i in axes) for axes in (leaf.axes.rows, leaf.axes.cols)]
        if min(sizes) < max(self.min_dim_size_to_factor, 1):
            return None
        return dataclasses.replace(self, rows=leaf.axes.rows, cols=leaf.axes.cols)

    def slots(self, slot: Slot) -> tuple[Slot, ...]:
        """Means over the columns, and over the rows."""
        leaf: Any = slot.leaf
        return drop(leaf, self.cols), drop(leaf, self.rows)

    def encode(self, x: Array, bits: Bits) -> tuple[Array, ...]:
        """Both means."""
        return jnp.mean(x, self.cols), jnp.mean(x, self.rows)

    def decode(self, row: Array, col: Array) -> Array:
        """r c / mean(r), zero where r is."""
        r, c = jnp.expand_dims(row, self.cols), jnp.expand_dims(col, self.rows)
        return safe_divide(r, jnp.mean(r, self.rows, keepdims=True)) * c
