"""log4: four bits for each value, beside exponents of rows and of columns."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from gradchain.core import words
from gradchain.core.codec import Bits, Codec
from gradchain.core.slots import Axes, Slot
from gradchain.math.rounding import BIAS, MANTISSA, bits_of, from_bits, small_float
from gradchain.storage.base import of_sign

TOP = {True: 14, False: 7}  # the largest code of squares, and of signed values
NAN = {True: 15, False: -8}
SMALLEST = {True: -100, False: -50}  # exponents that are measured; where nothing is known, the first of them
LARGEST = 100
UNKNOWN = 126  # greater than any; kept as 0, and exponents that are not positive as one less


@dataclasses.dataclass(frozen=True, repr=False)
class log4(Codec):
    """Half a byte: a code for each octave below the largest value of the row and of the column.

    Code n stands for 2^(E - N + n), code 0 for zero: 14 octaves of squares (N = 14), a sign and 7 octaves of
    anything else. 2^E is no less than the smaller of two values, the largest of the row and the largest of
    the column; of a vector the largest of all. The exponents are measured in steps 1, 2, 4, ... and each
    `every` steps; in between a value beyond 2^E is kept as 2^E. Rounding is stochastic: the mean over the
    noise is x, also below the first code, but that a square is never zero. What is no finite number, or a
    negative square, is NaN. State of AdamW: one byte a parameter, on devices.
    """

    every: int = 64
    positive: bool | None = None  # found from the slot
    rows: tuple[int, ...] = ()
    cols: tuple[int, ...] = ()

    name: ClassVar[str] = "log4"
    parts: ClassVar[tuple[str, ...]] = ("", "row_scale", "col_scale")
    delayed: ClassVar[bool] = True

    def __post_init__(self):
        super().__post_init__()
        if self.every < 1:
            raise ValueError(f"log4: every is {words.show(self.every)}; expected at least 1")

    def fit(self, slot: Slot) -> log4:
        """With the axes of the leaf, where the slot has them; else all is one row."""
        leaf = slot.leaf
        axes = Axes() if leaf is None or slot.shape != leaf.shape else leaf.axes
        others = tuple(i for i in range(len(slot.shape)) if i not in axes.batch)
        cols = axes.cols if axes.rows else others
        return dataclasses.replace(of_sign(self, slot), rows=axes.rows, cols=cols)

    def slots(self, slot: Slot) -> tuple[Slot, ...]:
        """The codes, the exponents of rows, those of columns."""
        codes = dataclasses.replace(slot, dtype=jnp.dtype(jnp.int4))
        row, col = (self._exponents(slot, axes) for axes in (self.cols, self.rows))
        return codes, row, col

    def _exponents(self, slot: Slot, over: tuple[int, ...]) -> Slot:
        keep = tuple(i for i in range(len(slot.shape)) if i not in over) if over else ()
        shape = tuple(slot.shape[i] for i in keep)
        return Slot(shape, jnp.dtype(jnp.int8), tuple(slot.axes[i] for i in keep), leaf=slot.leaf)

    def measure(self, x: Array) -> tuple[Array, ...]:
        """The exponents above the largest values of rows, and of columns; a vector has no columns."""
        size = jnp.where(jnp.isfinite(x), jnp.abs(x), 0)
        row = self._above(jnp.max(size, self.cols) if self.cols else size)
        col = self._above(jnp.max(size, self.rows)) if self.rows else jnp.zeros((), jnp.int8)
        return row, col

    def _above(self, largest: Array) -> Array:
        e = (bits_of(largest) - 1 >> MANTISSA) - (BIAS - 1)  # 2^e >= largest
        e = jnp.clip(e, SMALLEST[bool(self.positive)], LARGEST)
        return jnp.where(largest > 0, e - (e <= 0), 0).astype(jnp.int8)

    @staticmethod
    def _known(kept: Array) -> Array:
        e = kept.astype(jnp.int32)
        return jnp.where(e == 0, UNKNOWN, e + (e < 0))

    def _exponent(self, row: Array, col: Array) -> Array:
        """E of each value, in int32."""
        e = jnp.expand_dims(self._known(row), self.cols)
        if self.rows:
            e = jnp.minimum(e, jnp.expand_dims(self._known(col), self.rows))
        return jnp.where(e == UNKNOWN, SMALLEST[bool(self.positive)], e)

    def encode(self, x: Array, bits: Bits, *scales: Array) -> tuple[Array, ...]:
        """The code of each value, the neighbour above it where the noise says so."""
        row, col = scales or self.measure(x)
        top, start = TOP[bool(self.positive)], BIAS - TOP[bool(self.positive)]
        size = jnp.abs(x) * from_bits((BIAS - self._exponent(row, col)) << MANTISSA)
        found = bits_of(size)
        # Below the first code the steps are even: it is added, and its exponent taken away again.
        even = bits_of(size + np.float32(2.0 ** (1 - top))) - (1 << MANTISSA)
        noise = lax.shift_right_logical(bits(), np.uint32(32 - MANTISSA)).astype(jnp.int32)
        code = (jnp.where(found < (start + 1) << MANTISSA, even, found) + noise >> MANTISSA) - start
        code = jnp.minimum(small_float(code), top)
        lost = ~jnp.isfinite(x)
        if self.positive:
            code = jnp.where(x > 0, jnp.maximum(code, 1), 0)
            code = jnp.where(lost | (x < 0), NAN[True], code)
            code = jnp.where(code > 7, code - 16, code)  # checkpoints of other libraries have no uint4
        else:
            code = jnp.where(lost, NAN[False], jnp.where(x < 0, -code, code))
        return code.astype(jnp.int4), row, col

    def decode(self, codes: Array, row: Array, col: Array) -> Array:
        """The value of each code."""
        positive, found = bool(self.positive), codes.astype(jnp.int32)
        size = found & 15 if positive else jnp.abs(found)
        value = from_bits((self._exponent(row, col) - TOP[positive] + size + BIAS) << MANTISSA)
        value = jnp.where(
            size == 0, 0, jnp.where((size if positive else found) == NAN[positive], jnp.nan, value)
        )
        return value if positive else jnp.where(found < 0, -value, value)
