"""Symmetric (Hermitian) and triangular matrices at half the bytes: slices in a rectangle, without gathers."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax


def shape(m: int) -> tuple[int, int]:
    """Of a packed matrix [m, m]: (m / 2, m + 1), of an odd m that of m + 1.

    From 128 on there are columns of zeros up to a multiple of 8, so that both sides can be split over a mesh.
    """
    half = (m + 1) // 2
    width = 2 * half + 1
    return half, width if m < 128 else -(-width // 8) * 8


def _below(half: int) -> Array:
    """Where a triangle of [half, half + 1] holds the upper block's lower half, its diagonal included."""
    return lax.broadcasted_iota(jnp.int32, (half, half + 1), 0) >= lax.broadcasted_iota(
        jnp.int32, (half, half + 1), 1
    )


def pack(x: Array) -> Array:
    """[..., m, m] -> [..., m / 2, m + 1]; of x only the lower triangle is kept.

    x = (A, B^H; B, C) in blocks of half the size gives (B | lower half of A, upper half of C^H).
    Source: rectangular full packed format, Gustavson et al. 2010.
    """
    half, width = shape(x.shape[-1])
    odd = 2 * half - x.shape[-1]
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(0, odd)] * 2)
    a, b, c = x[..., :half, :half], x[..., half:, :half], x[..., half:, half:]
    none = [(0, 0)] * (x.ndim - 1)
    both = jnp.where(_below(half), jnp.pad(a, [*none, (0, 1)]), jnp.pad(_turned(c), [*none, (1, 0)]))
    empty = jnp.zeros((*b.shape[:-1], width - 2 * half - 1), b.dtype)
    return jnp.concatenate([b, both, empty], -1)


def unpack(x: Array, m: int) -> Array:
    """[..., m / 2, m + 1] -> [..., m, m], symmetric."""
    a, b, c = _blocks(x)
    below = _below(a.shape[-1])[:, :-1]
    a, c = jnp.where(below, a, _turned(a)), jnp.where(below.T, c, _turned(c))
    top = jnp.concatenate([a, _turned(b)], -1)
    return jnp.concatenate([top, jnp.concatenate([b, c], -1)], -2)[..., :m, :m]


def lower(x: Array) -> tuple[Array, Array]:
    """Of a packed matrix (A, 0; B, C), the lower triangle alone: (A; B) and C, each m / 2 wide.

    The size is even: of an odd m that of m + 1, with zeros.
    """
    a, b, c = _blocks(x)
    below = _below(a.shape[-1])[:, :-1]
    a, c = jnp.where(below, a, 0), _turned(jnp.where(below.T, c, 0))
    return jnp.concatenate([a, b], -2), c


def unpack_lower(x: Array, m: int) -> Array:
    """[..., m / 2, m + 1] -> [..., m, m], the lower triangle alone."""
    left, c = lower(x)
    half = c.shape[-1]
    right = jnp.pad(c, [*[(0, 0)] * (c.ndim - 2), (half, 0), (0, 0)])
    return jnp.concatenate([left, right], -1)[..., :m, :m]


def _blocks(x: Array) -> tuple[Array, Array, Array]:
    """Of the packed matrix (A, B^H; B, C): A, of which the lower half counts, B, and C, the upper half."""
    half = x.shape[-2]
    both = x[..., half : 2 * half + 1]
    return both[..., :half], x[..., :half], both[..., 1:]


def _turned(x: Array) -> Array:
    return jnp.swapaxes(x, -1, -2).conj()
