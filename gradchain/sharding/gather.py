"""Parameters gathered into the arrays that they replace: part after part, on TPUs."""

from __future__ import annotations

from collections.abc import Sequence

import jax
from jax import Array

from gradchain.core import place, versions
from gradchain.core.place import Split
from gradchain.sharding.mesh import is_tpu

LARGE = 2**23  # bytes of a leaf from which on this is worth more than one gather
PART = 2**25  # bytes of what is gathered at once: a quarter of a TPU v5e's VMEM
TILE = (8, 128)  # rows and columns that a TPU moves at once


def parts_of(shape: Sequence[int], nbytes: int, start: Split, end: Split) -> tuple[int, int]:
    """The dimension along which an array is gathered in parts, and how long a part is there on a device.

    (0, 0) where that would cut tiles. A dimension that is whole on each device comes first: there, a part is
    a slice of the array; XLA may have turned it, so that rows may be columns.
    """
    n = max(2, -(-nbytes // PART))
    split = [a != b for a, b in zip(start, end, strict=True)]
    for d in sorted(range(len(shape)), key=lambda d: split[d]):
        minor = d >= len(shape) - 2
        if not split[d]:
            grain = TILE[1] if minor else 1
            length = -(-shape[d] // (n * grain)) * grain
            if length < shape[d]:
                return d, length
        else:
            grain = TILE[d - len(shape)] if minor else 1
            fits = (shape[d] // k for k in range(n, 4 * n) if shape[d] % (k * grain) == 0)
            if length := next(fits, 0):
                return d, length
    return 0, 0


def gathered_into(old: Array, new: Array, start: Split, end: Split) -> Array | None:
    """`new`, split as `end`, gathered to `start` and written over `old`; None where one gather is better.

    What a TPU gathers is never where a program's result lies: devices write to each other at one address. So
    every gather ends with a copy, of as much scratch memory, and a parameter that is read before, and then
    replaced, is copied once more. Written part by part, each after the one before, both are gone.
    """
    home = place.of(old)
    others = set() if home is None else {n for n, size in home.mesh.shape.items() if size > 1}
    moved = list(place.route(start, end))
    if home is None or not is_tpu(home.mesh) or old.dtype != new.dtype or old.nbytes < LARGE:
        return None
    if not versions.BARRIERS_KEEP_TYPES:
        return None
    if start == end or any(start) or not others <= {n for names in end for n in names}:
        return None
    local = place.shard_shape(new.shape, place.at(home.mesh, end))
    dim, length = parts_of(local, old.nbytes, start, end)
    if not length:
        return None
    ways: list[tuple[str, int]] = []
    for before, split in zip([start, *moved], moved, strict=False):
        d = next(d for d, (a, b) in enumerate(zip(before, split, strict=True)) if a != b)
        ways.append((split[d][-1], d))

    def write(old: Array, new: Array) -> Array:
        devices = old.shape[dim] // new.shape[dim]
        # One dimension more, in which the devices' parts of `dim` stand one after the other.
        room = old.reshape(*old.shape[:dim], devices, new.shape[dim], *old.shape[dim + 1 :])
        for i in range(0, new.shape[dim], length):
            part = jax.lax.slice_in_dim(new, i, min(i + length, new.shape[dim]), axis=dim)
            part, room = jax.lax.optimization_barrier((part, room))
            for name, d in reversed(ways):
                part = jax.lax.all_gather(part, name, axis=d, tiled=True, to="invarying")
            part = part.reshape(*part.shape[:dim], devices, -1, *part.shape[dim + 1 :])
            room = jax.lax.dynamic_update_slice_in_dim(room, part, i, dim + 1)
        return room.reshape(old.shape)

    whole, split = place.spec_of(start), place.spec_of(end)
    return jax.shard_map(write, mesh=home.mesh, in_specs=(whole, split), out_specs=whole)(old, new)
