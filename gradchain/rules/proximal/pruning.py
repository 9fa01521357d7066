"""Pruning while training: last links that hold parameters at exact zeros, by magnitude or n of m."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from gradchain.core import place, words
from gradchain.core.control import when
from gradchain.core.hyper import Fraction, Period
from gradchain.core.kinds import whole
from gradchain.core.leafwise import leafwise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, absent, zeros
from gradchain.core.transform import transform
from gradchain.schedules import polynomial_schedule

PyTree = Any


def cubic_sparsity(final: float, steps: int, begin: int = 0, initial: float = 0.0) -> polynomial_schedule:
    """The share of zeros of arXiv:1710.01878: final + (initial - final) * (1 - (t - begin) / steps)^3."""
    return polynomial_schedule(initial, final, 3.0, steps, begin)


def smallest(x: Array, k: Array, axes: tuple[int, ...], gone: Array | None = None) -> Array:
    """Which k numbers have the least magnitude over `axes`: what is gone comes before all, equals in order.

    The k-th magnitude, and then its place among equals, are found bit by bit: 62 counts (of float64, 94) and
    no sort, so that devices exchange numbers, not arrays.
    """
    size = jnp.abs(x)
    bits = jnp.finfo(size.dtype).bits - 1
    kind = {31: jnp.int32, 63: jnp.int64}[bits]
    size = lax.bitcast_convert_type(size, kind)  # of floats that are not negative: in the same order
    if gone is not None:  # 0 for what is gone
        size = jnp.where(gone, 0, jnp.minimum(size, jnp.iinfo(kind).max - 1) + 1)

    def before(level, place):
        """Less, or equal and before that place: one comparison, and places that are no array in memory."""
        return size - (_places(x.shape, axes) < place).astype(kind) < level

    def longer(i, found):
        level, place = found  # of a number; how many come before it?
        level = level | (jnp.where(i < bits, 1, 0).astype(kind) << jnp.maximum(bits - 1 - i, 0).astype(kind))
        place = place | (jnp.where(i < bits, 0, 1) << jnp.clip(bits + 30 - i, 0, 30))
        fewer = jnp.sum(before(level, place), axis=axes, keepdims=True, dtype=jnp.int32) < k
        return jnp.where(fewer, level, found[0]), jnp.where(fewer, place, found[1])

    start = jnp.sum(jnp.zeros_like(size), axis=axes, keepdims=True, dtype=kind)
    level, place = lax.fori_loop(0, bits + 31, longer, (start, start.astype(jnp.int32)))
    found = before(level, place + (k > 0).astype(place.dtype))
    return found if gone is None else found | (size == 0)


def _places(shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """The number of each element among those over `axes`."""
    place, stride = jnp.zeros(shape, jnp.int32), 1
    for axis in reversed(axes):
        place, stride = place + stride * lax.broadcasted_iota(jnp.int32, shape, axis), stride * shape[axis]
    return place


class PruneByMagnitudeState(NamedTuple):
    count: Array  # [] int32, steps taken
    kept: PyTree  # like params, bool: those that are not pruned


def _kept(p: Leaf) -> Slot:
    """A truth value for each number of a matrix."""
    like = dataclasses.replace(zeros(p), dtype=jnp.bool_, fill=True, exact=True)
    return like if p.axes.rows else absent(p)


@transform(
    traits=frozenset({"last", "sets", "matrices"}),
    paper="arXiv:1710.01878",
    near=("prune_n_of_m", "proximal_l1"),
    example=lambda: {"sparsity": 0.5, "every": 2},
)
def prune_by_magnitude(
    sparsity: Fraction, every: Period = 100, *, regrow: bool = False, mask: Selection = None
):
    """Hold the smallest parameters at exactly zero: a share `sparsity` of each matrix. The last link.

    every `every` steps:  kept = all but the round(sparsity * n) smallest of |p + u|, per layer of a stack
    p + u becomes p + u where kept, else 0
    `sparsity` is a schedule as a rule: cubic_sparsity(0.9, steps). What is pruned stays so, as in the paper;
    regrow=True: a number comes back whose update alone is above the smallest that are kept. Moments go on
    for pruned numbers. Vectors are left alone; `mask` selects among the matrices. `sparsity(params)` shows
    it. Parameters of 16 bits lose small updates, as no link that rounds them can follow. After `lookahead`
    and `average` the trained parameters are pruned, those of `eval_params` are not: take the trained ones.
    """

    def step(g, s, p, *, leaf):
        if not leaf.axes.rows:
            return g, s
        n = 1
        for axis in leaf.axes.matrix:
            n *= leaf.shape[axis]

        def refreshed(kept, x, share):
            count = jnp.round(share * n).astype(jnp.int32)
            return ~smallest(x, count, leaf.axes.matrix, None if regrow else ~kept)

        due = (s.count - 1) % jnp.asarray(every).astype(jnp.int32) == 0
        kept = when(due, refreshed, s.kept, p + g, jnp.asarray(sparsity, jnp.result_type(float)))
        return jnp.where(kept, g, -p), s._replace(kept=kept)

    return leafwise(PruneByMagnitudeState, step, where=mask, ages=False, kept=_kept)


class PruneNOfMState(NamedTuple):
    count: Array  # [] int32, steps taken


def largest_of(x: Array, n: int, m: int, axis: int) -> Array:
    """Which are the n largest magnitudes of every m along an axis; all of what is left over at its end."""
    whole, home = place.whole_along(x, axis), place.of(x)
    kept = _largest_of(jnp.abs(whole), n, m, axis)
    return kept if whole is x or home is None else place.put(kept, home)


def _largest_of(size: Array, n: int, m: int, axis: int) -> Array:
    groups = size.shape[axis] // m
    head = lax.slice_in_dim(size, 0, groups * m, axis=axis)
    cut = head.reshape(*size.shape[:axis], groups, m, *size.shape[axis + 1 :])
    parts = [lax.index_in_dim(cut, i, axis + 1, keepdims=False) for i in range(m)]
    # How many in the group are larger; of equal ones the first counts as the larger.
    ranks = [
        sum((b >= a if j < i else b > a).astype(jnp.int32) for j, b in enumerate(parts) if j != i)
        for i, a in enumerate(parts)
    ]
    cut = lax.concatenate([lax.expand_dims(rank < n, [axis + 1]) for rank in ranks], axis + 1)
    kept = cut.reshape(head.shape)
    tail = lax.slice_in_dim(size, groups * m, size.shape[axis], axis=axis)
    return jnp.concatenate([kept, jnp.ones(tail.shape, bool)], axis) if tail.size else kept


@transform(
    traits=frozenset({"last", "sets"}),
    paper="arXiv:2102.04010",
    near=("prune_by_magnitude",),
    example=lambda: {"n": 2, "m": 4},
    errors=lambda: [
        ErrorInput({"n": 4}, ValueError, ("n is 4", "0 < n < m")),
        ErrorInput({"m": 2.5}, TypeError, ("m is 2.5",)),
        ErrorInput({"begin": -1}, ValueError, ("begin is -1", "0 to 2147483647")),
    ],
)
def prune_n_of_m(
    n: int = 2,
    m: Annotated[int, whole(2, 1024)] = 4,
    *,
    along: int | None = None,
    begin: int = 0,
    mask: Selection = None,
):
    """Keep the n largest of every m parameters along an axis, the others at zero. The last link.

    p + u becomes p + u where it is among the n largest of its group in magnitude, else 0
    `along` is the axis, by default the last of the inputs (rows), which is what sparse tensor cores take;
    what is left over at its end is kept. Chosen anew in every step from step `begin` on: a number comes back
    when its update is larger than one of the group. Vectors are left alone; moments go on for pruned numbers.
    After `lookahead` and `average` the trained parameters are pruned, those of `eval_params` are not.
    """
    if not 0 < n < m:
        raise ValueError(f"prune_n_of_m: n is {n} and m is {m}; expected 0 < n < m")
    if not 0 <= begin < 2**31:
        raise ValueError(f"prune_n_of_m: begin is {words.show(begin)}; expected 0 to 2147483647")

    def step(g, s, p, *, leaf):
        if not leaf.axes.rows:
            return g, s
        axis = leaf.axes.rows[-1] if along is None else along
        if not -len(leaf.shape) <= axis < len(leaf.shape):
            raise ValueError(f"prune_n_of_m: along is {along}, no axis of a leaf of shape {list(leaf.shape)}")
        kept = largest_of(p + g, n, m, axis % len(leaf.shape))
        return jnp.where(kept | (s.count <= begin), g, -p), s

    return leafwise(PruneNOfMState, step, where=mask, ages=False)
