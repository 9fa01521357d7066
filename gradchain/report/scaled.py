"""scale_loss: the loss as a `loss_scale` wants its gradients taken."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.states import state_class
from gradchain.report import held
from gradchain.storage.loss_scale import LossScaleState


def scale_loss(loss: Any, state: Any) -> Array:
    """The loss times the scale that a `loss_scale` in the state has for this step, in float32 at least.

    Take gradients of it, and hand them to the optimizer as they are:

        def scaled(params, state, batch):
            loss = loss_fn(params, batch)
            return gc.scale_loss(loss, state), loss

        grads, loss = jax.grad(scaled, has_aux=True)(params, state, batch)

    `state` is that of tx.init and tx.update, an nnx.Optimizer or a TrainState.
    """
    found = [
        (path, entry)
        for path, entry in held.entries(held.arrays(state))
        if issubclass(state_class(entry), LossScaleState)
    ]
    if len(found) != 1:
        there = " and ".join(repr(path) for path, _ in found) or "no loss_scale"
        raise ValueError(
            f"scale_loss: the state has {there}; expected one: put it around the whole optimizer, "
            "gc.loss_scale(tx)"
        )
    return tree.wide(jnp.asarray(loss)) * found[0][1].scale
