"""Sums over data axes, inside shard_map: reduced to a part on each device, one mesh axis after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import place, versions
from gradchain.core.place import Split
from gradchain.sharding.gather import LARGE, PART
from gradchain.sharding.mesh import is_tpu

SUBLANES, LANES = 8, 128  # rows and columns of a TPU's tile
Ways = Sequence[tuple[str, int]]  # mesh axes and the dimensions that they take, in order


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
        if not others and _lies_across(x, ways):
            return summed(_by_rows(x, ways), rest)
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


def _lies_across(x: Array, ways: Ways) -> bool:
    """Whether a large matrix is cut along one dimension alone, into pieces that are no whole tiles."""
    home = place.of(x)
    if home is None or not is_tpu(home.mesh) or not versions.BARRIERS_KEEP_TYPES:
        return False
    dims = {dim for _, dim in ways}
    if x.ndim != 2 or len(dims) != 1 or x.nbytes < LARGE:
        return False
    (dim,), n = dims, math.prod(jax.lax.axis_size(name) for name, _ in ways)
    return x.shape[dim] // n % LANES > 0 and x.shape[1 - dim] >= 8 * SUBLANES * n


def _by_rows(x: Array, ways: Ways) -> Array:
    """The sum, scattered along the other dimension in parts, and then turned: a device's piece alone."""
    across = ways[0][1] == 0
    x = x.T if across else x
    (rows, columns), sizes = x.shape, [jax.lax.axis_size(name) for name, _ in ways]
    grain = SUBLANES * math.prod(sizes)
    length = max(PART // (columns * x.dtype.itemsize) // grain, 1) * grain
    pieces: list[Array] = []
    for i in range(0, rows, length):
        if pieces:  # one after the other
            x, pieces[-1] = jax.lax.optimization_barrier((x, pieces[-1]))
        part = jax.lax.slice_in_dim(x, i, min(i + length, rows))
        part = jnp.pad(part, ((0, -part.shape[0] % grain), (0, 0)))
        for (name, _), size in zip(ways, sizes, strict=True):
            cut = part.reshape(size, -1, columns)
            part = jax.lax.psum_scatter(cut, name, scatter_dimension=0, tiled=False)
        pieces.append(part)
    lengths = [piece.shape[0] for piece in pieces]
    own = jnp.concatenate(pieces)
    for name, _ in ways:
        own = jax.lax.all_to_all(own, name, split_axis=1, concat_axis=0, tiled=True)
    own = own.reshape(*reversed(sizes), sum(lengths), -1)
    order = (*reversed(range(len(sizes))), len(sizes), len(sizes) + 1)
    turned, at = [], 0
    for n in lengths:
        part = jax.lax.slice_in_dim(own, at, at + n, axis=len(sizes))
        turned.append(part.transpose(order).reshape(-1, own.shape[-1]))
        at += n
    found = jnp.concatenate(turned)[:rows]
    return found.T if across else found
