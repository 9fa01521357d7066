"""FOCUS: its pull to the mean of the parameters."""

import jax.numpy as jnp

import gradchain as gc
from tests.rules.steps import close, problem, take


def test_without_a_pull_it_is_signum():
    params, grads = problem()
    found = take(gc.focus(0.1, b1=0.8, gamma=0.0), params, grads).updates
    close(found, take(gc.signum(0.1, 0.8), params, grads).updates)


def test_parameters_that_stay_are_their_mean():
    """To the bit: a mean that rounding had moved would pull with all its strength."""
    params = jnp.array([0.1, 1 / 3, -7.7], jnp.float32)
    tx = gc.scale_by_focus(gamma=0.5)
    state = tx.init(params)
    for _ in range(3):
        u, state = tx.update(jnp.zeros(3), state, params)
        assert not jnp.any(u)


def test_pull_and_decay():
    params, grads = jnp.array([1.0, -1.0]), [jnp.array([1.0, -1.0])] * 2
    found = take(gc.focus(0.5, b2=0.5, gamma=0.2, weight_decay=0.1), params, grads).updates
    close(found[0], -0.5 * jnp.array([1.1, -1.1]))
    mean = (1.0 + 2 * 0.45) / 3
    close(found[1], -0.5 * jnp.array([0.8 + 0.1 * mean, -0.8 - 0.1 * mean]))
