"""Rounding and its noise, by integer arithmetic alone: the same bits eager, jitted, scanned and sharded."""

from __future__ import annotations

import functools
import operator
import zlib

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

MANTISSA = 23  # bits of a float32's mantissa
BIAS = 127  # of its exponent
MAGIC = np.float32(1.5 * 2.0**MANTISSA).view(np.int32).item()
GOLDEN = np.uint32(0x9E3779B9)


def _mix(x: Array, word: Array | None = None) -> Array:
    """A permutation of uint32 in which every bit of the input moves every bit of the output."""
    x = (x ^ (x >> 16)) * np.uint32(0x7FEB352D)
    x = x if word is None else x + word
    x = (x ^ (x >> 15)) * np.uint32(0x846CA68B)
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


def _index(shape: tuple[int, ...]) -> Array:
    """A number for each element, no two alike below 2^32; rows are padded to an odd length.

    Checksums of files are made of these numbers: they must not change. j + stride * i is written
    (j - i) a + (j + i) b: arithmetic on the index of one axis alone would become an array, and a kernel.
    """
    if not shape:
        return jnp.zeros(shape, jnp.uint32)
    *others, last = (lax.broadcasted_iota(jnp.uint32, shape, i) for i in range(len(shape)))
    index, stride = last, shape[-1] | 1
    for along, size in zip(reversed(others), reversed(shape[:-1]), strict=True):
        a, b = (np.uint32(x % 2**32) for x in ((1 - stride) // 2, (1 + stride) // 2))
        index, stride = (index - along) * a + (index + along) * b, stride * size | 1
    return index


def _short_index(shape: tuple[int, ...]) -> Array:
    """A number for each element, no two alike below 2^31 of a matrix, 2^30 of three axes, ...

    Of i < m and j < n with m <= n the number is (j - i) m + i, with m made odd. Each operation has both:
    arithmetic on the index of one axis alone would become an array, and a kernel, of its own.
    """
    if not shape:
        return jnp.zeros(shape, jnp.uint32)
    *others, index = (lax.broadcasted_iota(jnp.uint32, shape, i) for i in range(len(shape)))
    size = shape[-1]
    for along, n in zip(reversed(others), reversed(shape[:-1]), strict=True):
        more, less = (index, along) if n <= size else (along, index)
        stride = min(n, size) | 1
        index, size = (more - less) * np.uint32(stride % 2**32) + less, (n + size) * stride
    return index


def random_bits(key: Array, shape: tuple[int, ...], *salts) -> Array:
    """Uniform uint32 noise from the key, each element's index and what says which array it is for.

    It does not matter which part of the array a device holds. A counter hash: no state, no array in memory,
    a few integer operations for each element. Key and salts do not meet: what a GPU would compute from
    scalars for each leaf becomes a kernel for each leaf.
    """
    return _mix(functools.reduce(operator.xor, salts, _index(shape)), key)


def bits_of_slot(key: Array, shape: tuple[int, ...], salt, slot: np.uint32) -> Array:
    """The same for a slot of a leaf, uniform in its upper bits.

    Only the last product differs from slot to slot: what comes before it a kernel computes once.
    """
    x = _short_index(shape) ^ salt
    x = (x ^ (x >> 16)) * np.uint32(0x7FEB352D) + key
    return (x ^ (x >> 15)) * (slot | np.uint32(1))


def bits_of(x: Array) -> Array:
    """The bits of float32 values as int32."""
    return lax.bitcast_convert_type(x.astype(jnp.float32), jnp.int32)


def from_bits(bits: Array) -> Array:
    """float32 values from their bits."""
    return lax.bitcast_convert_type(bits.astype(jnp.int32), jnp.float32)


def small_float(n: Array) -> Array:
    """Integers below 2^22 as float32, by their bits.

    The TPU compiler makes one kernel of what computes codes and parameters if the codes are converted from
    floats; with a conversion from int32 to int8 it makes two, which read everything twice.
    """
    return from_bits(n + MAGIC) - np.float32(1.5 * 2.0**MANTISSA)


def uniform(bits: Array) -> Array:
    """Numbers of [0, 1) from uniform bits, a multiple of 2^-24 each."""
    return (bits >> 8).astype(jnp.float32) * jnp.float32(2.0**-24)


def drop_bits(x: Array, dropped: int, bits: Array) -> Array:
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
        rounded = lax.reduce_precision(x, info.nexp, info.nmant)
    else:
        rounded = drop_bits(x, MANTISSA - info.nmant, bits)
    if info.nexp < 8:  # below the smallest normal number float16 is a fixed grid; above the largest, infinity
        grid = 2.0 ** (info.minexp - info.nmant)
        steps = jnp.round(x / grid) if bits is None else jnp.floor(x / grid + uniform(bits))
        rounded = jnp.where(jnp.abs(x) < float(info.tiny), steps * grid, rounded)
        largest = float(info.max)
        rounded = jnp.where(jnp.abs(rounded) > largest, jnp.sign(x) * jnp.inf, rounded)
    return rounded


def step_key(seed: int, count: Array) -> Array:
    """The key of a step, computed once: XLA for GPU would compute it anew for each leaf."""
    return lax.optimization_barrier(fold(seed, count))


def check_seed(who: str, seed) -> None:
    """Raise for a seed that is not a whole number: a JAX key is not a value."""
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise TypeError(f"{who}: seed is {seed!r}; expected a whole number")
