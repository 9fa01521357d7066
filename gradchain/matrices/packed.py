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
    a, b, c = _blocks(x, m)
    below = _below(a.shape[-1])[:, :-1]
    a, c = jnp.where(below, a, _turned(a)), jnp.where(below.T, c, _turned(c))
    return _assembled(a, _turned(b), b, c, m)


def unpack_lower(x: Array, m: int) -> Array:
    """[..., m / 2, m + 1] -> [..., m, m], the lower triangle alone."""
    a, b, c = _blocks(x, m)
    below = _below(a.shape[-1])[:, :-1]
    a, c = jnp.where(below, a, 0), _turned(jnp.where(below.T, c, 0))
    return _assembled(a, jnp.zeros_like(b), b, c, m)


def _blocks(x: Array, m: int) -> tuple[Array, Array, Array]:
    """Of the packed matrix (A, B^H; B, C): A, of which the lower half counts, B, and C, the upper half."""
    half, _ = shape(m)
    both = x[..., half : 2 * half + 1]
    return both[..., :half], x[..., :half], both[..., 1:]


def _assembled(a: Array, right: Array, below: Array, c: Array, m: int) -> Array:
    top, bottom = jnp.concatenate([a, right], -1), jnp.concatenate([below, c], -1)
    return jnp.concatenate([top, bottom], -2)[..., :m, :m]


def _turned(x: Array) -> Array:
    return jnp.swapaxes(x, -1, -2).conj()
