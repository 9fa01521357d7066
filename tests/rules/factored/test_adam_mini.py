"""Adam-mini and SlimAdam: which elements share a second moment, and Adam where none do."""

import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.steps import close, problem, stack_is_layers, take

TREE = {
    "embedding": (11, 4),
    "query": {"kernel": (4, 2, 3), "bias": (2, 3)},
    "value": {"kernel": (4, 2, 3)},
    "out": {"kernel": (2, 3, 4)},
    "layers": {"kernel": (5, 4, 6), "bias": (5, 6)},
    "norm": {"scale": (4,)},
    "scalar": (),
}


def shapes_of(tx, tree=TREE):
    ones = {
        k: {n: jnp.ones(x) for n, x in v.items()} if isinstance(v, dict) else jnp.ones(v)
        for k, v in tree.items()
    }
    kept = tx.slots(ones)["scale_by_adam_mini"].nu
    return {
        k: {n: x.shape for n, x in v.items()} if isinstance(v, dict) else v.shape for k, v in kept.items()
    }


def test_blocks_of_the_paper():
    assert shapes_of(gc.scale_by_adam_mini()) == {
        "embedding": (11, 1),  # a token
        "query": {"kernel": (1, 2, 1), "bias": (2, 1)},  # a head
        "value": {"kernel": (1, 2, 3)},  # an output
        "out": {"kernel": (1, 1, 4)},
        "layers": {"kernel": (5, 1, 6), "bias": (5, 1)},  # of each layer
        "norm": {"scale": (1,)},
        "scalar": (),
    }


def test_patterns_and_axes_say_others():
    over = {"embedding": "cols", "layers/*": "matrix", "**/kernel": "rows"}
    found = shapes_of(gc.with_axes(gc.scale_by_adam_mini(over=over), {"value/kernel": "rbr"}))
    assert found["embedding"] == (11, 1) and found["layers"] == {"kernel": (5, 1, 1), "bias": (5, 1)}
    assert found["value"] == {"kernel": (1, 2, 1)} and found["norm"] == {"scale": (4,)}


def test_alone_is_adam(x64):
    params, grads = problem(steps=4, dtype="float64")
    mini = take(gc.adam_mini(0.1, 0.8, 0.95, 1e-3, over="none"), params, grads)
    slim = take(gc.slim_adam(0.1, {"nothing": "rows"}, 0.8, 0.95, 1e-3), params, grads)
    adam = take(gc.adam(0.1, 0.8, 0.95, 1e-3), params, grads)
    close(mini.updates, adam.updates, 1e-14)
    close(slim.updates, adam.updates, 1e-14)


def test_shared_is_the_mean_of_adam_s(x64):
    params, grads = problem({"kernel": (4, 3), "bias": (3,)}, steps=3, dtype="float64")
    whole = take(gc.scale_by_adam(), params, grads).state["scale_by_adam"].nu
    for over, axis in {"rows": 0, "cols": 1, "matrix": None}.items():
        nu = take(gc.scale_by_adam_mini(over=over), params, grads).state["scale_by_adam_mini"].nu
        close(nu["kernel"], np.mean(whole["kernel"], axis, keepdims=True), 1e-12)
        close(nu["bias"], np.mean(whole["bias"], keepdims=True), 1e-12)


def test_stack_is_layers():
    stack_is_layers(gc.adam_mini(0.1))


def test_empty_leaves():
    g = {"kernel": jnp.zeros((0, 3)), "bias": jnp.zeros((0,))}
    tx = gc.scale_by_adam_mini()
    _, state = tx.update(g, tx.init(g), g)
    assert np.array_equal(state["scale_by_adam_mini"].nu["kernel"], np.zeros((1, 3)))


def test_words_that_mean_nothing():
    with pytest.raises(ValueError, match="expected 'blocks'"):
        gc.scale_by_adam_mini(over="row")
