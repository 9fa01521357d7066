"""Brax's training utilities, with and without an axis of devices."""

import jax
import jax.numpy as jnp
import optax
from brax.training import gradients

_X = jnp.linspace(-1, 1, 12).reshape(6, 2)
_PARAMS = {"w": jnp.array([0.5, -0.5])}


def _loss(params, x):
    loss = jnp.mean((x @ params["w"] - 1.0) ** 2)
    return loss, {"loss": loss}


def update_function_of_brax():
    optimizer = optax.adam(learning_rate=1e-1)
    update = gradients.gradient_update_fn(_loss, optimizer, pmap_axis_name=None, has_aux=True)
    params, state = _PARAMS, optimizer.init(_PARAMS)
    for _ in range(2):
        (loss, _), params, state = update(params, _X, optimizer_state=state)
    return loss, params


def update_function_of_brax_over_devices():
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-1))
    update = gradients.gradient_update_fn(_loss, optimizer, pmap_axis_name="i", has_aux=True)
    state = optimizer.init(_PARAMS)
    step = jax.vmap(lambda x: update(_PARAMS, x, optimizer_state=state), axis_name="i")
    return step(_X.reshape(2, 3, 2))[1]
