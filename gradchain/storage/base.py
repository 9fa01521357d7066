"""What the codecs share."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp

from gradchain.core.codec import Codec, CodecError
from gradchain.core.slots import Slot


def of_sign(codec: Any, slot: Slot) -> Any:
    """The codec for squares or for signed values, as the slot is; an error where it is for the other."""
    real(codec, slot)
    if codec.positive is not None and codec.positive != slot.positive:
        raise CodecError(
            "holds squares, and the slot is signed"
            if codec.positive
            else "holds signed values, which may round to zero, and the slot is of squares"
        )
    return dataclasses.replace(codec, positive=slot.positive)


def real(codec: Codec, slot: Slot) -> None:
    """Raise where a slot is not of real floating-point numbers."""
    if not jnp.issubdtype(slot.dtype, jnp.floating):
        raise CodecError(f"holds real floating-point numbers, and the slot is {jnp.dtype(slot.dtype).name}")
    if slot.exact and not codec.plain:
        raise CodecError("is for running averages, and the slot holds parameters or sums: use bfloat16")
