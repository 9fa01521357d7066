"""Fromage, centralisation and norms: beside Optax, at nothing, on stacks."""

import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.beside import same_steps
from tests.rules.steps import close, problem, stack_is_layers, take


def test_fromage_is_optax(x64):
    optax = pytest.importorskip("optax")
    same_steps(gc.fromage(0.1), optax.fromage(0.1))
    same_steps(gc.fromage(0.1, min_norm=2.0), optax.fromage(0.1, min_norm=2.0))


def test_fromage_follows_a_schedule(x64):
    params, grads = problem({"kernel": (4, 3)}, dtype="float64")
    tx = gc.fromage(lambda t: 0.1 / (1 + t), min_norm=0.0)
    for t, u in enumerate(take(tx, params, grads).updates):
        rate, p, g = 0.1 / (1 + t), params["kernel"], grads[t]["kernel"]
        step = p - rate * np.linalg.norm(p) / np.linalg.norm(g) * g
        close(u["kernel"], step / np.sqrt(1 + rate**2) - p, 1e-12)
        params = {"kernel": p + u["kernel"]}


def test_short_steps_lose_no_digits():
    """1 - 1 / sqrt(1 + lr^2) is 5e-9 at lr 1e-4, and would be 0 in float32."""
    params = {"w": jnp.ones(3)}
    u = take(gc.step_and_shrink(1e-4), params, [{"w": jnp.zeros(3)}]).updates[0]["w"]
    close(u, np.full(3, -5e-9), 1e-6)


def test_norms_are_optax(x64):
    optax = pytest.importorskip("optax")
    same_steps(gc.normalize_by_update_norm(0.7, 1e-2), optax.normalize_by_update_norm(0.7, 1e-2))
    same_steps(gc.normalize(), optax.contrib.normalize())
    same_steps(gc.scale_by_param_block_norm(3.0), optax.scale_by_param_block_norm(3.0))
    shapes = {"kernel": (4, 3), "bias": (3,), "stack": (2, 4, 3), "conv": (2, 3, 4, 5)}
    same_steps(gc.centralize(units="leading"), optax.centralize(), shapes)


def test_normalize_says_the_norm_and_takes_none():
    params = {"w": jnp.ones(2)}
    found = take(gc.normalize(), params, [{"w": jnp.array([3.0, 4.0])}, {"w": jnp.zeros(2)}])
    close([u["w"] for u in found.updates], [np.array([0.6, 0.8]), np.zeros(2)])
    assert gc.metrics(found.state) == {"grad_norm": 0.0}


def test_centralize_takes_the_mean_over_inputs():
    """Every column of a kernel [in, out] has mean 0, of each layer of a stack; a bias is left alone."""
    params, grads = problem({"kernel": (3, 6, 4), "bias": (4,)}, steps=1)
    u = take(gc.centralize(), params, grads).updates[0]
    np.testing.assert_allclose(np.mean(u["kernel"], 1), 0, atol=1e-6)
    close(u["kernel"], grads[0]["kernel"] - np.mean(grads[0]["kernel"], 1, keepdims=True))
    close(u["bias"], grads[0]["bias"])


def test_stacks_are_layers():
    stack_is_layers(gc.fromage(0.1))
    stack_is_layers(gc.scale_by_param_block_norm())
