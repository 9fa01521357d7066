"""log8: eight bits for values of any size, without blocks or scales."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
from jax import Array, lax

from gradchain.core import words
from gradchain.core.codec import Bits, Codec
from gradchain.core.slots import Slot
from gradchain.math.rounding import BIAS, MANTISSA, bits_of, from_bits, small_float
from gradchain.storage.base import of_sign

INF = 0xFF << MANTISSA  # the bits of infinity
SIGN = -(1 << 31)
LEVELS = {2: 1, 4: 2, 8: 3}  # bits of mantissa for each number of levels


@dataclasses.dataclass(frozen=True, repr=False)
class log8(Codec):
    """One byte: an exponent and `levels` steps in each octave, rounded stochastically.

    Code n = levels * (e - low + 1) + j stands for 2^e (1 + j / levels), the first `levels` codes for
    2^low n / levels: zero is 0. Squares have 8 bits, from 2^(2 low - 2) on; signed values a sign and 7 bits.
    The neighbour above is taken with the probability (x - below) / (above - below), so that the mean over
    the noise is x and a slow average does not stall. Beyond the range the last code stands, and for a square
    below it the first, never zero: an Adam whose gradients are too large takes steps up to 3 times as long.
    NaN and infinity have codes of their own, a negative square is NaN.

    By default means lie between 7e-9 and 40, their squares between 6e-17 and 1200, in steps of 12 to 25
    percent; two levels double the octaves. Integer arithmetic: every bit is the same on every device.
    """

    low: int = -25
    levels: int = 4
    positive: bool | None = None  # found from the slot

    name: ClassVar[str] = "log8"

    def __post_init__(self):
        super().__post_init__()
        if self.levels not in LEVELS:
            raise ValueError(f"log8: levels is {words.show(self.levels)}; expected 2, 4 or 8")
        for positive in (False, True):
            low, high = self.exponents(positive)
            if low < -125 or high > 127:
                raise ValueError(
                    f"log8: low is {words.show(self.low)}; with {self.levels} levels, "
                    f"{'squares' if positive else 'means'} would have exponents from {words.show(low)} to "
                    f"{words.show(high)}, and "
                    "float32 has -125 to 127"
                )

    def exponents(self, positive: bool) -> tuple[int, int]:
        """Of the first code in even steps, and of the last."""
        low = 2 * self.low - 2 if positive else self.low
        return low, low + self._top(positive) // self.levels - 1

    @staticmethod
    def _top(positive: bool) -> int:
        """The last finite code; the next is infinity, the one after it NaN."""
        return 253 if positive else 125

    def fit(self, slot: Slot) -> log8:
        """8 bits for squares, a sign and 7 bits for anything else."""
        return of_sign(self, slot)

    def slots(self, slot: Slot) -> tuple[Slot, ...]:
        """One byte for each number."""
        return (dataclasses.replace(slot, dtype=jnp.dtype(jnp.uint8 if self.positive else jnp.int8)),)

    def encode(self, x: Array, bits: Bits) -> tuple[Array, ...]:
        """The code of each value, the neighbour above it where the noise says so."""
        positive, low, rest, start = self._numbers()
        found = bits_of(x)
        size = found & 0x7FFFFFFF
        # Below 2^low the steps are even: 2^low is added, and its exponent taken away again.
        even = bits_of(jnp.abs(x) + jnp.float32(2.0**low)) - (1 << MANTISSA)
        noise = lax.shift_right_logical(bits(), jnp.uint32(32 - rest)).astype(jnp.int32)
        code = (jnp.where(size < low + BIAS << MANTISSA, even, size) + noise >> rest) - start
        # Each comparison has one use: of one that is shared XLA for GPU makes an array in memory.
        beyond = (size >= INF).astype(jnp.float32) + (size > INF).astype(jnp.float32)
        code = jnp.minimum(small_float(code), self._top(positive) + beyond)
        if positive:
            code = jnp.where(size > 0, jnp.maximum(code, 1), 0)
            return (jnp.where(x < 0, 255, code).astype(jnp.uint8),)
        return (from_bits(bits_of(code) | (found & SIGN)).astype(jnp.int8),)

    def decode(self, code: Array) -> Array:
        """The value of each code."""
        positive, low, rest, start = self._numbers()
        found = code.astype(jnp.int32)
        size = jnp.abs(found)
        even = size.astype(jnp.float32) * jnp.float32(2.0**low / self.levels)
        value = jnp.where(size < self.levels, even, from_bits(size + start << rest))
        top = self._top(positive)
        value = jnp.where(size > top, jnp.where(size > top + 1, jnp.nan, jnp.inf), value)
        return value if positive else jnp.where(found < 0, -value, value)

    def _numbers(self) -> tuple[bool, int, int, int]:
        """(squares, the exponent of the first even code, bits that are rounded off, start of the codes)."""
        positive = bool(self.positive)
        low, rest = self.exponents(positive)[0], MANTISSA - LEVELS[self.levels]
        return positive, low, rest, (low + BIAS - 1) * self.levels
