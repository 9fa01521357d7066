"""Carrying whole matrices to the devices that work on them and back: all-to-alls within a shard_map."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from gradchain.matrices.spread import Shipment, Tiling


class Carrier:
    """Takes one array of each matrix of a shipment to its device, and a result back; within shard_map."""

    def __init__(self, shipment: Shipment, tilings: Sequence[Tiling], sizes: Mapping[str, int]):
        self.shipment, self.tilings, self.sizes = shipment, tilings, sizes
        self.lengths = [sizes[n] for n in shipment.over]
        self.devices = math.prod(self.lengths)
        members = {leaf for row in shipment.rows for leaf, _ in row}
        kinds: dict[Any, Tiling] = {tilings[i].kind: tilings[i] for i in sorted(members)}
        self.shape = tuple(max(t.shape[side] for t in kinds.values()) for side in (0, 1))
        # What is cut over the same mesh axes travels in one array: by those axes, its kinds.
        self.classes: dict[frozenset[str], list[Tiling]] = {}
        for t in kinds.values():
            self.classes.setdefault(frozenset(t.split), []).append(t)

    def collect(self, stacks: Sequence[Array]) -> Array:
        """From the pieces that each device has, [n, elements] for each leaf, whole matrices: [rows, m, n]."""
        return functools.reduce(jnp.add, [self._collect(stacks, k) for k in self.classes])

    def give_back(self, y: Array) -> list[tuple[int, int, Array]]:
        """From results, [rows, m, n], pieces [n, elements] as (leaf, first matrix, pieces)."""
        return [found for axes in self.classes for found in self._give_back(y, axes)]

    def _width(self, axes: frozenset[str]) -> int:
        return max(math.prod(t.local(self.sizes)) for t in self.classes[axes])

    def _collect(self, stacks: Sequence[Array], axes: frozenset[str]) -> Array:
        width, rows, parts = self._width(axes), len(self.shipment.rows), []
        dtype = next(iter(stacks)).dtype
        for leaf, first, end in self.shipment.segments(self.devices):
            if leaf >= 0 and frozenset(self.tilings[leaf].split) == axes:
                x = stacks[leaf][first:end]
                parts.append(jnp.pad(x, ((0, 0), (0, width - x.shape[1]))))
            else:
                parts.append(jnp.zeros((end - first, width), dtype))
        x = jnp.concatenate(parts).reshape(rows, *self.lengths, width)
        for i, name in enumerate(self.shipment.over, 1):
            if name in axes:  # to each device its matrix: the dimension says now where a piece is from
                x = lax.all_to_all(x, name, i, i, tiled=True)
            else:  # this device has what the others along the axis have
                x = lax.dynamic_slice_in_dim(x, lax.axis_index(name), 1, i)
        return self._chosen(axes, [self._assembled(x, t) for t in self.classes[axes]])

    def _give_back(self, y: Array, axes: frozenset[str]) -> list[tuple[int, int, Array]]:
        width = self._width(axes)
        x = self._chosen(axes, [self._cut(y, t, width) for t in self.classes[axes]])
        for i, name in reversed(list(enumerate(self.shipment.over, 1))):
            if name in axes:
                x = lax.all_to_all(x, name, i, i, tiled=True)
            else:
                x = lax.all_gather(x, name, axis=i, tiled=True)
        x, found, at = x.reshape(-1, width), [], 0
        for leaf, first, end in self.shipment.segments(self.devices):
            if leaf >= 0 and frozenset(self.tilings[leaf].split) == axes:
                elements = math.prod(self.tilings[leaf].local(self.sizes))
                found.append((leaf, first, x[at : at + end - first, :elements]))
            at += end - first
        return found

    def _chosen(self, axes: frozenset[str], ways: list[Array]) -> Array:
        """Of the arrays for each kind, row by row that of the kind of this device's matrix."""
        kinds = [t.kind for t in self.classes[axes]]
        if len(kinds) == 1:
            return ways[0]
        table = [[-1] * self.devices for _ in self.shipment.rows]
        for r, row in enumerate(self.shipment.rows):
            for d, (leaf, _) in enumerate(row):
                kind = self.tilings[leaf].kind
                table[r][d] = kinds.index(kind) if kind in kinds else -1
        here = jnp.zeros((), jnp.int32)
        for name in self.shipment.over:
            here = here * self.sizes[name] + lax.axis_index(name)
        mine = jnp.asarray(table, jnp.int32)[:, here]  # [rows]
        found = jnp.zeros_like(ways[0])
        for k, way in enumerate(ways):
            found = jnp.where((mine == k).reshape(-1, *[1] * (way.ndim - 1)), way, found)
        return found

    def _layout(self, t: Tiling) -> tuple[list[int], list[int]]:
        """Dimensions of pieces as they come, [rows, *from, *piece], and their order in a whole matrix."""
        over, dims = self.shipment.over, (*t.rows, *t.cols)
        come = [len(self.shipment.rows), *(self.sizes[n] if n in t.split else 1 for n in over)]
        idle = [1 + i for i, n in enumerate(over) if n not in t.split]
        order = [0, *idle]
        for k, (_, names) in enumerate(dims):
            order += [*(1 + over.index(n) for n in names), len(come) + k]
        return [*come, *t.local(self.sizes)], order

    def _assembled(self, x: Array, t: Tiling) -> Array:
        """Whole matrices, [rows, m, n], from their pieces, [rows, *from, width]."""
        come, order = self._layout(t)
        short, long = t.shape
        x = x[..., : math.prod(t.local(self.sizes))].reshape(come).transpose(order)
        m, n = self.shape
        return jnp.pad(x.reshape(-1, short, long), ((0, 0), (0, m - short), (0, n - long)))

    def _cut(self, y: Array, t: Tiling, width: int) -> Array:
        """The pieces of whole matrices: the way back."""
        come, order = self._layout(t)
        short, long = t.shape
        y = y[:, :short, :long].reshape([come[i] for i in order])
        y = y.transpose(sorted(range(len(order)), key=order.__getitem__))
        y = y.reshape(*come[: 1 + len(self.lengths)], -1)
        return jnp.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, width - y.shape[-1])])
