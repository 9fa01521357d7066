"""Leaves as stacks of matrices, and a function on several stacks at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from gradchain.core.slots import Axes

Stacked = Callable[..., Any]  # [k, m, n] -> [k, m, n], each matrix by itself; of several arrays a tuple
Stacks = tuple[Array, ...]  # what belongs to the same k matrices, each [k, m, n] of its own m and n
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


def _together(f: Stacked, rows: Sequence[Stacks], groups: Sequence[Sequence[int]]) -> list[Stacks]:
    """f on the stacks of each group, as one."""
    out: list[Any] = [None] * len(rows)
    for group in groups:
        columns: Any = zip(*(rows[i] for i in group), strict=True)
        made = f(*(jnp.concatenate(xs) if len(xs) > 1 else xs[0] for xs in columns))
        made = [lax.split(y, [1] * len(group)) if len(group) > 1 else [y] for y in made]
        for k, i in enumerate(group):
            out[i] = tuple(y[k] for y in made)
    return out


def on_rows(f: Stacked, rows: Sequence[Stacks]) -> list[Stacks]:
    """`on_stacks` for several arrays of each matrix; f returns a tuple."""
    alike: dict[Any, list[int]] = {}
    for i, xs in enumerate(rows):
        key = tuple((x.shape[1:], x.dtype) for x in xs) if xs[0].shape[0] == 1 else i
        alike.setdefault(key, []).append(i)
    groups = list(alike.values())
    if all(len(group) == 1 for group in groups):
        return [f(*xs) for xs in rows]
    fine = [
        part
        for group in groups
        for part in ([group] if math.prod(rows[group[0]][0].shape[1:]) <= TPU_ALONE else [[i] for i in group])
    ]
    if fine == groups:
        return _together(f, rows, groups)

    def on(groups):
        return lambda *rows: _together(f, rows, groups)

    return lax.platform_dependent(*rows, tpu=on(fine), default=on(groups))


def on_stacks(f: Stacked, stacks: Sequence[Array]) -> list[Array]:
    """f on stacks of matrices; single ones of one shape together, on TPU only small ones.

    There a matrix by itself stays in fast memory from one product to the next, and 16 kernels of a large one
    cost no more than one of 16; elsewhere a kernel for each of them would leave most of the device idle.
    """
    return [y for (y,) in on_rows(lambda x: (f(x),), [(x,) for x in stacks])]
