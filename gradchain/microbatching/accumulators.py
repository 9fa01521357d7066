"""How the results of microbatches make one result: sums, means, concatenation, or functions of one's own."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from gradchain.core import place, words
from gradchain.core import tree as core

PyTree = Any


class AccumulationType(enum.Enum):
    """How the results of the microbatches make one result."""

    MEAN = 1  # of all microbatches
    SUM = 2
    RUNNING_MEAN = 3  # of those that were run, where num_real_microbatches is fewer
    CONCAT = 4  # along a first axis, in the order of the batch


@dataclasses.dataclass(frozen=True)
class Accumulator:
    """Results x_0, x_1, ... put together by functions of one's own.

    carry = init(shapes of x_0);  carry = update(carry, x_i, i) for each i;  result = finalize(carry)
    aggregate(x) reduces the first axis of x, the examples of one microbatch, in `micro_vmap`.
    """

    init: Callable[[Any], Any]
    update: Callable[[Any, Any, Any], Any]
    finalize: Callable[[Any], Any]
    aggregate: Callable[[Any], Any]


Accumulators = Any  # an Accumulator, an AccumulationType, or a prefix tree of them


def _zeros(s: Any, new: tuple[int, ...] = ()) -> Any:
    """Zeros like one result, with new axes after its first, split over devices as its type says."""
    zeros = jnp.zeros((*s.shape[:1], *new, *s.shape[1:]), s.dtype)
    home = place.of(s)
    if home is None or not any(split := place.split_of(home.spec, len(s.shape))):
        return zeros
    return place.put(zeros, place.at(home.mesh, (*split[:1], *((),) * len(new), *split[1:])))


def _wide(x: Any) -> Any:
    return core.wide(x) if jnp.issubdtype(x.dtype, jnp.inexact) else x


def aggregated(kind: AccumulationType, x: PyTree) -> PyTree:
    """The examples of one microbatch, as the kind puts together."""
    if kind is AccumulationType.CONCAT:
        return x
    reduce = jnp.sum if kind is AccumulationType.SUM else jnp.mean
    return jax.tree.map(lambda v: reduce(_wide(v), axis=0).astype(v.dtype), x)


def _sums(kind: AccumulationType, like: PyTree, n: int) -> Accumulator:
    """Sums and means, made in float32 at least and in the results' own dtypes at the end."""
    each = functools.partial(jax.tree.map)

    def init(shapes):
        return each(lambda s: _wide(_zeros(s)), shapes)

    def update(carry, x, i):
        if kind is AccumulationType.RUNNING_MEAN:
            return each(lambda c, v: c + (v.astype(c.dtype) - c) / jnp.asarray(i + 1, c.dtype), carry, x)
        return each(lambda c, v: c + v.astype(c.dtype), carry, x)

    def finalize(carry):
        part = n if kind is AccumulationType.MEAN else 1
        return each(lambda c, s: (c if part == 1 else c / part).astype(s.dtype), carry, like)

    return Accumulator(init, update, finalize, functools.partial(aggregated, kind))


def _concatenation(like: PyTree, n: int) -> Accumulator:
    """Results laid along the batch: [m, n, ...] while they come, so that example i + n j is where it was."""
    each = functools.partial(jax.tree.map)

    def init(shapes):
        return each(lambda s: _zeros(s, (n,)), shapes)

    def update(carry, x, i):
        put = lambda c, v: lax.dynamic_update_index_in_dim(c, v.astype(c.dtype), i, min(v.ndim, 1))  # noqa: E731
        return each(put, carry, x)

    def finalize(carry):
        return each(lambda c, s: c.reshape(-1, *s.shape[1:]), carry, like)

    return Accumulator(init, update, finalize, functools.partial(aggregated, AccumulationType.CONCAT))


def _is_one(x: Any) -> bool:
    return isinstance(x, Accumulator | AccumulationType)


def split(accumulator: Accumulators, value: PyTree, who: str) -> tuple[list, list[PyTree], Any]:
    """The accumulators, and what of the value each is for."""
    ones, treedef = jax.tree.flatten(accumulator, is_leaf=_is_one)
    for one in ones:
        if not _is_one(one):
            kinds = ", ".join(str(kind) for kind in AccumulationType)
            raise ValueError(f"{who}: accumulator is {words.show(one)}; expected {kinds} or an Accumulator")
    try:
        return ones, treedef.flatten_up_to(value), treedef
    except ValueError as error:
        raise ValueError(
            f"{who}: accumulator is {words.show(accumulator)}; expected one for all results, or one for each "
            f"as the function returns them ({error})"
        ) from None


def made(one: Any, like: PyTree, n: int, who: str) -> Accumulator:
    """What puts results like these of n microbatches together."""
    if isinstance(one, Accumulator):
        return one
    if one is AccumulationType.CONCAT:
        return _concatenation(like, n)
    if one is not AccumulationType.SUM:
        for path, s in zip(core.paths(like), jax.tree.leaves(like), strict=True):
            if not jnp.issubdtype(s.dtype, jnp.inexact):
                raise ValueError(
                    f"{who}: {one} of the result {path!r}, which is {s.dtype}; expected floating-point "
                    "numbers: convert it in the function, or take AccumulationType.SUM or CONCAT"
                )
    return _sums(one, like, n)
