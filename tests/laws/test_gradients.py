"""A step can be differentiated: no NaN from a root or a division at zero (google-deepmind/optax#882)."""

import jax
import jax.numpy as jnp
import pytest
from law import declares, every, finite, make, problem, run, step


@every
@pytest.mark.parametrize("gradients", ["some", "zero", "of the parameters"])
def test_derivative_of_two_steps(name, gradients):
    if declares(name, "no_derivative"):
        pytest.skip("declares that it has no derivative")
    tx = make(name)
    params, grads = problem(shapes={"kernel": (4, 3)}, steps=2)
    params = jax.tree.map(lambda p: p.at[0, 0].set(0), params)  # the minimum of the loss |p|^2 / 2
    if gradients == "zero":
        grads = jax.tree.map(jnp.zeros_like, grads)

    def end(params):
        if gradients == "of the parameters":
            after, state = params, tx.init(params)
            for _ in range(2):
                after, state = step(tx)(after, state, after)
        else:
            after, _ = run(step(tx), tx.init(params), params, grads)
        return sum(jnp.sum(jnp.sin(x)) for x in jax.tree.leaves(after))

    finite(jax.jit(jax.grad(end))(params), "the derivative ")


@every
def test_tangent_of_a_step(name):
    """Forward mode, with respect to the gradients, at some and at none."""
    if declares(name, "no_derivative"):
        pytest.skip("declares that it has no derivative")
    tx = make(name)
    params, grads = problem(shapes={"kernel": (4, 3)}, steps=1)
    do = jax.jit(lambda g: jax.jvp(lambda g: step(tx)(g, tx.init(params), params)[0], (g,), (g,)))
    finite(do(grads[0]), "")
    finite(do(jax.tree.map(jnp.zeros_like, grads[0])), "")
