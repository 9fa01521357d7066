"""Matrices in rings, of which each step takes a share: those that are due, from one number of the state."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from gradchain.core import place
from gradchain.core.control import is_known, turns
from gradchain.core.slots import Leaf, Slot, counter
from gradchain.matrices.per_matrix import Due, per_matrix, sides
from gradchain.matrices.rounds import (
    Picked,
    Round,
    all_spread_out,
    devices_of,
    in_turns,
    is_split,
    spread_out,
    spread_shape,
)
from gradchain.matrices.stacks import Stacked, Stacks


def fraction(p: Leaf | None = None) -> Slot:
    """How far a turn of all rings has come, in 2^-32 of it."""
    return dataclasses.replace(counter(p), dtype=jnp.uint32)


class Step(NamedTuple):
    """A step round all rings, by a share of a turn; `start` is what the state keeps, in 2^-32 of a turn."""

    start: Array  # [] uint32
    by: Array  # [] uint32
    whole: Array  # [] bool: once round, to where it began

    @classmethod
    def of(cls, start: Array, share: Any) -> Step:
        """A step by a share of 0 to 1: by 10^-6 more of it, so that three rounded thirds are a turn."""
        share = jnp.clip(jnp.asarray(share) * (1 + 2**-20), 0, 1)
        whole = share >= 1
        return cls(start, jnp.where(whole, 0, share * 2.0**32).astype(jnp.uint32), whole)

    @property
    def end(self) -> Array:
        """Where the next step starts."""
        return self.start + self.by

    def due(self, n: int, offset: int = 0) -> tuple[Array, Array]:
        """(first, end) int32: of n matrices those from first to before end are due, matrix n being matrix 0.

        A ring begins at an offset, in 2^-32 of a turn. In k steps of a share p, each of its matrices is due
        k p times, give or take one, and in none of these steps more than n p of them, rounded up.
        """
        start = self.start + np.uint32(offset)
        end = start + self.by
        first, last = (_part(x, n).astype(jnp.int32) for x in (start, end))
        return first, jnp.where(self.whole, first + n, jnp.where(end < start, last + n, last))


def _part(x: Array, n: int) -> Array:
    """n x / 2^32 rounded down, for x and n below 2^32: by products of 16 bits."""
    n_high, n_low = np.uint32(n >> 16), np.uint32(n & 0xFFFF)
    high, low = x >> 16, x & np.uint32(0xFFFF)
    middle = high * n_low + (low * n_low >> 16)
    more = low * n_high + (middle & np.uint32(0xFFFF))
    return high * n_high + (middle >> 16) + (more >> 16)


def offsets(prices: Sequence[float], sizes: Sequence[int]) -> list[int]:
    """Where each ring begins, so that matrices of several rings are due in different steps.

    The dearest begins at 0, the next half a matrix of the largest ring further, then a quarter and three.
    """
    found = [0] * len(sizes)
    for rank, i in enumerate(sorted(range(len(sizes)), key=lambda i: -prices[i])):
        found[i] = int(f"{rank:032b}"[::-1], 2) // max(sizes)
    return found


def beside(leaf: Leaf, dtype: Any) -> Leaf:
    """Numbers of the matrices of a leaf, as `spread_out` has them, in the places of these."""
    shape, home = spread_shape(leaf), leaf.sharding
    if home is not None:
        split = place.split_of(home.spec, len(shape))
        home = place.at(home.mesh, [names if i in leaf.axes.batch else () for i, names in enumerate(split)])
    return dataclasses.replace(leaf, shape=shape, dtype=jnp.dtype(dtype), array=None, sharding=home)


def in_ring(
    f: Stacked,
    arrays: Sequence[Stacks],
    leaves: Sequence[Sequence[Leaf]],
    step: Step,
    *,
    results: Sequence[int],
    shared: Sequence[Array] = (),
) -> list[Stacks]:
    """`per_matrix` on the matrices that are due in a step round their rings; others keep what they have.

    Matrices whose operands have the same sizes and dtypes are a ring, in the order of the leaves, no matter
    where these are. The derivative is 0 but for the matrices that are not due.
    """
    out: list[Stacks] = [tuple(xs[i] for i in results) for xs in arrays]
    rings: dict[Any, list[int]] = {}
    for i, (xs, own) in enumerate(zip(arrays, leaves, strict=True)):
        key = tuple((*sides(p.shape, p.axes)[1:], x.dtype) for x, p in zip(xs, own, strict=True))
        if xs[0].size:
            rings.setdefault(key, []).append(i)
    stacks = [sides(own[0].shape, own[0].axes)[0] for own in leaves]
    sizes = [sum(stacks[i] for i in at) for at in rings.values()]
    prices = [m * n * (m + n) for (m, n, _), *_ in rings]
    for at, n, begin in zip(rings.values(), sizes, offsets(prices, sizes), strict=True):
        ends = np.cumsum([stacks[i] for i in at])
        places = {i: np.arange(end - stacks[i], end) for i, end in zip(at, ends, strict=True)}
        due = step.due(n, begin)
        groups: dict[Any, list[int]] = {}
        for i in at:
            alone = all(map(is_known, due)) or is_split(leaves[i][0])
            groups.setdefault(i if alone else tuple(Picked(p).alike for p in leaves[i]), []).append(i)
        for kind, group in groups.items():
            here = _among(due, np.concatenate([places[i] for i in group]), n)
            work = _alone if isinstance(kind, int) else _together
            rows = [arrays[i] for i in group], [leaves[i] for i in group]
            for i, ys in zip(group, work(f, *rows, here, results, shared), strict=True):
                out[i] = ys
    return out


def _among(due: tuple[Array, Array], members: np.ndarray, n: int) -> tuple[Array, Array]:
    """(first, end) counted among some of n matrices, in ascending order."""
    if len(members) == n:
        return due
    first, end = due
    before = jnp.asarray(np.searchsorted(members, np.arange(n + 1)), jnp.int32)
    last = before[jnp.where(end > n, end - n, end)]
    return before[first], jnp.where(end > n, last + len(members), last)


def _on(due: tuple[Array, Array], n: int) -> Array:
    """Which of n matrices are due, [n]."""
    first, end = due
    return (jnp.arange(n, dtype=jnp.int32) - first) % n < end - first


def _together(f, arrays, leaves, due, results, shared) -> list[Stacks]:
    """In one loop for alike leaves: as many at a time as there are devices."""
    first, end = due
    counts = [sides(own[0].shape, own[0].axes)[0] for own in leaves]
    n = sum(counts)
    places = min(devices_of(leaves[0][0]), n)
    leaf = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    number = np.concatenate([np.arange(k, dtype=np.int32) for k in counts])

    def rounds(r):
        at = first + r * places + jnp.arange(places, dtype=jnp.int32)
        whose, which = (jnp.asarray(table)[at % n] for table in (leaf, number))
        return Round(whose, which, None if places == 1 else at < end)

    bounds = jnp.zeros((), jnp.int32), (end - first + places - 1) // places
    keep = lax.split(~_on(due, n), counts)
    kinds: Any = {"places": places, "results": results, "shared": shared, "keep": keep}
    return in_turns(f, rounds, bounds, arrays, leaves, **kinds)


def _alone(f, arrays, leaves, due, results, shared) -> list[Stacks]:
    """In a loop for one leaf: in eager steps, and where a mesh splits its stack, one on each device."""
    (xs,), (own,), (first, end) = arrays, leaves, due
    k = sides(own[0].shape, own[0].axes)[0]
    here = sides(place.shard_shape(own[0].shape, own[0].sharding), own[0].axes)[0] if is_split(own[0]) else k
    on = _on(due, k)
    mask = spread_out(on.astype(jnp.uint32), own[0])

    def masked(*operands):
        stacks, (on, *rest) = operands[: len(xs)], operands[len(xs) :]
        ys = f(*stacks, *rest)
        return tuple(jnp.where(on > 0, y, stacks[i]) for i, y in zip(results, ys, strict=True))

    def turn(j, carry, mask, only, shared):
        now = list(only)
        for i, y in zip(results, carry, strict=True):
            now[i] = y
        row, places = (*now, mask), (*own, beside(own[0], mask.dtype))
        chosen = Due(j % here, here)
        (ys,) = per_matrix(masked, [row], [places], results=results, due=[chosen], shared=shared)
        return ys

    carry = tuple(xs[i] for i in results)
    only = tuple(None if i in results else x for i, x in enumerate(xs))
    keep = all_spread_out(~on, [own[i] for i in results])
    last = first + jnp.minimum(end - first, here)
    return [turns(first, last, turn, carry, mask, only, list(shared), keep=keep)]
