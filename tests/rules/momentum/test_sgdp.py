"""SGDP: without its projection it is momentum; a masked decay."""

import jax.numpy as jnp
import numpy as np

import gradchain as gc
from tests.rules.steps import close, problem, stack_is_layers, take


def test_without_projection_it_is_momentum():
    params, grads = problem()
    found = take(gc.sgdp(0.1, 0.8, delta=0.0), params, grads).updates
    close(found, take(gc.sgd(0.1, 0.8), params, grads).updates)


def test_layers_of_a_stack_are_apart():
    stack_is_layers(gc.scale_by_sgdp(delta=1.0))


def test_a_whole_layer_where_a_column_does_not_pass():
    """Column by column the gradients lie along the weights, but over the layer they cancel."""
    p = {"kernel": jnp.array([[1.0, 1.0], [0.0, 0.0]])}
    g = {"kernel": jnp.array([[1.0, -1.0], [2.0, 1.0]])}
    v = g["kernel"]
    found = take(gc.scale_by_sgdp(delta=0.5, weight_decay=0.1, wd_ratio=0.5), p, [g]).updates[0]["kernel"]
    close(found, v + 0.5 * 0.1 / 0.1 * p["kernel"])  # <p, g> = 0 already, and the decay is halved
    none = take(gc.scale_by_sgdp(delta=0.5, weight_decay=0.1), p, [{"kernel": jnp.abs(v)}]).updates[0]
    close(none["kernel"], np.abs(v) + 0.1 / 0.1 * p["kernel"])


def test_decay_has_a_mask():
    params, grads = problem({"kernel": (3, 2), "bias": (2,)}, steps=1)
    found = take(gc.sgdp(0.1, weight_decay=0.5, mask="kernel"), params, grads).updates[0]
    close(found["bias"], -0.1 * grads[0]["bias"])
    close(found, take(gc.sgdp(0.1, weight_decay=0.5), params, grads).updates[0] | {"bias": found["bias"]})
