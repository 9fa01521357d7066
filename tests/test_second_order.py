"""Hessian products and diagonals, against the Hessian."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from gradchain import second_order as S

R = np.random.default_rng(0)
PARAMS = {"w": jnp.asarray(R.normal(size=(3, 2)), "f4"), "b": jnp.asarray(R.normal(size=2), "f4")}
X, Y = jnp.asarray(R.normal(size=(5, 3)), jnp.float32), jnp.asarray(R.normal(size=(5, 2)), jnp.float32)


def loss(params, x, y):
    return jnp.mean((jnp.tanh(x @ params["w"] + params["b"]) - y) ** 4)


def test_products_and_diagonals():
    flat, unravel = ravel_pytree(PARAMS)
    hessian = jax.jit(jax.hessian(lambda v: loss(unravel(v), X, Y)))(flat)
    diagonal = jax.jit(lambda p: S.hessian_diag(loss, p, X, Y))(PARAMS)
    np.testing.assert_allclose(diagonal, jnp.diag(hessian), rtol=1e-5, atol=1e-6)
    v = jnp.arange(8.0)
    product = jax.jit(lambda v, p: S.hvp(loss, v, p, X, Y))(v, PARAMS)
    assert jax.tree.structure(product) == jax.tree.structure(PARAMS)
    np.testing.assert_allclose(ravel_pytree(product)[0], hessian @ v, rtol=1e-5, atol=1e-5)
    again = jax.jit(lambda v, p: S.hvp(loss, v, p, X, Y))(unravel(v), PARAMS)
    np.testing.assert_allclose(ravel_pytree(again)[0], ravel_pytree(product)[0])
    gradient = ravel_pytree(jax.grad(loss)(PARAMS, X, Y))[0]
    np.testing.assert_allclose(S.fisher_diag(loss, PARAMS, X, Y), gradient**2, rtol=1e-5)


@pytest.mark.slow
def test_same_numbers_as_optax():
    optax = pytest.importorskip("optax")
    for name, extra in (("hvp", (jnp.arange(8.0),)), ("hessian_diag", ()), ("fisher_diag", ())):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            expected = getattr(optax.second_order, name)(loss, *extra, PARAMS, X, Y)
        found = getattr(S, name)(loss, *extra, PARAMS, X, Y)
        for y, z in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(y, z, rtol=1e-5, atol=1e-6)


def test_mixed_dtypes_and_chunks():
    """More elements than one chunk, and leaves of two dtypes, with no promotion."""
    params = {"a": jnp.ones(70), "b": jnp.ones(3, jnp.bfloat16)}

    def cubes(p, x, y):
        return jnp.sum(p["a"] ** 3) + jnp.sum(p["b"].astype(jnp.float32) ** 2)

    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        diagonal = jax.jit(lambda p: S.hessian_diag(cubes, p, 0, 0))(params)
        fisher = S.fisher_diag(cubes, params, 0, 0)
    np.testing.assert_allclose(diagonal, [6.0] * 70 + [2.0] * 3)
    np.testing.assert_allclose(fisher, [9.0] * 70 + [4.0] * 3)


def test_refused():
    with pytest.raises(ValueError, match=r"v has the shape \[3\]; expected a vector of the 8 elements"):
        S.hvp(loss, jnp.ones(3), PARAMS, X, Y)
    with pytest.raises(ValueError, match="hvp: v is a tree; expected a vector of the 8 elements"):
        S.hvp(loss, {"w": 1.0}, PARAMS, X, Y)
