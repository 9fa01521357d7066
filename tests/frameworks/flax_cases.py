"""Optimizers and data that the tests with Flax share."""

import jax.numpy as jnp
import pytest

import gradchain as gc

optax = pytest.importorskip("optax")

X = jnp.linspace(-1.0, 1.0, 12).reshape(4, 3)
RATE = 0.125


def adam():
    return gc.monitored(gc.chain(gc.clip_by_global_norm(1.0), gc.adam(gc.tunable(RATE))))


def groups():
    rate = gc.linear_schedule(RATE, 0.0, 10)
    return gc.partition({"a": gc.adam(rate), "b": gc.sgd(0.1, momentum=0.9)}, {"**/bias": "b", "**": "a"})


OPTIMIZERS = {
    "adam": adam,
    "masked": lambda: gc.masked(gc.adam(RATE), "**/kernel"),
    "frozen": lambda: gc.chain(gc.freeze("enc/**"), gc.adamw(RATE, mask="**/kernel")),
    "groups": groups,
    "empty": gc.chain,
    "around optax": lambda: gc.chain(optax.scale_by_adam(), gc.scale_by_learning_rate(RATE)),
}
VALUES = {
    k: v for k, v in OPTIMIZERS.items() if k != "around optax"
}  # Optax's functions equal only themselves
