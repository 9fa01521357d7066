"""Iterations that users call: an eigenvalue, an inverse root, least squares without negative numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from gradchain.core import tree
from gradchain.math.numerics import safe_divide
from gradchain.matrices.linalg import newton_root

PyTree = Any


def power_iteration(
    matrix: Array | Callable[[PyTree], PyTree],
    *,
    v0: PyTree = None,
    num_iters: int = 100,
    error_tolerance: Any = 1e-6,
    precision: Any = lax.Precision.HIGHEST,
    key: Array | None = None,
) -> tuple[Array, PyTree]:
    """The eigenvalue of largest size and its eigenvector (of norm 1): v = A v / |A v|, l = v . A v.

    `matrix` is [n, n], or a function of vectors, which are trees like v0. Without v0 it starts at uniform
    numbers from -1 to 1. It ends after num_iters, or when l moves by no more than error_tolerance * |l|.
    Derivatives: of l as those of v . A v at a fixed v, exact for symmetric matrices; of v none.
    """
    if callable(matrix):
        if v0 is None:
            raise ValueError(
                "power_iteration: matrix is a function; give v0, a vector of the kind that it takes"
            )
        times = matrix
    else:
        a = jnp.asarray(matrix)
        if a.ndim != 2 or a.shape[0] != a.shape[1]:
            raise ValueError(f"power_iteration: matrix has shape {a.shape}; expected [n, n]")
        key = jax.random.key(0) if key is None else key
        v0 = jax.random.uniform(key, a.shape[:1], a.dtype, -1.0, 1.0) if v0 is None else v0
        times = lambda v: jnp.matmul(a, v, precision=precision)  # noqa: E731

    def normal(v):
        norm = tree.global_norm(v)
        return jax.tree.map(lambda x: safe_divide(x, norm.astype(x.real.dtype)), v)

    def going(carry):
        i, _, value, before = carry
        return (i < num_iters) & ((i < 2) | (jnp.abs(value - before) > error_tolerance * jnp.abs(value)))

    def step(carry):
        i, v, value, _ = carry
        w = lax.stop_gradient(times(v))
        return i + 1, normal(w), tree.vdot(v, w), value

    v0 = normal(jax.tree.map(lambda x: lax.stop_gradient(jnp.asarray(x)), v0))
    none = jnp.zeros_like(jax.eval_shape(lambda v: tree.vdot(v, times(v)), v0))
    v = lax.stop_gradient(lax.while_loop(going, step, (0, v0, none, none))[1])
    return tree.vdot(v, times(v)), v


def matrix_inverse_pth_root(
    matrix: Array,
    p: int,
    num_iters: int = 100,
    ridge_epsilon: float = 1e-6,
    error_tolerance: Any = 1e-6,
    precision: Any = lax.Precision.HIGHEST,
) -> tuple[Array, Array]:
    """((A + ridge_epsilon * l)^(-1/p), error) of a symmetric A [n, n] without negative eigenvalues.

    l is the largest eigenvalue, the error max |root^p A - 1| at the end. Newton's method (`inverse_root`
    in `linalg`, which has a form by eigenvalues as well). Of 0 the root is 0. Source: arXiv:2002.09018.
    """
    matrix = jnp.asarray(matrix)
    largest, _ = power_iteration(
        matrix, num_iters=num_iters, error_tolerance=error_tolerance, precision=precision
    )
    return newton_root(matrix, p, largest, ridge_epsilon, num_iters, error_tolerance, precision)


def nnls(A: Array, b: Array, iters: int, unroll: int | bool = 1, L: Any = None) -> Array:
    """The x >= 0 that makes |A x - b| smallest, by `iters` steps of the fast projected gradient.

    x_k = max(y - A^T (A y - b) / L, 0), y = x_k + (t_k - 1) / t_{k+1} (x_k - x_{k-1}), from x = y = 0.
    A [m, n], b [m] or [m, k]; L bounds the largest eigenvalue of A^T A from above (default: the smaller of
    two of its norms). Source: Polyak 2015.
    """
    A, b = jnp.asarray(A), jnp.asarray(b)
    if A.ndim != 2 or b.ndim not in (1, 2) or b.shape[0] != A.shape[0]:
        raise ValueError(f"nnls: A has shape {A.shape} and b {b.shape}; expected [m, n] and [m] or [m, k]")
    gram, target = A.T @ A, A.T @ b
    if L is None:
        L = jnp.minimum(jnp.linalg.norm(lax.stop_gradient(gram)), jnp.max(jnp.sum(jnp.abs(gram), 0)))
    rate = safe_divide(1, jnp.asarray(L, gram.dtype))

    def step(carry, _):
        x, y, t = carry
        new = jnp.maximum(y - rate * (gram @ y - target), 0)
        later = (1 + jnp.sqrt(1 + 4 * jnp.square(t))) / 2
        return (new, new + (t - 1) / later * (new - x), later), None

    x = jnp.zeros_like(target)
    return lax.scan(step, (x, x, jnp.ones((), gram.dtype)), None, iters, unroll=unroll)[0][0]
