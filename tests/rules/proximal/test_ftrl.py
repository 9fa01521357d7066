"""FTRL-Proximal: AdaGrad without penalties, exact zeros with them."""

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc


def steps(tx: gc.Transform, n: int = 4):
    rng = np.random.default_rng(0)
    p = jnp.asarray(rng.standard_normal(12), jnp.float32)
    state, step = tx.init(p), jax.jit(tx.step)
    for _ in range(n):
        p, state = step(jnp.asarray(rng.standard_normal(12), jnp.float32), state, p)
    return p


def test_without_penalties_it_is_adagrad():
    """The leader forgets the start by the initial sum of squares, so that is 0 here."""
    found = steps(gc.ftrl(0.3, initial_accumulator_value=0.0))
    np.testing.assert_allclose(found, steps(gc.adagrad(0.3, 0.0, eps=0.0)), rtol=1e-5, atol=1e-6)


def test_power_of_zero_is_the_sum_of_gradients():
    """n^0 = 1: w = -lr * sum of g, with soft thresholding of the sum."""
    found = steps(gc.ftrl(0.3, l1=1.5, power=0.0, initial_accumulator_value=0.1))
    rng = np.random.default_rng(0)
    rng.standard_normal(12)
    z = sum(rng.standard_normal(12) for _ in range(4))
    expected = -0.3 * np.sign(z) * np.maximum(np.abs(z) - 1.5, 0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert 0 < np.sum(np.asarray(found) == 0) < 12


def test_where_nothing_divides_a_parameter_stays():
    p = jnp.array([1.0, -2.0])
    for tx in (gc.ftrl(0.3, initial_accumulator_value=0.0), gc.ftrl(lambda t: 0.0 * t)):
        found, _ = tx.step(jnp.zeros(2), tx.init(p), p)
        np.testing.assert_array_equal(found, p)
