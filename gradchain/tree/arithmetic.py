"""Arithmetic leaf by leaf, and numbers of a whole tree."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree as core
from gradchain.core import words
from gradchain.math import numerics

PyTree = Any


def _leaves(tree: PyTree) -> list[Array]:
    """The leaves as arrays, Python numbers too, without those of no elements."""
    return [x for x in map(jnp.asarray, jax.tree.leaves(tree)) if x.size]


def _wide(x: Array) -> Array:
    """Floating-point numbers in float32 at least, integers as they are."""
    return core.wide(x) if jnp.issubdtype(x.dtype, jnp.inexact) else x


def _size(x: Array) -> Array:
    """|x|, whose derivative at 0 is 0 for complex numbers as well."""
    x = _wide(x)
    return numerics.safe_sqrt(numerics.abs2(x)) if jnp.iscomplexobj(x) else jnp.abs(x)


def add(tree_x: PyTree, tree_y: PyTree, *other_trees: PyTree) -> PyTree:
    """x + y + ..., leaf by leaf."""
    return jax.tree.map(lambda *xs: functools.reduce(operator.add, xs), tree_x, tree_y, *other_trees)


def sub(tree_x: PyTree, tree_y: PyTree) -> PyTree:
    """x - y, leaf by leaf."""
    return jax.tree.map(operator.sub, tree_x, tree_y)


def mul(tree_x: PyTree, tree_y: PyTree) -> PyTree:
    """x * y, leaf by leaf."""
    return jax.tree.map(operator.mul, tree_x, tree_y)


def div(tree_x: PyTree, tree_y: PyTree) -> PyTree:
    """x / y, leaf by leaf."""
    return jax.tree.map(operator.truediv, tree_x, tree_y)


def scale(scalar: Any, tree: PyTree) -> PyTree:
    """scalar * x, leaf by leaf."""
    return jax.tree.map(lambda x: scalar * x, tree)


def add_scale(tree_x: PyTree, scalar: Any, tree_y: PyTree) -> PyTree:
    """x + scalar * y, leaf by leaf; where x has None, None."""
    return jax.tree.map(
        lambda x, y: None if x is None else x + scalar * y, tree_x, tree_y, is_leaf=lambda x: x is None
    )


def _pairwise(f: Callable, values: list) -> Any:
    """Neighbours joined until one is left: a chain of log2(n) instead of n."""
    while len(values) > 1:
        rest = values[-1:] if len(values) % 2 else []
        values = [f(a, b) for a, b in zip(values[::2], values[1::2], strict=False)] + rest
    return values[0]


def sum(tree: PyTree, associative_reduction: bool = False) -> Any:
    """The sum of all elements, floating-point numbers in float32 at least; 0 of no leaves.

    With associative_reduction the leaves' sums are added in pairs, which compiles faster for many leaves.
    """
    sums = [jnp.sum(_wide(x)) for x in _leaves(tree)]
    if not sums:
        return 0
    return _pairwise(jnp.add, sums) if associative_reduction else functools.reduce(jnp.add, sums)


def max(tree: PyTree) -> Any:
    """The largest element; -infinity of no elements."""
    return functools.reduce(jnp.maximum, [jnp.max(x) for x in _leaves(tree)] or [-jnp.inf])


def min(tree: PyTree) -> Any:
    """The smallest element; infinity of no elements."""
    return functools.reduce(jnp.minimum, [jnp.min(x) for x in _leaves(tree)] or [jnp.inf])


def norm(tree: PyTree, ord: int | str | float | None = None, squared: bool = False) -> Array:
    """The norm of all leaves taken as one vector, or its square, in float32 at least; differentiable at 0.

    ord: None or 2 the Euclidean norm (`global_norm`), 1 the sum of |x|, inf the largest |x|.
    """
    leaves = _leaves(tree)
    if ord is None or ord == 2:
        return core.vdot(leaves, leaves).real if squared else core.global_norm(leaves)
    zero = jnp.zeros((), jnp.float32)
    if ord == 1:
        found = functools.reduce(jnp.add, [jnp.sum(_size(x)) for x in leaves], zero)
    elif ord in ("inf", float("inf")):
        found = functools.reduce(jnp.maximum, [jnp.max(_size(x)) for x in leaves], zero)
    else:
        raise ValueError(f"norm: ord is {words.show(ord)}; expected None, 1, 2 or inf")
    return jnp.square(found) if squared else found


def size(tree: PyTree) -> int:
    """How many elements all leaves have."""
    return functools.reduce(operator.add, [jnp.size(x) for x in jax.tree.leaves(tree)], 0)


def allclose(a: PyTree, b: PyTree, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    """Whether |a - b| <= atol + rtol |b| in all elements; an error where the trees differ in structure."""
    core.same_structure({"a": a, "b": b}, "allclose")
    close = functools.partial(jnp.allclose, rtol=rtol, atol=atol, equal_nan=equal_nan)
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return functools.reduce(jnp.logical_and, [close(x, y) for x, y in pairs], jnp.array(True))
