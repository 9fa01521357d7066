"""Euclidean projections of trees: the nearest point of a convex set, or of a sphere, under Optax's names.

A tree is one vector of all its leaves. Projections compute in float32 at least and return every leaf in its
dtype (integers in float32). Their derivatives are those of the projection wherever it has one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from gradchain.core import tree as trees
from gradchain.core.words import show
from gradchain.math import numerics

__all__ = [
    "projection_box",
    "projection_halfspace",
    "projection_hypercube",
    "projection_hyperplane",
    "projection_l1_ball",
    "projection_l1_sphere",
    "projection_l2_ball",
    "projection_l2_sphere",
    "projection_linf_ball",
    "projection_non_negative",
    "projection_simplex",
    "projection_vector",
]


def _arrays(tree: Any) -> Any:
    return jax.tree.map(jnp.asarray, tree)


def _ordered(who: str, tree: Any) -> Any:
    """The tree as arrays, none of them complex: those have no order."""
    found = _arrays(tree)
    for path, x in zip(trees.paths(found), jax.tree.leaves(found), strict=True):
        if jnp.iscomplexobj(x):
            raise TypeError(f"{who}: leaf {path!r} is {x.dtype}; expected real numbers, which have an order")
    return found


def _check_scale(who: str, scale: ArrayLike) -> None:
    if isinstance(scale, int | float) and not scale >= 0:
        raise ValueError(f"{who}: scale={show(scale)}; expected a number >= 0: the set is empty below")
    if jnp.ndim(scale):
        raise ValueError(f"{who}: scale has the shape {list(jnp.shape(scale))}; expected one number")


def _bound(who: str, name: str, value: Any, tree: Any) -> Any:
    """A bound as a tree like the one to project: it may be a number, or an array, for all leaves."""
    if jax.tree.structure(value) == jax.tree.structure(tree):
        pairs = value
    elif jax.tree_util.all_leaves([value]):
        pairs = jax.tree.map(lambda _: value, tree)
    else:
        trees.same_structure({"tree": tree, name: value}, who)
        raise AssertionError("unreachable")

    def fit(path: str, x: Array, bound: ArrayLike) -> Array:
        try:
            return jnp.broadcast_to(jnp.asarray(bound), x.shape)
        except ValueError:
            raise ValueError(
                f"{who}: {name} of leaf {path!r} has the shape {list(jnp.shape(bound))}; "
                f"expected a number or the leaf's shape {list(x.shape)}"
            ) from None

    return trees.map_paths(fit, tree, pairs)


def _back(x: Array, like: Array) -> Array:
    return x.astype(like.dtype) if jnp.issubdtype(like.dtype, jnp.inexact) else x


def _as_vector(f: Callable[[Array], Array], tree: Any) -> Any:
    """f of all leaves laid end to end, and the result as a tree again."""
    leaves, treedef = jax.tree.flatten(tree)
    sizes = [x.size for x in leaves]
    if not sum(sizes):
        return tree
    dtype = numerics.compute_dtype(*leaves)
    vector = f(jnp.concatenate([x.astype(dtype).ravel() for x in leaves]))
    ends = itertools.accumulate(sizes)
    parts = [vector[end - x.size : end].reshape(x.shape) for end, x in zip(ends, leaves, strict=True)]
    return treedef.unflatten(
        [_back(p.real if not jnp.iscomplexobj(x) else p, x) for p, x in zip(parts, leaves, strict=True)]
    )


def _unit(tree: Any, norm: Array) -> Any:
    """tree / norm in float32 at least, 0 where the norm is 0: a reciprocal of a large norm would vanish."""
    return jax.tree.map(lambda x: numerics.safe_divide(trees.wide(x), norm.astype(_real(x))), tree)


def _real(x: Array):
    """The real dtype that a leaf is computed in."""
    return numerics.real_dtype(trees.wide(x))


def projection_non_negative(tree: Any) -> Any:
    """The nearest tree without negative numbers: max(x, 0)."""
    return jax.tree.map(lambda x: jnp.maximum(x, 0), _ordered("projection_non_negative", tree))


def projection_box(tree: Any, lower: Any, upper: Any) -> Any:
    """The nearest tree between two bounds, each a number or a tree with the structure of `tree`."""
    who = "projection_box"
    if isinstance(lower, int | float) and isinstance(upper, int | float) and lower > upper:
        raise ValueError(f"{who}: lower={show(lower)} is above upper={show(upper)}; expected lower <= upper")
    x = _ordered(who, tree)
    low, high = _bound(who, "lower", lower, x), _bound(who, "upper", upper, x)

    def clip(x: Array, low: Array, high: Array) -> Array:
        wide = numerics.wide_dtype(x.dtype, low.dtype, high.dtype)
        whole = not any(jnp.issubdtype(z.dtype, jnp.inexact) for z in (x, low, high))
        dtype = x.dtype if whole else wide
        x_, low, high = (z.astype(dtype) for z in (x, low, high))
        return _back(jnp.minimum(jnp.maximum(x_, low), high), x)

    return jax.tree.map(clip, x, low, high)


def projection_hypercube(tree: Any, scale: Any = 1) -> Any:
    """The nearest tree with numbers from 0 to `scale`, a number or a tree."""
    return projection_box(tree, 0, scale)


def projection_simplex_last(x: Array, scale: ArrayLike = 1) -> Array:
    """The projection on the simplex of every vector along the last axis.

    p = max(x - tau, 0), where tau makes the sum `scale`. What is positive is found by sorting, and once more
    by a step of Newton's method, which mends what rounding did to the running sums; tau is then a mean over
    that set, and so has the right derivatives.
    """
    scale = jnp.asarray(scale, x.dtype)
    top = lax.stop_gradient(jnp.max(x, axis=-1, keepdims=True))
    u = x - top  # tau lies in [-scale, 0] of it

    def tau(support: Array) -> Array:
        count = jnp.sum(support, axis=-1, keepdims=True).astype(x.dtype)
        return (jnp.sum(jnp.where(support, u, 0), axis=-1, keepdims=True) - scale) / count

    near = lax.stop_gradient(jnp.maximum(u, -2 * scale - 1))
    down = -jnp.sort(-near, axis=-1)
    ranks = lax.broadcasted_iota(x.dtype, x.shape, x.ndim - 1) + 1
    fits = down * ranks > jnp.cumsum(down, axis=-1) - lax.stop_gradient(scale)
    count = jnp.maximum(jnp.sum(fits, axis=-1, keepdims=True), 1)
    least = jnp.take_along_axis(down, count - 1, -1)
    support = near >= least
    support = (near > lax.stop_gradient(tau(support))) | (near >= 0)
    level = tau(support)
    return jnp.where(u <= level, 0, u - level)


def projection_simplex(tree: Any, scale: ArrayLike = 1) -> Any:
    """The nearest tree of numbers >= 0 that sum to `scale`; with a scale of 1, the nearest probabilities.

    Duchi et al. 2008; a sort, so n log n.
    """
    _check_scale("projection_simplex", scale)
    return _as_vector(lambda x: projection_simplex_last(x, scale), _ordered("projection_simplex", tree))


def _directions(x: Array) -> tuple[Array, Array]:
    """x as sizes and directions, numbers of size 1; the direction of 0 is 1."""
    size = jnp.abs(x)
    if not jnp.iscomplexobj(x):
        return size, jnp.where(x < 0, -1, 1).astype(x.dtype)
    return size, jnp.where(size > 0, x / jnp.where(size > 0, size, 1), 1)


def _l1_sphere(x: Array, scale: ArrayLike) -> Array:
    size, direction = _directions(x)
    return direction * projection_simplex_last(size, scale)


def projection_l1_sphere(tree: Any, scale: ArrayLike = 1) -> Any:
    """A nearest tree whose absolute values sum to `scale`; from 0, where several are, the positive one."""
    _check_scale("projection_l1_sphere", scale)
    return _as_vector(lambda x: _l1_sphere(x, scale), _arrays(tree))


def projection_l1_ball(tree: Any, scale: ArrayLike = 1) -> Any:
    """The nearest tree whose absolute values sum to `scale` at most. Duchi et al. 2008."""
    _check_scale("projection_l1_ball", scale)

    def ball(x: Array) -> Array:
        inside = jnp.sum(jnp.abs(x)) <= jnp.asarray(scale, numerics.real_dtype(x))
        return jnp.where(inside, x, _l1_sphere(x, scale))

    return _as_vector(ball, _arrays(tree))


def projection_l2_sphere(tree: Any, scale: ArrayLike = 1) -> Any:
    """The nearest tree with the Euclidean norm `scale`; from 0, where all are, the one of equal numbers."""
    _check_scale("projection_l2_sphere", scale)
    x = _arrays(tree)
    norm = trees.global_norm(x)
    size = math.sqrt(max(sum(y.size for y in jax.tree.leaves(x)), 1))

    def place(x: Array, unit: Array) -> Array:
        return _back(jnp.where(norm == 0, 1 / size, unit) * jnp.asarray(scale, _real(x)), x)

    return jax.tree.map(place, x, _unit(x, norm))


def projection_l2_ball(tree: Any, scale: ArrayLike = 1) -> Any:
    """The nearest tree with the Euclidean norm `scale` at most: x * min(1, scale / |x|)."""
    _check_scale("projection_l2_ball", scale)
    x = _arrays(tree)
    norm = trees.global_norm(x)

    def place(x: Array, unit: Array) -> Array:
        radius = jnp.asarray(scale, _real(x))
        return _back(jnp.where(norm > radius.astype(norm.dtype), unit * radius, trees.wide(x)), x)

    return jax.tree.map(place, x, _unit(x, norm))


def projection_linf_ball(tree: Any, scale: ArrayLike = 1) -> Any:
    """The nearest tree whose absolute values are `scale` at most."""
    _check_scale("projection_linf_ball", scale)

    def clip(x: Array) -> Array:
        if not jnp.iscomplexobj(x):
            return projection_box(x, -jnp.asarray(scale), scale)
        size, bound = jnp.abs(x), jnp.asarray(scale, numerics.real_dtype(x))
        return jnp.where(size > bound, x * (bound / jnp.where(size > bound, size, 1)), x)

    return jax.tree.map(clip, _arrays(tree))


def _normal(who: str, x: Any, a: Any) -> tuple[Any, Any, Array]:
    """Both trees, `a` over its largest entry, and that entry: then no square of it overflows or vanishes."""
    x, a = _arrays(x), _arrays(a)
    trees.same_structure({"x": x, "a": a}, who)
    for path, y, z in zip(trees.paths(x), jax.tree.leaves(x), jax.tree.leaves(a), strict=True):
        if y.shape != z.shape:
            raise ValueError(
                f"{who}: leaf {path!r} has the shape {list(y.shape)} in x and {list(z.shape)} in a; "
                f"expected the same"
            )
    sizes = [jnp.max(jnp.abs(trees.wide(z)), initial=0) for z in jax.tree.leaves(a)]
    dtype = numerics.wide_dtype(*(s.dtype for s in sizes))
    largest = lax.stop_gradient(jnp.max(jnp.stack([jnp.zeros((), dtype), *(s.astype(dtype) for s in sizes)])))
    largest = jnp.where(largest > 0, largest, 1)
    a = jax.tree.map(lambda z: trees.wide(z) / largest.astype(_real(z)), a)
    return x, a, largest


def _moved(x: Any, a: Any, by: Array) -> Any:
    """x - by * a, leaf by leaf."""

    def move(x: Array, a: Array) -> Array:
        dtype = numerics.compute_dtype(x, a)
        step = by if jnp.issubdtype(dtype, jnp.complexfloating) else by.real
        return _back(x.astype(dtype) - step.astype(dtype) * a.astype(dtype), x)

    return jax.tree.map(move, x, a)


def projection_vector(x: Any, a: Any) -> Any:
    """The nearest multiple of the tree `a`: <a, x> / <a, a> * a, and 0 where a is 0."""
    x, a, _ = _normal("projection_vector", x, a)
    factor = numerics.safe_divide(trees.vdot(a, x), trees.vdot(a, a))
    return jax.tree.map(lambda y, z: _back(z, y), x, _moved(jax.tree.map(jnp.zeros_like, a), a, -factor))


def projection_hyperplane(x: Any, a: Any, b: ArrayLike) -> Any:
    """The nearest tree y with <a, y> = b: x - (<a, x> - b) / <a, a> * a. Where a is 0, x."""
    x, a, size = _normal("projection_hyperplane", x, a)
    product = trees.vdot(a, x)
    goal = jnp.asarray(b, product.dtype) / size.astype(numerics.real_dtype(product))
    return _moved(x, a, numerics.safe_divide(product - goal, trees.vdot(a, a)))


def projection_halfspace(x: Any, a: Any, b: ArrayLike) -> Any:
    """The nearest tree y with <a, y> <= b: x - max(<a, x> - b, 0) / <a, a> * a. Where a is 0, x.

    Of complex numbers the real part of the product counts.
    """
    x, a, size = _normal("projection_halfspace", x, a)
    product = trees.vdot(a, x).real
    goal = jnp.asarray(b, product.dtype) / size.astype(product.dtype)
    return _moved(x, a, numerics.safe_divide(jnp.maximum(product - goal, 0), trees.vdot(a, a).real))
