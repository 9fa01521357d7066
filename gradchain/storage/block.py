"""int8, int8_linear, fp8: a byte for each number and a scale for each block along the last axis."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import NamedSharding

from gradchain.core import place, words
from gradchain.core.codec import Bits, Codec, CodecError
from gradchain.core.slots import Slot
from gradchain.math.rounding import BIAS, MANTISSA, bits_of, from_bits, small_float, uniform
from gradchain.storage.base import of_sign

MAX_BLOCK = 2**20


@dataclasses.dataclass(frozen=True, repr=False)
class Blocks(Codec):
    """Codes relative to the largest absolute value of a block; the dimensions of the slot are kept.

    x [..., n] becomes codes [..., n] and `scale` [..., ceil(n / block)] float32. A NaN, an infinity
    or a negative square makes its block NaN. A square that would round to zero takes the smallest code that
    is not.
    """

    block: int = 256
    positive: bool | None = None  # found from the slot

    parts: ClassVar[tuple[str, ...]] = ("", "scale")
    dtypes: ClassVar[tuple[Any, Any]] = (jnp.int8, jnp.uint8)  # of signed values, and of squares

    def __post_init__(self):
        super().__post_init__()
        if not 1 <= self.block <= MAX_BLOCK:
            raise ValueError(
                f"{self.name}: block is {words.show(self.block)}; expected a whole number from 1 to "
                f"{MAX_BLOCK}: "
                "the last axis is padded to whole blocks"
            )

    def fit(self, slot: Slot) -> Blocks:
        """For squares codes without a sign."""
        if not slot.shape:
            raise CodecError("needs an axis to take blocks of, and the slot is a scalar")
        return of_sign(self, slot)

    def slots(self, slot: Slot) -> tuple[Slot, ...]:
        """The codes, and the scales of their blocks."""
        shape = (*slot.shape[:-1], -(-slot.shape[-1] // self.block))
        along = slot.axes[-1] if self._apart(slot.shape[-1], slot.sharding) else None
        scale = Slot(shape, jnp.dtype(jnp.float32), (*slot.axes[:-1], along), leaf=slot.leaf)
        return dataclasses.replace(slot, dtype=jnp.dtype(self.dtypes[bool(self.positive)])), scale

    def encode(self, x: Array, bits: Bits) -> tuple[Array, ...]:
        """Codes of x / scale, which is within -1 and 1, and the scales."""
        n, blocks = x.shape[-1], -(-x.shape[-1] // self.block)
        local = n == self.block or self._apart(n, place.of(x))
        padded = x if local else place.whole_along(x, x.ndim - 1)
        if blocks * self.block != n:
            padded = jnp.pad(padded, [(0, 0)] * (x.ndim - 1) + [(0, blocks * self.block - n)])
        padded = padded.reshape(*x.shape[:-1], blocks, self.block)
        scale = jnp.max(jnp.abs(padded), axis=-1)
        codes = self._code(x / self._spread(jnp.where(scale > 0, scale, 1), n), bits)
        allowed = jnp.isfinite(padded)
        if self.positive:
            smallest = self._smallest().astype(codes.dtype)
            codes = jnp.where((x > 0) & (codes == 0), smallest, codes)
            allowed &= padded >= 0
        return codes, jnp.where(jnp.all(allowed, axis=-1), scale, jnp.nan)

    def decode(self, codes: Array, scale: Array) -> Array:
        """The values in float32."""
        return self._value(codes) * self._spread(scale, codes.shape[-1])

    def _apart(self, n: int, at: NamedSharding | None) -> bool:
        """Whether the last axis, of n numbers, is split and each device has whole blocks of it."""
        names = () if at is None or not at.spec else place.split_of(at.spec, 0)[-1:]
        devices = math.prod(at.mesh.shape[name] for here in names for name in here) if at is not None else 1
        return devices > 1 and n % (devices * self.block) == 0

    def _spread(self, scale: Array, n: int) -> Array:
        """The scale of every number."""
        wide = jnp.broadcast_to(scale[..., None], (*scale.shape, self.block))
        return wide.reshape(*scale.shape[:-1], -1)[..., :n]

    def _code(self, x: Array, bits: Bits) -> Array:
        raise NotImplementedError

    def _value(self, codes: Array) -> Array:
        raise NotImplementedError

    def _smallest(self) -> Array:
        """The code of the smallest positive number."""
        return jnp.ones((), jnp.int32)


DECADES = 7


def _power_of_ten(n: Array) -> Array:
    """10^n for n from 0 to 6, by choice: exact, and a table would be a gather."""
    found = jnp.full(n.shape, 1, jnp.float32)
    for i in range(1, DECADES):
        found = jnp.where(n == i, np.float32(10.0**i), found)
    return found


@dataclasses.dataclass(frozen=True, repr=False)
class int8(Blocks):
    """One byte by the dynamic map of 8-bit Adam, in blocks of 256: seven decades, finer towards 1.

    The decade from 10^-(d+1) to 10^-d has 2^(6-d) even steps (for squares, without a sign, twice as many),
    each with its middle as the value; 0 and 1 are values too. The nearest value is taken. arXiv:2110.02861
    """

    name: ClassVar[str] = "int8"
    # Of signed values 128 stands for 1, and 129 to 255 for negative ones.
    dtypes: ClassVar[tuple[Any, Any]] = (jnp.uint8, jnp.uint8)

    def _code(self, x: Array, bits: Bits) -> Array:
        more, size = int(bool(self.positive)), jnp.abs(x)
        # A decade begins halfway between its own first value and the last of the one below.
        ends = [10.0 ** (i - DECADES) * (1 + 1.8 * 2.0 ** -(i + more)) for i in range(1, DECADES)]
        decade = jnp.zeros(x.shape, jnp.int32)
        for end in ends:
            decade += (size >= np.float32(end)).astype(jnp.int32)
        steps = lax.shift_left(jnp.full(x.shape, 1 + more, jnp.int32), decade)
        part = (size * _power_of_ten(DECADES - 1 - decade) - np.float32(0.1)) * np.float32(1 / 0.9)
        step = jnp.clip(jnp.floor(part * small_float(steps)).astype(jnp.int32), 0, steps - 1)
        code = steps - more + step
        code = jnp.where(size < np.float32((0.55 - 0.225 * more) * 0.5e-6), 0, code)
        code = jnp.where(size >= np.float32(1 - 0.225 * 2.0 ** -(DECADES - 1 + more)), 128 << more, code)
        code = jnp.minimum(code, 255 if more else 128)
        return small_float(jnp.where((x < 0) & (code > 0), 256 - jnp.minimum(code, 127), code)).astype(
            jnp.uint8
        )

    def _value(self, codes: Array) -> Array:
        more, code = int(bool(self.positive)), codes.astype(jnp.int32)
        negative = (code > 128) if not more else jnp.zeros(code.shape, bool)
        size = jnp.where(negative, 256 - code, code) + more
        whole = small_float(jnp.maximum(size, 1))  # 2^octave (1 + part)
        octave = (bits_of(whole) >> MANTISSA) - BIAS
        scale = from_bits((BIAS - octave) << MANTISSA)  # 2^-octave
        part = whole * scale - 1 + 0.5 * scale
        value = (np.float32(0.1) + np.float32(0.9) * part) / _power_of_ten(DECADES - 1 + more - octave)
        value = jnp.where(size == 128 << more, 1, jnp.where(size == more, 0, value))
        return jnp.where(negative, -value, value)


@dataclasses.dataclass(frozen=True, repr=False)
class int8_linear(Blocks):
    """One byte in even steps, in blocks: too coarse for squares, which span many orders of magnitude.

    Here for comparison, and for values of one size. stochastic=True: the mean over the noise is x.
    """

    stochastic: bool = False

    name: ClassVar[str] = "int8_linear"

    def _code(self, x: Array, bits: Bits) -> Array:
        scaled = x * (255 if self.positive else 127)
        rounded = jnp.floor(scaled + uniform(bits())) if self.stochastic else jnp.round(scaled)
        return rounded.astype(self.dtypes[bool(self.positive)])

    def _value(self, codes: Array) -> Array:
        return codes.astype(jnp.float32) * np.float32(1 / (255 if self.positive else 127))


@dataclasses.dataclass(frozen=True, repr=False)
class fp8(Blocks):
    """One byte as float8 e4m3 (4 bits of exponent, 3 of mantissa) in blocks; of squares the root is kept."""

    name: ClassVar[str] = "fp8"
    dtypes: ClassVar[tuple[Any, Any]] = (jnp.float8_e4m3fn, jnp.float8_e4m3fn)
    largest: ClassVar[float] = 448.0

    def _code(self, x: Array, bits: Bits) -> Array:
        return ((jnp.sqrt(x) if self.positive else x) * self.largest).astype(jnp.float8_e4m3fn)

    def _value(self, codes: Array) -> Array:
        x = codes.astype(jnp.float32) * np.float32(1 / self.largest)
        return x * x if self.positive else x

    def _smallest(self) -> Array:
        return jnp.asarray(2.0**-9, jnp.float8_e4m3fn)
