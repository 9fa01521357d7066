"""Codec: how an array of state is kept in fewer bits; Plan: how leaves are read and their state is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import NamedSharding

from gradchain.core import kinds
from gradchain.core.slots import AxesRule, Slot, default_axes
from gradchain.math import rounding

Bits = Callable[[], Array]  # uniform uint32 noise, one for each element of the array that is encoded


class CodecError(ValueError):
    """A slot that a codec cannot hold."""


class Codec:
    """How one array of state is kept, as one or several arrays; a subclass is a frozen dataclass.

    `fit(slot)` is the codec with what it must know of a slot, None to leave it exact, or CodecError.
    `slots(slot)` describes the arrays that are kept, one for each of `parts`: the first under the field's own
    name, another under `{field}_{part}`. `encode(x, bits)` makes them of float32 values, with the noise
    `bits()` where rounding is stochastic; `decode(*arrays)` gives the values back. All parts of zeros must be
    zeros. Of a `delayed` codec all parts but the first are scales, which kernels measure in some steps only,
    by `measure(x)`: in the others they are given to encode(x, bits, *scales).
    """

    name: ClassVar[str] = "codec"
    parts: ClassVar[tuple[str, ...]] = ("",)
    plain: ClassVar[bool] = False  # the array is the value in another dtype: parameters may be kept so
    delayed: ClassVar[bool] = False  # scales are measured in steps 1, 2, 4, ... and each `every`
    through: ClassVar[bool] = False  # the update is computed from what is kept, not from what is lost

    def __post_init__(self) -> None:
        for name, kind in kinds.of_fields(type(self)).items():
            object.__setattr__(self, name, kind.check(self.name, name, getattr(self, name)))

    def fit(self, slot: Slot) -> Codec | None:
        """The codec for a slot; None where it leaves a slot as it is."""
        raise NotImplementedError

    def slots(self, slot: Slot) -> tuple[Slot, ...]:
        """What is kept of a slot."""
        raise NotImplementedError

    def measure(self, x: Array) -> tuple[Array, ...]:
        """The scales of a delayed codec."""
        raise NotImplementedError

    def encode(self, x: Array, bits: Bits, *scales: Array) -> tuple[Array, ...]:
        """The arrays that are kept of x."""
        raise NotImplementedError

    def decode(self, *kept: Array) -> Array:
        """The values, in float32."""
        raise NotImplementedError

    def __repr__(self) -> str:
        fields: Any = dataclasses.fields(self)  # pyright: ignore[reportArgumentType]
        given = [(f.name, getattr(self, f.name)) for f in fields if getattr(self, f.name) != f.default]
        return f"codecs.{self.name}({', '.join(f'{k}={v!r}' for k, v in given)})"


@dataclasses.dataclass(frozen=True)
class Part(Slot):
    """An array that is kept of another slot, by a codec."""

    codec: Any = None
    whole: Any = None  # the Slot it is kept of
    index: int = 0

    def make(self) -> jax.Array:
        """The encoded start value; of zeros, zeros."""
        if not isinstance(self.whole.fill, str | jax.Array) and self.whole.fill == 0:
            return super().make()
        path = "" if self.leaf is None else self.leaf.path
        return encode_alone(self.codec, self.whole.make(), None, rounding.word(path), "")[self.index]


def kept(codec: Codec | None, slot: Slot) -> dict[str, Slot]:
    """The slots of what is kept of a slot, by part."""
    if codec is None:
        return {"": slot}
    made = zip(codec.parts, codec.slots(slot), strict=True)
    return {
        part: Part(s.shape, s.dtype, s.axes, 0, s.positive, slot.leaf, codec=codec, whole=slot, index=i)
        for i, (part, s) in enumerate(made)
    }


def field_of(field: str, part: str) -> str:
    """The name in the state of a part of a field."""
    return f"{field}_{part}" if part else field


def encode(
    codec: Codec, x: Array, key: Array | None, salt, name: str, scales: tuple[Array, ...] = ()
) -> tuple[Array, ...]:
    """What is kept of x, with the noise of this step, leaf (`salt`) and slot (`name`)."""

    def bits() -> Array:
        start = rounding.fold(0) if key is None else key
        return rounding.bits_of_slot(start, x.shape, salt, rounding.word(name))

    return codec.encode(x.astype(jnp.float32), bits, *scales)


encode_alone = jax.jit(encode, static_argnums=(0, 4))  # outside a kernel
decode_alone = jax.jit(lambda codec, arrays: codec.decode(*arrays), static_argnums=0)


Choice = Callable[[str, str, Slot], Codec | None]


@dataclasses.dataclass(frozen=True)
class Plan:
    """How leaves are read and state is kept: the rule of axes, and for (link, field, slot) the codec."""

    axes: AxesRule = default_axes
    placed: Callable[[str, Any], NamedSharding | None] | None = None  # where a wrapper puts a leaf, by path
    codec: Choice | None = None
    key: Array | None = None  # the noise of this step
    count: Array | None = None  # its number, for codecs that measure in some steps
    whole: Any = None  # the parameters with the leaves that nothing acts on, where some are left out
    lift: Callable[[Any], Any] | None = (
        None  # a part of the leaves as another library's transformation sees it
    )

    def within(self) -> Plan:
        """The plan for a transform that sees a part of the leaves: a selection in it is one of that part."""
        return self if self.whole is None else dataclasses.replace(self, whole=None)
