"""Gradients of any finite size, second derivatives at exact zeros, arrays that outlive a donated state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain import testing
from tests.sampled import sampled


@pytest.mark.parametrize("size", [1e20, 1e30, 1.5e-25])
def test_the_global_norm_of_values_whose_squares_are_lost(size):
    grads = {"a": jnp.full(3, size), "b": {"c": jnp.full((1,), size, jnp.bfloat16)}}
    norm = jax.jit(gc.global_norm)(grads)
    np.testing.assert_allclose(norm, 2 * size, rtol=4e-3)
    np.testing.assert_allclose(jax.grad(gc.global_norm)(grads)["a"], 0.5, rtol=4e-3)


def test_clipping_values_whose_squares_overflow():
    tx, grads = gc.clip_by_global_norm(1.0), {"a": jnp.full(4, 1e20)}
    updates, state = tx.update(grads, tx.init(grads))
    np.testing.assert_allclose(updates["a"], 0.5, rtol=1e-6)
    np.testing.assert_allclose(gc.metrics(state)["grad_norm"], 2e20, rtol=1e-6)
    assert gc.metrics(state)["clipped_norm"] == 1


def test_norms_that_are_not_numbers_stay_so():
    for value in (jnp.inf, jnp.nan):
        found = gc.global_norm({"a": jnp.asarray([1.0, value]), "b": jnp.ones(2)})
        np.testing.assert_equal(np.asarray(found), np.asarray(value))
    for nothing in ({}, {"a": jnp.ones(0)}, {"a": jnp.zeros(3)}):
        assert gc.global_norm(nothing) == 0


@pytest.mark.parametrize("preconditioning", ["frobenius", "spectral", "schatten", "aol"])
def test_a_matrix_of_any_size_is_made_orthogonal(preconditioning):
    x = jnp.asarray([[1.0, 2.0], [3.0, 4.0]])
    f = jax.jit(lambda x: gc.linalg.newton_schulz(x, preconditioning=preconditioning))
    for size in (1e8, 1e12, 1e20, 1e30, 5e37):
        np.testing.assert_allclose(f(x * size), f(x), atol=1e-5)


@pytest.mark.parametrize("name", sampled(40, [n for n, f in gc.REGISTRY.items() if f.kind == "optimizer"]))
def test_finite_gradients_of_any_size_make_no_nan(name):
    tx = gc.core.transform.example(name)
    params = {"w": jnp.asarray([[1.0, 2.0], [3.0, 4.0]]), "b": jnp.ones(3)}
    state, step = tx.init(params), jax.jit(testing.subject(tx).update())
    for size in (1.0, 1e20, 1.0, 1e30, 1e-30, 1.0):
        grads = {"w": jnp.ones((2, 2)).at[0, 1].set(size), "b": jnp.ones(3).at[1].set(size)}
        updates, state = step(grads, state, params)
        assert not any(bool(jnp.any(jnp.isnan(x))) for x in jax.tree.leaves((updates, state)))


def test_adafactor_recovers_from_a_gradient_whose_square_overflows():
    tx, params = gc.adafactor(0.1), {"w": jnp.ones(4)}
    state, step = tx.init(params), jax.jit(tx.update)
    for size in (1.0, 1e20, 1.0, 1.0):
        updates, state = step({"w": jnp.full(4, size)}, state, params)
        assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves((updates, state)))
    infinite, _ = step({"w": jnp.full(4, jnp.inf)}, state, params)
    assert not bool(jnp.any(jnp.isfinite(infinite["w"])))  # nothing is hidden


@pytest.mark.parametrize("order", [
    jax.hessian, lambda f: jax.jacfwd(jax.grad(f)), lambda f: jax.grad(jax.grad(f)),
    lambda f: lambda x: jax.jvp(jax.grad(f), (x,), (1.0,))[1],
])  # fmt: skip
def test_second_derivatives_through_a_scan_where_a_gradient_is_zero(order):
    def final(rate):
        tx, params = gc.adam(rate), jnp.asarray([1.0, -1.0])

        def body(carry, _):
            params, state = carry
            return tx.step(jnp.where(params > 0, params, 0.0), state, params), None

        return jnp.sum(jax.lax.scan(body, (params, tx.init(params)), length=2)[0][0] ** 2)

    assert float(order(final)(0.05)) == pytest.approx(8.146, abs=1e-3)


def test_parameters_to_evaluate_with_outlive_the_state():
    tx, params = gc.average(gc.sgd(0.1)), {"a": jnp.ones(2)}
    state = tx.init(params)
    evaluated = gc.eval_params(tx, state, params)
    step = jax.jit(lambda params, state: tx.step(params, state, params), donate_argnums=(0, 1))
    params, state = step(params, state)
    assert np.array_equal(evaluated["a"], [1, 1])
