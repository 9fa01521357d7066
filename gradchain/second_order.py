"""Second derivatives of a loss(params, inputs, targets): products with the Hessian, and diagonals."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.math import numerics

__all__ = ["fisher_diag", "hessian_diag", "hvp"]

Loss = Callable[[Any, Any, Any], Any]
CHUNK = 64  # elements of a diagonal at a time: as many products are in memory


def _flat(tree: Any) -> Array:
    """All leaves end to end, in float32 at least."""
    leaves = jax.tree.leaves(tree)
    dtype = numerics.wide_dtype(*(x.dtype for x in leaves))
    return jnp.concatenate([jnp.zeros(0, dtype), *(x.astype(dtype).ravel() for x in leaves)])


def _like(who: str, v: Any, params: Any) -> Any:
    """v as a tree like the parameters: it is one, or a vector of all their elements."""
    leaves, treedef = jax.tree.flatten(params)
    if jax.tree.structure(v) == treedef and all(
        jnp.shape(x) == y.shape for x, y in zip(jax.tree.leaves(v), leaves, strict=True)
    ):
        return jax.tree.map(lambda x, y: jnp.asarray(x, y.dtype), v, params)
    sizes = [x.size for x in leaves]
    if not isinstance(v, jax.typing.ArrayLike) or jnp.shape(v) != (sum(sizes),):
        found = f"has the shape {list(jnp.shape(v))}" if isinstance(v, jax.typing.ArrayLike) else "is a tree"
        raise ValueError(
            f"{who}: v {found}; expected a vector of the {sum(sizes)} elements of params, or a tree like it"
        )
    v = jnp.asarray(v)
    ends = itertools.accumulate(sizes)
    parts = [
        v[end - x.size : end].reshape(x.shape).astype(x.dtype) for end, x in zip(ends, leaves, strict=True)
    ]
    return treedef.unflatten(parts)


def hvp(loss: Loss, v: Any, params: Any, inputs: Any, targets: Any) -> Any:
    """The Hessian of loss(params, inputs, targets) by the parameters, times v: a tree like the parameters.

    v is a vector of all elements of the parameters, or a tree like them. It costs about two gradients: a
    derivative of the gradient along v. Pearlmutter 1994.
    """
    params = jax.tree.map(jnp.asarray, params)
    gradient = jax.grad(lambda p: loss(p, inputs, targets))
    return jax.jvp(gradient, (params,), (_like("hvp", v, params),))[1]


def hessian_diag(loss: Loss, params: Any, inputs: Any, targets: Any) -> Array:
    """The diagonal of the Hessian of loss(params, inputs, targets), as a vector in float32 at least.

    Exact, by one product for each of the n parameters, 64 at a time.
    """
    params = jax.tree.map(jnp.asarray, params)
    n = sum(x.size for x in jax.tree.leaves(params))
    _, product = jax.linearize(jax.grad(lambda p: loss(p, inputs, targets)), params)

    def element(i: Array) -> Array:
        one = jnp.arange(n) == i
        unit = _like("hessian_diag", one.astype(jnp.float32), params)
        return jnp.sum(jnp.where(one, _flat(product(unit)), 0))

    return jax.lax.map(element, jnp.arange(n), batch_size=CHUNK)


def fisher_diag(negative_log_likelihood: Loss, params: Any, inputs: Any, targets: Any) -> Array:
    """The squares of the gradient of negative_log_likelihood(params, inputs, targets), as a vector.

    For one example it is the diagonal of its observed Fisher information; for a mean over several examples
    it is not the mean of theirs, which takes jax.vmap over inputs and targets.
    """
    params = jax.tree.map(jnp.asarray, params)
    gradient = jax.grad(lambda p: negative_log_likelihood(p, inputs, targets))(params)
    return numerics.abs2(_flat(gradient))
