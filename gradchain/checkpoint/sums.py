"""Checksums of arrays where they are: on the devices, the same however they are split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from gradchain.checkpoint.moved import on_device
from gradchain.math import rounding

UNSIGNED = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32}  # by bytes
SEEDS = (0x5EED0001, 0x5EED0002)


def checksums(arrays: Mapping[str, Any]) -> dict[str, str]:
    """A checksum of 64 bits for each array.

    Two sums over the elements, modulo 2^32, of a hash of (seed, index, bits): sums of integers come out the
    same in any order, so on any mesh. No array is copied to the host; from there they come one by one.
    """
    found = {}
    for name, x in arrays.items():
        here = on_device(x) if isinstance(x, jax.Array) else jnp.asarray(_narrow(np.asarray(x)))
        # One at a time: XLA for CPU hangs with more than 32 programs that wait for other devices.
        found[name] = "".join(f"{int(s):08x}" for s in jax.device_get(_sums(here)))
    return found


def _narrow(x: Any) -> np.ndarray:
    """Numbers of 64 bits as two of 32, as `_words` has them: without x64 JAX would round them."""
    if x.dtype == np.complex128:
        return np.stack([_narrow(x.real), _narrow(x.imag)])
    if x.dtype.itemsize < 8 or x.dtype.kind not in "iuf":
        return x
    return np.ascontiguousarray(x)[..., None].view(np.uint32)


@jax.jit
def _sums(x: Array) -> list[Array]:
    words = _words(x)
    return [
        jnp.sum(
            rounding.random_bits(rounding.fold(seed), words.shape, rounding.fold(seed, words)),
            dtype=jnp.uint32,
        )
        for seed in SEEDS
    ]


def _words(x: Array) -> Array:
    """The bits of an array as uint32, one for each element, or two along a new last axis."""
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        return jnp.stack([_words(x.real), _words(x.imag)])
    if x.dtype == jnp.bool_:
        return x.astype(jnp.uint32)
    if jnp.issubdtype(x.dtype, jnp.integer) and jnp.iinfo(x.dtype).bits < 8:
        x = x.astype(jnp.int8)
    size = x.dtype.itemsize
    if size in UNSIGNED:
        return lax.bitcast_convert_type(x, UNSIGNED[size]).astype(jnp.uint32)
    return lax.bitcast_convert_type(x, jnp.uint32)
