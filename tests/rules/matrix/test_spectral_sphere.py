"""SSO: weights of one spectral norm, steps across the direction of the largest singular value."""

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc
from tests.rules.steps import close, draw, problem, stack_is_layers, take

STEPS = {"power_steps": 50, "search_steps": 30}


def test_the_step_is_orthogonal_and_across_the_largest_direction():
    params, grads = problem({"kernel": (4, 6)}, 1)
    p = take(gc.step_on_spectral_sphere(0.1, 2.0, **STEPS), params, grads).params["kernel"]
    u, s, v = np.linalg.svd(params["kernel"])
    radius = 2 * (6 / 4) ** 0.5
    d = (params["kernel"] / s[0] - p / radius) / 0.1
    np.testing.assert_allclose(np.linalg.svd(d)[1], 1, atol=0.02)
    assert abs(u[:, 0] @ d @ v[0]) < 1e-3


def test_the_norm_stays_nearly_what_it_is():
    params, grads = problem({"kernel": (6, 4)}, 8)
    p = take(gc.spectral_sphere(0.02, **STEPS), params, grads).params["kernel"]
    assert abs(np.linalg.svd(p)[1][0] / (4 / 6) ** 0.5 - 1) < 0.02


def test_no_gradient_only_scales_and_zeros_are_moved():
    params = draw({"kernel": (4, 6)})
    tx, none = gc.step_on_spectral_sphere(0.1, **STEPS), jax.tree.map(jnp.zeros_like, params)
    p = take(tx, params, [none]).params["kernel"]
    close(p, params["kernel"] * (1.5**0.5 / np.linalg.svd(params["kernel"])[1][0]), 1e-4)
    moved = take(tx, none, [params]).params["kernel"]
    np.testing.assert_allclose(np.linalg.svd(moved)[1], 0.1 * 1.5**0.5, rtol=0.02)


def test_layers_of_a_stack_are_matrices():
    stack_is_layers(gc.step_on_spectral_sphere(0.1))
