"""Trees made of trees: of one value, of random numbers, in another dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import place, words
from gradchain.core import tree as core

PyTree = Any


def zeros_like(tree: PyTree, dtype: Any = None) -> PyTree:
    """Zeros of the shapes, and the dtypes if none is given."""
    return jax.tree.map(lambda x: jnp.zeros_like(x, dtype=dtype), tree)


def ones_like(tree: PyTree, dtype: Any = None) -> PyTree:
    """Ones of the shapes, and the dtypes if none is given."""
    return jax.tree.map(lambda x: jnp.ones_like(x, dtype=dtype), tree)


def full_like(tree: PyTree, fill_value: Any, dtype: Any = None) -> PyTree:
    """One value in the shapes, and the dtypes if none is given."""
    return jax.tree.map(lambda x: jnp.full_like(x, fill_value, dtype=dtype), tree)


def cast(tree: PyTree, dtype: Any) -> PyTree:
    """Every leaf in one dtype; None leaves the tree as it is."""
    return tree if dtype is None else jax.tree.map(lambda x: jnp.asarray(x).astype(dtype), tree)


def clip(tree: PyTree, min_value: Any = None, max_value: Any = None) -> PyTree:
    """Every element bounded from below and from above; None is no bound."""
    return jax.tree.map(lambda x: jnp.clip(x, min_value, max_value), tree)


def conj(tree: PyTree) -> PyTree:
    """The complex conjugate of every leaf."""
    return jax.tree.map(jnp.conj, tree)


def real(tree: PyTree) -> PyTree:
    """The real part of every leaf."""
    return jax.tree.map(jnp.real, tree)


def batch_shape(tree: PyTree, shape: tuple[int, ...] = ()) -> PyTree:
    """Every leaf repeated along new first axes: [*shape, *x.shape]."""
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (*shape, *jnp.shape(x))), tree)


def dtype(tree: PyTree, mixed_dtype_handler: str | None = None) -> Any:
    """The dtype of all leaves; of no leaves, the default float type.

    Of leaves that differ: None an error; "promote" the one that JAX promotes all to; "highest" and "lowest"
    the leaves' own dtype that all are promoted to or that is promoted to all, an error where none is.
    """
    if mixed_dtype_handler not in (None, "promote", "highest", "lowest"):
        raise ValueError(
            f"dtype: mixed_dtype_handler is {words.show(mixed_dtype_handler)}; expected None, 'promote', "
            "'highest' or 'lowest'"
        )
    rows = list(zip(core.paths(tree), map(jnp.result_type, jax.tree.leaves(tree)), strict=True))
    found = {d: path for path, d in reversed(rows)}
    if not found:
        return jnp.asarray(0.0).dtype
    if len(found) == 1:
        return next(iter(found))
    named = ", ".join(f"{path!r} is {d}" for d, path in [*found.items()][::-1][:4])
    if mixed_dtype_handler is None:
        raise ValueError(f"dtype: the leaves differ ({named}); choose by mixed_dtype_handler='promote'")
    with jax.numpy_dtype_promotion("standard"):
        if mixed_dtype_handler == "promote":
            return jnp.result_type(*found)
        low = mixed_dtype_handler == "lowest"
        for d in found:
            if all(jnp.promote_types(d, other) == (other if low else d) for other in found):
                return d
    raise ValueError(f"dtype: none of the leaves' dtypes is the {mixed_dtype_handler} ({named})")


def split_key_like(rng_key: Array, target_tree: PyTree) -> PyTree:
    """A key of its own for every leaf, in the leaves' order."""
    treedef = jax.tree.structure(target_tree)
    return treedef.unflatten(list(jax.random.split(rng_key, treedef.num_leaves)))


def random_like(
    rng_key: Array,
    target_tree: PyTree,
    sampler: Callable[..., Any] = jax.random.normal,
    dtype: Any = None,
) -> PyTree:
    """sampler(key, shape, dtype) for every leaf, with a key of its own, placed on the leaf's devices."""

    def one(key: Array, x: Any) -> Array:
        drawn = sampler(key, jnp.shape(x), jnp.result_type(x) if dtype is None else dtype)
        home = place.of(x)
        return drawn if home is None or place.is_blind(x) else place.put(drawn, home)

    return jax.tree.map(one, split_key_like(rng_key, target_tree), target_tree)


def unwrap_random_key_data(input_tree: PyTree) -> PyTree:
    """Typed keys as the integers that they hold; other leaves as they are."""

    def one(x: Any) -> Any:
        typed = isinstance(x, Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
        return jax.random.key_data(x) if typed else x

    return jax.tree.map(one, input_tree)
