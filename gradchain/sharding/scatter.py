"""Sums over data axes, inside shard_map: reduced to a part on each device, one mesh axis after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import place
from gradchain.core.place import Split

SUBLANES, LANES = 8, 128  # rows and columns of a TPU's tile


def summed(x: Array, names: Sequence[str]) -> Array:
    """The sum over all devices of these axes, on each of them."""
    return jax.lax.psum(x, tuple(names)) if names else x


def scatter(x: Array, start: Split, end: Split, names: Sequence[str]) -> Array:
    """The sum over the data axes of an array split as `start`; each device keeps its part of `end`."""
    ways: list[tuple[str, int]] = []
    before = start
    for split in place.route(start, end):
        dim = next(d for d, (a, b) in enumerate(zip(before, split, strict=True)) if a != b)
        ways.append((split[dim][-1], dim))
        before = split
    rest = tuple(n for n in names if n not in {name for name, _ in ways})
    others = {n for here in start for n in here}

    def local(x: Array) -> Array:
        for name, dim in ways:
            x = _scatter(x, name, dim)
        return summed(x, rest)

    if not others:
        return local(x)
    # On an explicit mesh JAX cannot scatter while other axes are in the type: all are manual here.
    spec = place.spec_of([[n for n in here if n in others] for here in start])
    return jax.shard_map(local, in_specs=spec, out_specs=spec, axis_names=others)(x)


def _scatter(x: Array, name: Any, dim: int) -> Array:
    """psum_scatter along a dimension, as the TPU compiler keeps it one.

    It makes an all-reduce where pieces end within a tile, and of every array with four axes: unless the
    pieces are whole tiles they become the first axis of three. Of the first dimension that is a reshape, of
    others a copy.
    """
    size = jax.lax.axis_size(name)
    piece = x.shape[dim] // size
    tile = LANES if dim == x.ndim - 1 else SUBLANES if dim == x.ndim - 2 else 1
    if dim > 0 and x.ndim <= 3 and piece % tile == 0:
        return jax.lax.psum_scatter(x, name, scatter_dimension=dim, tiled=True)
    cut = jnp.moveaxis(x.reshape(*x.shape[:dim], size, piece, *x.shape[dim + 1 :]), dim, 0)
    flat = cut.reshape(size, -1, cut.shape[-1])
    return jax.lax.psum_scatter(flat, name, scatter_dimension=0, tiled=False).reshape(cut.shape[1:])
