"""Amos: layers of a stack are matrices of their own, and the target scale is what the shape says."""

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc

rng = np.random.default_rng(0)
STACK = [jnp.asarray(rng.standard_normal((2, 4, 3)), jnp.float32) for _ in range(4)]  # parameters, gradients


def run(tx: gc.Transform, pick=lambda x: x):
    p, *grads = ({"kernel": pick(x)} for x in STACK)
    state, step = tx.init(p), jax.jit(tx.step)
    for g in grads:
        p, state = step(g, state, p)
    return p["kernel"], state["scale_by_amos"]


def test_layers_step_as_they_would_alone():
    found, state = run(gc.amos(0.3, momentum=0.5))
    assert state.nu["kernel"].shape == state.decay["kernel"].shape == (2, 1, 3)
    for i in range(2):
        np.testing.assert_allclose(found[i], run(gc.amos(0.3, momentum=0.5), lambda x: x[i])[0], rtol=1e-5)  # noqa: B023


def test_the_target_scale_of_a_matrix_is_that_of_its_rows():
    np.testing.assert_allclose(run(gc.amos(0.3))[0], run(gc.amos(0.3, target_scale=0.5))[0], rtol=1e-6)
    assert np.max(np.abs(run(gc.amos(0.3))[0] - run(gc.amos(0.3, target_scale=0.4))[0])) > 0.01


def test_without_fading_it_is_descent_by_the_root_of_the_mean_square():
    """b2 = 0 and the first step: u = -lr eta g / rms(g) - lr^2 p / 2."""
    p, g = STACK[0][0], STACK[1][0]
    tx = gc.amos(0.3, target_scale=1.0, b2=0.0)
    u, _ = tx.update(g, tx.init(p), p)
    expected = -0.3 * g / np.sqrt(np.mean(np.square(g), 0)) - 0.045 * p
    np.testing.assert_allclose(u, expected, rtol=1e-5, atol=1e-6)
