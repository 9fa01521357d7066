"""GPA at its limits, and against schedule-free, whose weights are one choice of mu_x."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

P = jnp.array([1.0, -2.0, 0.5, 3.0])
GRADS = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)


def run(tx: gc.Transform):
    """(parameters, what to evaluate) after each step, [steps, 2, 4]."""

    def step(carry, g):
        params, state = tx.step(g, carry[1], carry[0])
        return (params, state), jnp.stack([params, gc.eval_params(tx, state, params)])

    return np.asarray(jax.jit(lambda p: jax.lax.scan(step, (p, tx.init(p)), GRADS)[1])(P))


def test_without_an_average_it_is_the_base():
    found, base = run(gc.primal_averaging(gc.adam(0.1), mu_x=0.0)), run(gc.adam(0.1))
    np.testing.assert_allclose(found, base, rtol=1e-5, atol=1e-6)


def test_little_mu_y_trains_the_base_and_evaluates_its_average():
    found, base = run(gc.primal_averaging(gc.sgd(0.1), 0.8, 1e-3)), run(gc.sgd(0.1))[:, 0]
    np.testing.assert_allclose(found[:, 0], base, rtol=2e-3, atol=2e-3)
    x = np.asarray(P)
    for z, seen in zip(base, found[:, 1], strict=True):
        x = 0.8 * x + 0.2 * z
        np.testing.assert_allclose(seen, x, rtol=1e-3, atol=1e-3)


def test_mu_y_of_one_is_momentum():
    """Primal averaging of plain descent is heavy-ball momentum of lr (1 - mu_x) and decay mu_x."""
    found = run(gc.primal_averaging(gc.sgd(0.1), 0.8, 1.0))
    np.testing.assert_allclose(found[:, 0], run(gc.sgd(0.1 * 0.2, 0.8))[:, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[:, 1], found[:, 0], rtol=1e-6)


def test_the_schedule_free_average_is_one_choice_of_mu_x():
    found = run(gc.primal_averaging(gc.sgd(0.1), lambda t: t / (t + 1.0), 0.9))
    np.testing.assert_allclose(found, run(gc.schedule_free_sgd(0.1, b1=0.9)), rtol=1e-5, atol=1e-6)


def test_decay_is_of_z():
    tx = gc.gpa_adamw(0.1, weight_decay=0.5, mu_x=0.5, mu_y=0.5)
    state = tx.init(P)
    state["primal_averaging"] = state["primal_averaging"]._replace(z=jnp.zeros(4))
    updates, _ = tx.update(jnp.zeros(4), state, P)  # x is 2 P
    np.testing.assert_allclose(P + updates, 0.5 * P, rtol=1e-6)


@pytest.mark.parametrize("multiplicative", [False, True])
def test_hypergradient_of_rate_zero_is_the_base(multiplicative):
    tx = gc.hypergradient(gc.adamw(1.0, weight_decay=0.1), 0.03, 0.0, multiplicative=multiplicative)
    np.testing.assert_allclose(run(tx), run(gc.adamw(0.03, weight_decay=0.1)), rtol=1e-5, atol=1e-6)


def test_the_hypergradient_is_the_derivative_by_the_rate():
    """Of a loss after one more step of descent, by the length of the step before."""
    loss = lambda p: jnp.sum(jnp.cos(p) * p)  # noqa: E731
    tx = gc.hypergradient_sgd(0.1, hypergradient_rate=1.0)
    p, state = tx.step(jax.grad(loss)(P), tx.init(P), P)
    by_rate = jax.grad(lambda lr: loss(P - lr * jax.grad(loss)(P)))(0.1)
    _, state = tx.step(jax.grad(loss)(p), state, p)
    np.testing.assert_allclose(gc.metrics(state)["hypergradient/learning_rate"], 0.1 - by_rate, rtol=1e-5)
