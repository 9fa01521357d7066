"""What the codecs share."""

from __future__ import annotations

import jax.numpy as jnp

from gradchain.codec import Codec, CodecError
from gradchain.slots import Slot


def real(codec: Codec, slot: Slot) -> None:
    """Raise where a slot is not of real floating-point numbers."""
    if not jnp.issubdtype(slot.dtype, jnp.floating):
        raise CodecError(f"holds real floating-point numbers, and the slot is {jnp.dtype(slot.dtype).name}")
    if slot.exact and not codec.plain:
        raise CodecError("is for running averages, and the slot holds parameters or sums: use bfloat16")
