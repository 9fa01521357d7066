"""What a loss is given, checked and made ready: dtypes, shapes, axes, masks."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from gradchain.core.words import show
from gradchain.math import numerics

Axis = int | tuple[int, ...] | None


def seen(x: Any) -> str:
    """An array as a message shows it: its dtype and shape."""
    return f"{x.dtype}{list(x.shape)}"


def real(who: str, **arrays: ArrayLike) -> list[Array]:
    """The arguments as arrays, which may be of any real dtype."""
    found = {name: jnp.asarray(x) for name, x in arrays.items()}
    for name, x in found.items():
        if jnp.iscomplexobj(x):
            raise TypeError(
                f"{who}: {name} is {seen(x)}; expected real numbers. Pass the real and imaginary parts"
            )
    return list(found.values())


def floating(who: str, **arrays: ArrayLike) -> list[Array]:
    """The arguments as arrays, each of a real floating dtype."""
    found = real(who, **arrays)
    for name, x in zip(arrays, found, strict=True):
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise TypeError(
                f"{who}: {name} is {seen(x)}; expected floating-point numbers, "
                f"such as {name}.astype(jnp.float32)"
            )
    return found


def integers(who: str, labels: ArrayLike, otherwise: str = "") -> Array:
    """Labels as an array, which must be integers."""
    found = jnp.asarray(labels)
    if not jnp.issubdtype(found.dtype, jnp.integer):
        raise TypeError(
            f"{who}: labels is {seen(found)}; expected integers, the index of each class{otherwise}"
        )
    return found


def result_dtype(*arrays: Array):
    """The floating dtype that JAX promotes these to, also where it is set to promote nothing."""
    with jax.numpy_dtype_promotion("standard"):
        found = jnp.result_type(*arrays)
        return found if jnp.issubdtype(found, jnp.floating) else jnp.result_type(found, jnp.float32)


def wide(*arrays: Array) -> list[Array]:
    """All in the one dtype that losses compute in, float32 at least."""
    dtype = numerics.wide_dtype(result_dtype(*arrays))
    return [x.astype(dtype) for x in arrays]


def common_shape(who: str, **arrays: Array) -> tuple[int, ...]:
    """The shape that two arrays broadcast to.

    It must be the shape of one of them, unless both have the same rank: [n] against [n, 1] would be [n, n].
    """
    (one, x), (other, y) = arrays.items()
    try:
        shape = jnp.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        shape = None
    if shape is None or (x.ndim != y.ndim and shape not in (x.shape, y.shape)):
        made = f", which would broadcast to {list(shape)}" if shape else ""
        raise ValueError(
            f"{who}: {one} is {seen(x)} and {other} {seen(y)}{made}; "
            f"expected the same shape, or one that broadcasts to the other's"
        )
    return shape


def same_shape(who: str, **arrays: Array) -> None:
    """Raise unless all arrays have the first one's shape."""
    (first, x), *others = arrays.items()
    for name, y in others:
        if x.shape != y.shape:
            raise ValueError(f"{who}: {first} is {seen(x)} and {name} {seen(y)}; expected the same shape")


def broadcast(shape: Sequence[int], *arrays: Array) -> list[Array]:
    """All as arrays of one shape."""
    return [x if x.shape == tuple(shape) else jnp.broadcast_to(x, shape) for x in arrays]


def pair(who: str, **arrays: Array) -> tuple[Array, Array]:
    """Two arrays in one shape and in the dtype to compute in."""
    x, y = broadcast(common_shape(who, **arrays), *wide(*arrays.values()))
    return x, y


def like(value: ArrayLike, x: Array) -> Array:
    """A number, or an array that broadcasts to x, as an array of x's dtype and of its rank or none."""
    found = jnp.asarray(value, x.dtype)
    return found if found.ndim == 0 else jnp.broadcast_to(found, x.shape)


def axes_of(who: str, axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes as a tuple of indices from the front, all of them for None."""
    if axis is None:
        return tuple(range(ndim))
    try:
        given = [operator.index(a) for a in (axis if isinstance(axis, tuple | list) else (axis,))]
    except TypeError:
        raise TypeError(f"{who}: axis={show(axis)}; expected an integer or a tuple of integers") from None
    if any(not -ndim <= a < ndim for a in given) or len({a % ndim for a in given}) < len(given):
        raise ValueError(
            f"{who}: axis={show(axis)}; expected different axes of an array with {ndim} axes, "
            f"each from {-ndim} to {ndim - 1}"
        )
    return tuple(a % ndim for a in given)


def mask(
    who: str,
    where: ArrayLike | None,
    shape: tuple[int, ...],
    reduced: tuple[int, ...] | None = None,
) -> Array | None:
    """`where` as booleans of the operands' shape.

    If `reduced` axes are given, a mask of as many axes as the others has one element for each slice.
    """
    if where is None:
        return None
    found = truth(jnp.asarray(where))
    if reduced and found.ndim == len(shape) - len(reduced):
        found = jnp.expand_dims(found, reduced)
    try:
        return jnp.broadcast_to(found, shape)
    except ValueError:
        slices = f" or {[n for a, n in enumerate(shape) if a not in reduced]}" if reduced else ""
        raise ValueError(
            f"{who}: where has the shape {list(jnp.shape(where))}; expected {list(shape)}{slices}"
        ) from None


def truth(x: Array) -> Array:
    """An array of flags, which may be numbers, as booleans."""
    return x if x.dtype == bool else x != 0


def hide(where: Array | None, *arrays: Array) -> list[Array]:
    """Arrays with 0 where the mask is False, so that nothing there spoils a value or a derivative."""
    return list(arrays) if where is None else [jnp.where(where, x, 0) for x in arrays]


def weighted(weights: Array, x: Array) -> Array:
    """weights * x with 0 * infinity = 0."""
    dead = (weights == 0) & jnp.isinf(x)
    return jnp.where(dead, 0, weights * jnp.where(dead, 0, x))


def check_number(who: str, ok: Any, text: str, **given: Any) -> None:
    """Raise if the values are Python numbers that do not meet what is expected of them."""
    (name, value), *_ = given.items()
    if isinstance(value, int | float) and not ok(value):
        raise ValueError(f"{who}: {name}={show(value)}; expected {text}")
