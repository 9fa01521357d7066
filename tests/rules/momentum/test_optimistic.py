"""Optimistic gradients: identities, and a game that plain gradients lose."""

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc
from tests.rules.steps import close, problem, take


def test_the_first_gradient_has_no_other_before_it():
    params, grads = problem({"w": (2, 3)})
    first, second = take(gc.scale_by_optimistic_gradient(0.5, 2.0), params, grads[:2]).updates
    close(first, jax.tree.map(lambda g: 0.5 * g, grads[0]))
    close(second, jax.tree.map(lambda g, h: 0.5 * g + 2 * (g - h), grads[1], grads[0]))


def test_no_optimism_is_gradient_descent():
    params, grads = problem({"w": (2, 3)})
    found = take(gc.optimistic_gradient_descent(0.1, beta=0.0), params, grads).params
    close(found, take(gc.sgd(0.1), params, grads).params)


def test_bilinear_game():
    """min over x, max over y of x y: plain steps spiral away, optimistic ones come to 0."""

    def distance(tx):
        def step(carry, _):
            p, state = carry
            return tx.step({"x": p["y"], "y": -p["x"]}, state, p), None

        p = {"x": jnp.float32(1), "y": jnp.float32(1)}
        (p, _), _ = jax.jit(lambda: jax.lax.scan(step, (p, tx.init(p)), None, 500))()
        return np.hypot(p["x"], p["y"])

    assert distance(gc.optimistic_gradient_descent(0.1)) < 0.2
    assert distance(gc.sgd(0.1)) > 10


def test_optimistic_adam_is_both():
    params, grads = problem({"w": (2, 3)})
    alike = take(gc.optimistic_adam(0.1), params, grads).params
    close(alike, take(gc.optimistic_adam_v2(0.1), params, grads).params)
    other = take(gc.optimistic_adam(0.1, 0.05), params, grads).params
    close(other, take(gc.optimistic_adam_v2(0.1, beta=0.5), params, grads).params)
