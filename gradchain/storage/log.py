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
    NaN and infinity have codes of their own; a negative square is NaN, or zero if it is above -2^(2 low - 2).

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
        found, top = bits_of(x), self._top(positive)
        size = x.astype(jnp.float32) if positive else jnp.abs(x.astype(jnp.float32))
        # Below 2^low the steps are even: those of the octave below, twice as long.
        size = jnp.maximum(size, (size + jnp.float32(2.0**low)) * jnp.float32(0.5))
        # As unsigned numbers, and where there is a sign half of both: with a NaN the sum would overflow.
        half, size_bits = int(positive), lax.bitcast_convert_type(size, jnp.uint32)
        code = (size_bits >> half) + (bits() >> (32 - rest + half)) >> rest - half
        code = small_float(lax.bitcast_convert_type(code, jnp.int32) - start)
        # Each comparison has one use: of one that is shared XLA for GPU makes an array in memory.
        beyond = jnp.where(size == jnp.inf, jnp.float32(top + 1), jnp.float32(top + 2))
        if positive:  # as an unsigned number what is negative lies above infinity
            last = jnp.where(lax.bitcast_convert_type(found, jnp.uint32) < INF, jnp.float32(top), beyond)
            least = jnp.where(found > 0, jnp.float32(1), jnp.float32(0))
            return (jnp.maximum(jnp.minimum(code, last), least).astype(jnp.int32).astype(jnp.uint8),)
        last = jnp.where(size < jnp.inf, jnp.float32(top), beyond)
        code = from_bits(bits_of(jnp.minimum(code, last)) | (found & SIGN))
        return (code.astype(jnp.int32).astype(jnp.int8),)

    def decode(self, code: Array) -> Array:
        """The value of each code."""
        positive, low, rest, start = self._numbers()
        found, top = code.astype(jnp.int32).astype(jnp.float32), self._top(positive)
        size = found if positive else jnp.abs(found)
        if self.levels == 2:
            size = jnp.minimum(size, top + 2)  # -128
        # 2^23 + n has the bits of n in its last places; above the last code are those of infinity and NaN.
        beyond = (INF >> rest) - top - 1
        first = jnp.where(size > top, jnp.float32(2**MANTISSA + beyond), jnp.float32(2**MANTISSA + start))
        even = size * jnp.float32(2.0**low / self.levels)
        value = jnp.where(size < self.levels, even, from_bits(bits_of(size + first) << rest))
        return value if positive else from_bits(bits_of(value) | (bits_of(found) & SIGN))

    def _numbers(self) -> tuple[bool, int, int, int]:
        """(squares, the exponent of the first even code, bits that are rounded off, start of the codes)."""
        positive = bool(self.positive)
        low, rest = self.exponents(positive)[0], MANTISSA - LEVELS[self.levels]
        return positive, low, rest, (low + BIAS - 1) * self.levels
