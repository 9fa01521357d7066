"""Symmetric (Hermitian) matrices at half the bytes: a rectangle of slices, exact, without gathers."""

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
    half, _ = shape(m)
    b, both = x[..., :half], x[..., half : 2 * half + 1]
    below = _below(half)[:, :half]
    a, c = both[..., :half], both[..., 1:]  # of a the lower half counts, of c the upper
    a = jnp.where(below, a, _turned(a))
    c = jnp.where(below.T, c, _turned(c))
    top = jnp.concatenate([a, _turned(b)], -1)
    return jnp.concatenate([top, jnp.concatenate([b, c], -1)], -2)[..., :m, :m]


def _turned(x: Array) -> Array:
    return jnp.swapaxes(x, -1, -2).conj()
