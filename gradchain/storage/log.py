"""log8: a logarithm in 8 bits, for values of any size, without blocks or scales."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
from jax import Array, lax

from gradchain.codec import Bits, Codec, CodecError
from gradchain.rounding import MANTISSA, bits_of, from_bits, uniform
from gradchain.slots import Slot
from gradchain.storage.base import real

INF = 0xFF << MANTISSA  # the bits of infinity
BIAS = 127  # of a float32's exponent
NAN = INF | 1 << MANTISSA - 1


@dataclasses.dataclass(frozen=True, repr=False)
class log8(Codec):
    """One byte: the exponent and `levels` steps in each octave, rounded stochastically.

    code 1 + levels * (e - low) + j stands for 2^e * (1 + j / levels), 0 for zero; squares use 8 bits from
    2^(2 low - 2) on, signed values a sign and 7 bits from 2^low on. The neighbour above is taken with the
    probability (x - below) / (above - below): the mean over the noise is x, so that a slow average does not
    stall. Beyond the range a value becomes infinity, a square below it the smallest code, never zero; NaN
    and infinity have codes of their own. `positive` is found from the slot.

    With 3 levels: 2^-32 to 2^9 signed, 2^-66 to 2^18 squared, steps of 20 to 33 percent; integers only, so
    that every bit is the same on every device.
    """

    low: int = -32
    levels: int = 3
    positive: bool | None = None

    name: ClassVar[str] = "log8"

    def __post_init__(self):
        if not isinstance(self.levels, int) or not 2 <= self.levels <= 32:
            raise ValueError(f"log8: levels is {self.levels!r}; expected a whole number from 2 to 32")
        for positive in (False, True):
            low, high = self._range(positive)
            if low < -126 or high > 127:
                raise ValueError(
                    f"log8: low={self.low} with {self.levels} levels spans the exponents {low} to {high}; float32 has "
                    "-126 to 127"
                )

    def _range(self, positive: bool) -> tuple[int, int]:
        """The exponents of the smallest and the largest code."""
        low = 2 * self.low - 2 if positive else self.low
        return low, low + (self._top(positive) - 1) // self.levels

    @staticmethod
    def _top(positive: bool) -> int:
        """The largest finite code; one above it is infinity."""
        return 253 if positive else 126

    def fit(self, slot: Slot) -> log8:
        """The codec of 8 bits for squares, of a sign and 7 bits for anything else."""
        real(self, slot)
        if self.positive and not slot.positive:
            raise CodecError("holds squares, and the slot is signed")
        return dataclasses.replace(self, positive=slot.positive if self.positive is None else self.positive)

    def slots(self, slot: Slot) -> tuple[Slot, ...]:
        """One byte for each number."""
        return (dataclasses.replace(slot, dtype=jnp.dtype(jnp.uint8 if self.positive else jnp.int8)),)

    def encode(self, x: Array, bits: Bits) -> tuple[Array, ...]:
        """The code of each value, the neighbour above it where the noise says so."""
        positive, top, noise = bool(self.positive), self._top(bool(self.positive)), bits()
        low, _ = self._range(positive)
        found = bits_of(x)
        size = found & 0x7FFFFFFF
        exponent = (size >> MANTISSA) - BIAS
        scaled = (size & (1 << MANTISSA) - 1) * self.levels
        part = (scaled & (1 << MANTISSA) - 1) - self._slack  # of the way to the next level, in 2^-23
        draw = lax.shift_right_logical(noise, jnp.uint32(9)).astype(jnp.int32)
        code = (exponent - low) * self.levels + (scaled >> MANTISSA) + 1 + (draw < part)
        if positive:
            below = (size > 0).astype(jnp.int32)
        else:
            below = (uniform(noise) < from_bits(size) * jnp.float32(2.0**-low)).astype(jnp.int32)
        code = jnp.where(exponent < low, below, jnp.minimum(code, top + 1))
        if positive:
            code = jnp.where((size > INF) | ((found < 0) & (size > 0)), top + 2, code)
            return (code.astype(jnp.uint8),)
        code = jnp.where(size > INF, top + 2, code)
        return (jnp.where(found < 0, -code, jnp.where(code > 127, -128, code)).astype(jnp.int8),)

    def decode(self, code: Array) -> Array:
        """The value of each code."""
        positive, top = bool(self.positive), self._top(bool(self.positive))
        low, _ = self._range(positive)
        found = code.astype(jnp.int32)
        size = jnp.abs(found)
        k = size - 1
        octave = (k * self._inverse) >> 16  # k // levels
        value = ((octave + (low + BIAS)) << MANTISSA) + (k - octave * self.levels) * self._level
        value = jnp.where(size == 0, 0, jnp.where(size > top, jnp.where(size > top + 1, NAN, INF), value))
        return from_bits(jnp.where(found < 0, value | jnp.int32(-(2**31)), value))

    @property
    def _level(self) -> int:
        """The mantissa of the first level above a power of two, rounded up."""
        return -(-(1 << MANTISSA) // self.levels)

    @property
    def _slack(self) -> int:
        """By how much levels that are rounded up may seem to lie above themselves."""
        return (self.levels - 1) * (self.levels * self._level - (1 << MANTISSA))

    @property
    def _inverse(self) -> int:
        """k * inverse >> 16 is k // levels for all k of 8 bits."""
        return (1 << 16) // self.levels + 1
