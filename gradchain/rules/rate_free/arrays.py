"""The leaves of a tree as lists of arrays, for rules that need numbers of the whole tree in between."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.kernel import KEPT
from gradchain.math import numerics

PyTree = Any
Arrays = list[Array]


def opened(updates: PyTree, s: Any, params: PyTree, *fields: str) -> tuple[Arrays, Any, Arrays]:
    """Gradients, state and parameters with lists for trees, in what is computed in: float32 at least.

    `fields` are those that the state keeps for each leaf.
    """
    grads, weights = jax.tree.leaves(updates), jax.tree.leaves(params)
    dtypes = [numerics.compute_dtype(g, p) for g, p in zip(grads, weights, strict=True)]

    def cast(xs: Arrays) -> Arrays:
        real = [jnp.finfo(d).dtype if not jnp.iscomplexobj(x) else d for x, d in zip(xs, dtypes, strict=True)]
        return [x.astype(numerics.wide_dtype(x.dtype, d)) for x, d in zip(xs, real, strict=True)]

    lists = {field: cast(jax.tree.leaves(getattr(s, field))) for field in fields}
    grads = [g.astype(d) for g, d in zip(grads, dtypes, strict=True)]
    weights = [p.astype(d) for p, d in zip(weights, dtypes, strict=True)]
    return grads, s._replace(**lists), weights


def closed(updates: PyTree, u: Arrays, grads: Arrays, new: Any, old: Any) -> tuple[PyTree, Any]:
    """The updates as a tree in the dtypes of `grads`, and the state in the containers and dtypes it had."""
    u = [x.astype(g.dtype) for x, g in zip(u, grads, strict=True)]

    def field(made: Any, was: Any) -> Any:
        rows = zip(jax.tree.leaves(made), jax.tree.leaves(was), strict=True)
        return jax.tree.structure(was).unflatten([jnp.asarray(x).astype(y.dtype) for x, y in rows])

    fields = {f: field(getattr(new, f), getattr(old, f)) for f in new._fields}
    return jax.tree.structure(updates).unflatten(u), old._replace(**fields)


@functools.lru_cache(maxsize=KEPT)
def _compiled(f: Callable, constants: tuple[tuple[str, Any, type], ...]) -> Callable:
    return jax.jit(functools.partial(f, **{k: v for k, v, _ in constants}))


def each(f: Callable, *columns: Arrays, **values: Any) -> list[Any]:
    """f(*row, **values) for each row of arrays, traced once for each shape; f is a function of a module.

    Python numbers among the values are constants of the program, as in a kernel.
    """
    constant = {k: v for k, v in values.items() if v is None or isinstance(v, bool | int | float)}
    compiled = _compiled(f, tuple((k, v, type(v)) for k, v in constant.items()))
    operands = {k: v for k, v in values.items() if k not in constant}
    return [compiled(*row, **operands) for row in zip(*columns, strict=True)]


def unzipped(rows: Sequence[tuple], n: int) -> list[Arrays]:
    """The n columns of rows, also of none."""
    return [[row[i] for row in rows] for i in range(n)]


def inner(xs: Arrays, ys: Arrays) -> Array:
    """The inner product of two lists taken as vectors, of complex numbers its real part."""
    return tree.vdot(xs, ys).real


def dot(x: Array, y: Array) -> Array:
    """The inner product of two arrays, of complex numbers its real part: for kernels."""
    return jnp.sum((x.conj() * y).real)


def total(numbers: Sequence[Array]) -> Array:
    """The sum of the numbers of all leaves."""
    return functools.reduce(jnp.add, numbers, jnp.zeros((), jnp.float32))


def minus(xs: Arrays, ys: Arrays) -> Arrays:
    """x - y, array by array."""
    return [x - y for x, y in zip(xs, ys, strict=True)]
