"""int8, int8_linear, fp8: a byte for each number and a scale for each block along the last axis."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array

from gradchain.codec import Bits, Codec, CodecError
from gradchain.rounding import uniform
from gradchain.slots import Slot
from gradchain.storage.base import real


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
        if not isinstance(self.block, int) or self.block < 1:
            raise ValueError(f"{self.name}: block is {self.block!r}; expected a whole number, 1 or more")

    def fit(self, slot: Slot) -> Blocks:
        """For squares codes without a sign."""
        real(self, slot)
        if self.positive and not slot.positive:
            raise CodecError("holds squares, and the slot is signed")
        if not slot.shape:
            raise CodecError("needs an axis to take blocks of, and the slot is a scalar")
        return dataclasses.replace(self, positive=slot.positive if self.positive is None else self.positive)

    def slots(self, slot: Slot) -> tuple[Slot, ...]:
        """The codes, and the scales of their blocks."""
        shape = (*slot.shape[:-1], -(-slot.shape[-1] // self.block))
        scale = Slot(shape, jnp.dtype(jnp.float32), (*slot.axes[:-1], None), leaf=slot.leaf)
        return dataclasses.replace(slot, dtype=jnp.dtype(self.dtypes[bool(self.positive)])), scale

    def encode(self, x: Array, bits: Bits) -> tuple[Array, ...]:
        """Codes of x / scale, which is within -1 and 1, and the scales."""
        n, blocks = x.shape[-1], -(-x.shape[-1] // self.block)
        padded = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, blocks * self.block - n)])
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

    def _spread(self, scale: Array, n: int) -> Array:
        """The scale of every number."""
        return jnp.repeat(scale, self.block, axis=-1, total_repeat_length=scale.shape[-1] * self.block)[
            ..., :n
        ]

    def _code(self, x: Array, bits: Bits) -> Array:
        raise NotImplementedError

    def _value(self, codes: Array) -> Array:
        raise NotImplementedError

    def _smallest(self) -> Array:
        """The code of the smallest positive number."""
        return jnp.ones((), jnp.int32)


@functools.cache
def dynamic_map(positive: bool) -> np.ndarray:
    """The 256 values of the dynamic map in order: a decade, then even steps within it, arXiv:2110.02861.

    The decade 10^-d from 1 to 0.1 has 2^(6-d) steps (twice that without a sign), at their midpoints.
    """
    found = [0.0, 1.0]
    for d in range(7):
        ends = np.linspace(0.1, 1, 2 ** (6 - d + positive) + 1)
        middles = (ends[1:] + ends[:-1]) / 2 * 10.0**-d
        found += [*middles] if positive else [*middles, *-middles]
    return np.sort(np.asarray(found, np.float32))


@dataclasses.dataclass(frozen=True, repr=False)
class int8(Blocks):
    """One byte by the dynamic map of 8-bit Adam, in blocks of 256: seven decades, finer towards 1.

    Rounded to the nearest of the 256 values. arXiv:2110.02861
    """

    name: ClassVar[str] = "int8"
    dtypes: ClassVar[tuple[Any, Any]] = (jnp.uint8, jnp.uint8)

    @property
    def _zero(self) -> int:
        return 0 if self.positive else 127  # where 0 stands in the map

    def _code(self, x: Array, bits: Bits) -> Array:
        table = dynamic_map(bool(self.positive))
        found = jnp.searchsorted((table[1:] + table[:-1]) / 2, x, method="scan_unrolled")
        return (found - self._zero).astype(jnp.uint8)  # modulo 256: zero is 0

    def _value(self, codes: Array) -> Array:
        return jnp.asarray(dynamic_map(bool(self.positive)))[
            (codes + jnp.uint8(self._zero)).astype(jnp.int32)
        ]


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
