"""Rounding and its noise, by integer arithmetic alone: the same bits eager, jitted, scanned and sharded."""

from __future__ import annotations

import functools
import math
import operator
import zlib

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

MANTISSA = 23  # bits of a float32's mantissa
GOLDEN = np.uint32(0x9E3779B9)


def _mix(x: Array, word: Array | None = None) -> Array:
    """A permutation of uint32 in which every bit of the input moves every bit of the output."""
    x = (x ^ (x >> 16)) * np.uint32(0x7FEB352D)
    x = x ^ (x >> 15)
    x = (x if word is None else x + word) * np.uint32(0x846CA68B)
    return x ^ (x >> 16)


def _word(x):
    return jnp.asarray(np.uint32(x & 0xFFFFFFFF) if isinstance(x, int) else x).astype(jnp.uint32)


@functools.lru_cache(maxsize=65536)
def word(name: str) -> np.uint32:
    """A number for a name: the salt of a leaf's path."""
    return np.uint32(zlib.crc32(name.encode()))


def fold(*words) -> Array:
    """A key for `random_bits` from numbers: seed, step, the leaf's salt, the slot."""
    return functools.reduce(lambda key, word: _mix(key ^ _mix(_word(word))) + GOLDEN, words, jnp.uint32(0))


def random_bits(key: Array, shape: tuple[int, ...]) -> Array:
    """Uniform uint32 noise from the key and each element's index, whatever part of the array a device holds.

    A counter hash: no state, no array in memory, an integer multiplication or two for each element.
    """
    strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    parts = [
        lax.broadcasted_iota(jnp.uint32, shape, i) * np.uint32(stride & 0xFFFFFFFF)
        for i, stride in enumerate(strides)
    ]
    index = functools.reduce(operator.add, parts) if parts else jnp.zeros(shape, jnp.uint32)
    return _mix(index ^ key, _mix(~key))


def bits_of(x: Array) -> Array:
    """The bits of float32 values as int32."""
    return lax.bitcast_convert_type(x.astype(jnp.float32), jnp.int32)


def from_bits(bits: Array) -> Array:
    """float32 values from their bits."""
    return lax.bitcast_convert_type(bits.astype(jnp.int32), jnp.float32)


def _drop(x: Array, dropped: int, bits: Array) -> Array:
    """x without its last mantissa bits, one step further from zero with the probability that they say.

    A carry runs into the exponent, as it should: the next number up. NaN and infinity stay.
    """
    noise = lax.shift_right_logical(bits, np.uint32(32 - dropped)).astype(jnp.int32)
    return jnp.where(jnp.isfinite(x), from_bits((bits_of(x) + noise) & -(1 << dropped)), x)


def round_to(x: Array, dtype, bits: Array | None = None) -> Array:
    """float32 values that `dtype` (bfloat16, float16) holds exactly: the nearest, or stochastic with bits.

    Stochastic rounding takes the neighbour above or below so that the mean over the noise is x itself. It is
    done on integers: XLA for GPU drops a conversion there and back as excess precision.
    """
    info = jnp.finfo(dtype)
    if info.bits >= 32:
        return x
    x = x.astype(jnp.float32)
    if bits is None:
        return lax.reduce_precision(x, info.nexp, info.nmant)
    rounded = _drop(x, MANTISSA - info.nmant, bits)
    if info.nexp < 8:  # below the smallest normal number float16 is a fixed grid; above the largest, infinity
        grid = 2.0 ** (info.minexp - info.nmant)
        steps = jnp.floor(x / grid + (bits >> 8).astype(jnp.float32) * 2.0**-24)
        rounded = jnp.where(jnp.abs(x) < float(info.tiny), steps * grid, rounded)
        largest = float(info.max)
        rounded = jnp.where(jnp.abs(rounded) > largest, jnp.sign(x) * jnp.inf, rounded)
    return rounded


def uniform(bits: Array) -> Array:
    """Numbers of [0, 1) from uniform bits, a multiple of 2^-24 each."""
    return (bits >> 8).astype(jnp.float32) * jnp.float32(2.0**-24)
