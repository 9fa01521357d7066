"""float32, bfloat16, float16: another dtype, rounded to nearest or stochastically."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import jax.numpy as jnp
from jax import Array

from gradchain.core.codec import Bits, Codec
from gradchain.core.slots import Slot
from gradchain.math.rounding import round_to
from gradchain.storage.base import of_sign, real


@dataclasses.dataclass(frozen=True, repr=False)
class float32(Codec):
    """No codec: four bytes for each number. For slots that are to stay exact: {"mu": "float32"}."""

    name: ClassVar[str] = "float32"
    plain: ClassVar[bool] = True
    dtype: ClassVar[Any] = jnp.float32

    def fit(self, slot: Slot) -> float32:
        """The same codec."""
        real(self, slot)
        return self

    def slots(self, slot: Slot) -> tuple[Slot, ...]:
        """The slot in another dtype."""
        return (dataclasses.replace(slot, dtype=jnp.dtype(self.dtype)),)

    def encode(self, x: Array, bits: Bits) -> tuple[Array, ...]:
        """The values in the dtype."""
        return (x.astype(self.dtype),)

    def decode(self, kept: Array) -> Array:
        """The values in float32."""
        return kept.astype(jnp.float32)


@dataclasses.dataclass(frozen=True, repr=False)
class bfloat16(float32):
    """Two bytes, 8 bits of precision, the range of float32; stochastic=True: the mean over the noise is x.

    Rounded to nearest, an average with a decay above 0.996 can stall: what it gains in a step is less than
    half the distance to the next number.
    """

    stochastic: bool = False

    name: ClassVar[str] = "bfloat16"
    dtype: ClassVar[Any] = jnp.bfloat16

    def encode(self, x: Array, bits: Bits) -> tuple[Array, ...]:
        """The values in the dtype."""
        return (round_to(x, self.dtype, bits() if self.stochastic else None).astype(self.dtype),)


@dataclasses.dataclass(frozen=True, repr=False)
class float16(bfloat16):
    """Two bytes, 11 bits of precision, from 6e-8 to 65,504; of squares the root is kept, for its range.

    Larger values become infinity, a positive square that is smaller the smallest number, never zero.
    """

    positive: bool | None = None  # found from the slot

    name: ClassVar[str] = "float16"
    plain: ClassVar[bool] = True
    dtype: ClassVar[Any] = jnp.float16

    def fit(self, slot: Slot) -> float16:
        """With the root for squares."""
        return of_sign(self, slot)

    def encode(self, x: Array, bits: Bits) -> tuple[Array, ...]:
        """The values, or their roots."""
        if not self.positive:
            return super().encode(x, bits)
        (kept,) = super().encode(jnp.sqrt(x), bits)
        return (jnp.where((x > 0) & (kept == 0), jnp.float16(2.0**-24), kept),)

    def decode(self, kept: Array) -> Array:
        """The values in float32."""
        x = kept.astype(jnp.float32)
        return x * x if self.positive else x
