"""Work on the matrices of a tree: alike ones together, short side first, spread over a mesh."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.sharding import AbstractMesh, AxisType

from gradchain.core import place
from gradchain.core.slots import Axes, Leaf
from gradchain.matrices.spread import Shipment, Tiling, plan, tiling

Stacked = Callable[[Array], Array]  # [k, m, n] -> [k, m, n], each matrix by itself; m <= n
TPU_ALONE = 2**16  # elements of a matrix, from which on XLA for TPU is given one at a time


def sides(shape: Sequence[int], axes: Axes) -> tuple[int, int, int]:
    """How many matrices a leaf holds, their rows and columns."""
    batch, rows, cols = (math.prod(shape[i] for i in group) for group in (axes.batch, axes.rows, axes.cols))
    return batch, rows, cols


def stack_of(x: Array, axes: Axes, turned: bool | None = None) -> Array:
    """A leaf as its matrices with the short side first, [k, m, n], m <= n; or with `turned` as it says."""
    k, rows, cols = sides(x.shape, axes)
    stack = x.transpose(*axes.batch, *axes.rows, *axes.cols).reshape(k, rows, cols)
    return jnp.swapaxes(stack, 1, 2) if (rows > cols if turned is None else turned) else stack


def leaf_of(stack: Array, shape: Sequence[int], axes: Axes, turned: bool | None = None) -> Array:
    """The leaf that these are the matrices of."""
    order = (*axes.batch, *axes.rows, *axes.cols)
    _, rows, cols = sides(shape, axes)
    stack = jnp.swapaxes(stack, 1, 2) if (rows > cols if turned is None else turned) else stack
    back = sorted(range(len(order)), key=order.__getitem__)
    return stack.reshape([shape[i] for i in order]).transpose(back)


def _together(f: Stacked, stacks: Sequence[Array], groups: Sequence[Sequence[int]]) -> list[Array]:
    """f on the stacks of each group, as one."""
    out: list[Any] = [None] * len(stacks)
    for group in groups:
        many = jnp.concatenate([stacks[i] for i in group]) if len(group) > 1 else stacks[group[0]]
        y = f(many)
        for k, i in enumerate(group):
            out[i] = y[k : k + 1] if len(group) > 1 else y
    return out


def on_stacks(f: Stacked, stacks: Sequence[Array]) -> list[Array]:
    """f on stacks of matrices; single ones of one shape together, on TPU only small ones.

    There a matrix by itself stays in fast memory from one product to the next, and 16 kernels of a large one
    cost no more than one of 16; elsewhere a kernel for each of them would leave most of the device idle.
    """
    alike: dict[Any, list[int]] = {}
    for i, x in enumerate(stacks):
        alike.setdefault((x.shape[1:], x.dtype) if x.shape[0] == 1 else i, []).append(i)
    groups = list(alike.values())
    if all(len(group) == 1 for group in groups):
        return [f(x) for x in stacks]
    fine = [
        part
        for group in groups
        for part in ([group] if math.prod(stacks[group[0]].shape[1:]) <= TPU_ALONE else [[i] for i in group])
    ]
    if fine == groups:
        return _together(f, stacks, groups)

    def on(groups):
        return lambda *stacks: _together(f, stacks, groups)

    return lax.platform_dependent(*stacks, tpu=on(fine), default=on(groups))


def per_matrix(
    f: Stacked,
    arrays: Sequence[Array],
    leaves: Sequence[Leaf],
    *,
    padding: bool = False,
    turning: bool = False,
) -> list[Array]:
    """f on every matrix of some leaves, each whole on one device; results have the leaves' shapes and places.

    Leaves on a mesh are spread over all its devices (`spread.plan`): an all-to-all along each mesh axis
    brings every device whole matrices, and another takes the results back; f itself communicates nothing.
    Over an axis that does not split a leaf each device takes its matrices out of its copy, and results are
    gathered. A leaf of which a trace cannot know how it is split is left to XLA, by itself.
    `padding` says that f takes no notice of rows and columns of zeros, and keeps them; `turning` that f(x^T)
    is f(x)^T, so that square matrices may be turned to travel with others.
    The numbers are those of one device but for the order of sums.
    """
    out = list(arrays)
    meshes: dict[Any, list[int]] = {}
    for i, (x, leaf) in enumerate(zip(arrays, leaves, strict=True)):
        if x.size and _unknown(x, leaf):
            out[i] = leaf_of(f(stack_of(x, leaf.axes)), x.shape, leaf.axes)
        elif x.size:
            mesh = _mesh_of(x, leaf)
            key = None if mesh is None else (tuple(mesh.shape.items()), x.dtype)
            meshes.setdefault(key, []).append(i)
    for key, at in meshes.items():
        own, here = [arrays[i] for i in at], [leaves[i] for i in at]
        if key is None:
            stacks = on_stacks(f, [stack_of(x, leaf.axes) for x, leaf in zip(own, here, strict=True)])
            made = [leaf_of(y, x.shape, p.axes) for y, x, p in zip(stacks, own, here, strict=True)]
        else:
            made = _spread(f, own, here, padding, turning)
        for i, y in zip(at, made, strict=True):
            out[i] = y
    return out


def _mesh_of(x: Array, leaf: Leaf) -> Any:
    """The mesh that a leaf is known to be on; None where it has one device, or is within a shard_map."""
    found = place.of(x) or leaf.sharding
    if found is None or leaf.sharding is None or AxisType.Manual in found.mesh.axis_types:
        return None
    return found.mesh if found.mesh.size > 1 else None


def _unknown(x: Array, leaf: Leaf) -> bool:
    """Whether nothing says how a leaf is split: a trace on a mesh with automatic axes, and no plan for it."""
    home = leaf.sharding
    empty = home is None or (isinstance(home.mesh, AbstractMesh) and not any(home.spec))
    return place.is_blind(x) and empty


def _spread(
    f: Stacked, arrays: Sequence[Array], leaves: Sequence[Leaf], padding: bool, turning: bool
) -> list[Array]:
    mesh = _mesh_of(arrays[0], leaves[0])
    sizes = dict(mesh.shape)
    splits = [place.split_of(p.sharding.spec if p.sharding else (), len(p.shape)) for p in leaves]
    homes = [place.at(mesh, split) for split in splits]
    tilings = [
        tiling(p.shape, p.axes, split, sizes, turning) for p, split in zip(leaves, splits, strict=True)
    ]
    counts = [
        sides(place.shard_shape(p.shape, home), p.axes)[0] for p, home in zip(leaves, homes, strict=True)
    ]
    shipments = plan(tilings, counts, sizes, padding)

    def local(arrays: list[Array]) -> list[Array]:
        stacks = [
            stack_of(x, leaf.axes, t.turned).reshape(n, -1)
            for x, leaf, t, n in zip(arrays, leaves, tilings, counts, strict=True)
        ]  # [matrices here, elements of a piece]
        gone = [_Carrier(s, tilings, sizes) for s in shipments]
        worked = on_stacks(f, [c.collect(stacks) for c in gone])
        parts: list[dict[int, Array]] = [{} for _ in arrays]  # by leaf: first matrix -> pieces
        for carrier, y in zip(gone, worked, strict=True):
            for leaf, first, pieces in carrier.give_back(y):
                parts[leaf][first] = pieces
        whole = [jnp.concatenate([found[k] for k in sorted(found)]) for found in parts]
        return [
            leaf_of(_piece(y, t, sizes), x.shape, leaf.axes, t.turned)
            for y, x, leaf, t in zip(whole, arrays, leaves, tilings, strict=True)
        ]

    specs = [home.spec for home in homes]
    moved = [x if place.is_blind(x) else place.put(x, h) for x, h in zip(arrays, homes, strict=True)]
    run = jax.shard_map(local, mesh=mesh, in_specs=(specs,), out_specs=specs, check_vma=False)
    return run(moved)


def _piece(flat: Array, t: Tiling, sizes: Mapping[str, int]) -> Array:
    """Pieces of matrices in two dimensions."""
    dims = t.local(sizes)
    rows = math.prod(dims[: len(t.rows)])
    return flat.reshape(flat.shape[0], rows, -1)


class _Carrier:
    """Takes the matrices of a shipment to their devices, and the results back; runs within shard_map."""

    def __init__(self, shipment: Shipment, tilings: Sequence[Tiling], sizes: Mapping[str, int]):
        self.shipment, self.tilings, self.sizes = shipment, tilings, sizes
        self.lengths = [sizes[n] for n in shipment.over]
        self.devices = math.prod(self.lengths)
        members = {leaf for row in shipment.rows for leaf, _ in row}
        kinds: dict[Any, Tiling] = {tilings[i].kind: tilings[i] for i in sorted(members)}
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
        m, n = self.shipment.shape
        return jnp.pad(x.reshape(-1, short, long), ((0, 0), (0, m - short), (0, n - long)))

    def _cut(self, y: Array, t: Tiling, width: int) -> Array:
        """The pieces of whole matrices: the way back."""
        come, order = self._layout(t)
        short, long = t.shape
        y = y[:, :short, :long].reshape([come[i] for i in order])
        y = y.transpose(sorted(range(len(order)), key=order.__getitem__))
        y = y.reshape(*come[: 1 + len(self.lengths)], -1)
        return jnp.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, width - y.shape[-1])])
