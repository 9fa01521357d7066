"""unfreeze: leaves that begin to train later, with moments of their own age."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

PARAMS = {"a": jnp.array([1.0, -2.0]), "b": jnp.array([[0.5, 1.5]])}


def gradients(steps):
    return [jax.tree.map(lambda x, k=k: jnp.sin(x * (k + 1.0) + k), PARAMS) for k in range(steps)]


def run(tx, params, grads):
    state, step = tx.init(params), jax.jit(tx.step)
    found = []
    for g in grads:
        params, state = step(g, state, params)
        found.append(params)
    return found, state


@pytest.mark.parametrize("base", [gc.adamw(0.1, weight_decay=0.1), gc.accumulate(gc.adam(0.1), 1)])
def test_a_leaf_that_begins_later_is_new_then(base):
    """From its step on it moves as under a fresh optimizer, whatever its gradients were before."""
    grads = gradients(7)
    grads[1]["b"] = jnp.full((1, 2), jnp.nan)
    found, _ = run(gc.unfreeze(base, {"b": 3}), PARAMS, grads)
    for k in range(3):
        np.testing.assert_array_equal(found[k]["b"], PARAMS["b"])
    late, _ = run(base, {"b": PARAMS["b"]}, [{"b": g["b"]} for g in grads[3:]])
    early, _ = run(base, {"a": PARAMS["a"]}, [{"a": g["a"]} for g in grads])
    for k in range(7):
        np.testing.assert_allclose(found[k]["a"], early[k]["a"], rtol=1e-6)
        if k >= 3:
            np.testing.assert_allclose(found[k]["b"], late[k - 3]["b"], rtol=1e-6)


def test_its_gradient_counts_in_no_norm_before():
    tx = gc.unfreeze(gc.chain(gc.clip_by_global_norm(1.0), gc.scale(1.0)), {"b": 2})
    g = {"a": jnp.array([3.0, 4.0]), "b": jnp.array([[100.0, 0.0]])}
    updates, _ = tx.update(g, tx.init(PARAMS), PARAMS)
    np.testing.assert_allclose(updates["a"], [0.6, 0.8], rtol=1e-6)
    np.testing.assert_array_equal(updates["b"], 0)


def test_within_groups_and_in_fewer_bits():
    """The ages are found in partitions, under stored and after a checkpoint."""
    base = gc.partition({"x": gc.adam(0.1), "y": gc.sgd(0.1, momentum=0.9)}, {"b*": "x", "a*": "y"})
    tx = gc.stored(gc.unfreeze(base, {"b": 2}), {"**/nu": "log8"})
    grads = gradients(5)
    found, state = run(tx, PARAMS, grads)
    assert int(state["x"]["scale_by_adam"].born["b"]) == 2 and int(state["x"]["scale_by_adam"].count) == 5
    np.testing.assert_array_equal(found[1]["b"], PARAMS["b"])
    assert not np.array_equal(found[2]["b"], PARAMS["b"])
    loaded, _ = gc.load_state(tx, PARAMS, gc.state_dict(state), strict=True)
    for x, y in zip(jax.tree.leaves(state), jax.tree.leaves(loaded), strict=True):
        np.testing.assert_array_equal(x, y)


def test_errors():
    with pytest.raises(ValueError, match="'c' matches none of 2 leaves; paths look like 'a', 'b'"):
        gc.unfreeze(gc.adam(0.1), {"c": 2}).init(PARAMS)
