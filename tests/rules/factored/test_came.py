"""CAME: what it keeps, stacks, and what its residual does."""

import jax.numpy as jnp
import numpy as np

import gradchain as gc
from tests.rules.steps import close, problem, stack_is_layers, take


def test_what_is_kept():
    slots = gc.scale_by_came().slots({"layers": {"kernel": jnp.ones((2, 5, 7)), "bias": jnp.ones((2, 7))}})
    kept = slots["scale_by_came"]
    of = lambda name: {f: getattr(kept, f)["layers"][name].shape for f in kept._fields}  # noqa: E731
    kernel = {
        "mu": (2, 5, 7),
        "v_row": (2, 5),
        "v_col": (2, 7),
        "v": (),
        "res_row": (2, 5),
        "res_col": (2, 7),
    }
    assert of("kernel") == kernel
    bias = {"mu": (2, 7), "v_row": (), "v_col": (), "v": (2, 7), "res_row": (), "res_col": ()}
    assert of("bias") == bias


def test_stack_is_layers():
    stack_is_layers(gc.came(0.1))


def test_vectors_have_no_residual(x64):
    """The momentum of clipped updates: there is nothing to be compared with."""
    params, grads = problem({"bias": (5,)}, steps=1, dtype="float64")
    u = take(gc.scale_by_came(b1=0.7, b2=0.4), params, grads).updates[0]["bias"]
    expected = np.sign(grads[0]["bias"]) / np.sqrt(0.6)
    close(u, 0.3 * expected / max(1, 1 / np.sqrt(0.6)), 1e-12)


def test_updates_that_disagree_with_the_momentum_are_smaller(x64):
    """Of two rows with the same squares one turns its sign in each step."""
    g = np.ones((2, 3))
    tx = gc.scale_by_came(b1=0.9, b2=0.9, b3=0.5)
    params = {"kernel": jnp.zeros((2, 3))}
    state = tx.init(params)
    for t in range(20):
        turned = jnp.asarray(g * np.array([[1.0], [(-1.0) ** t]]))
        u, state = tx.update({"kernel": turned}, state, params)
    kept = state["scale_by_came"]
    assert kept.res_row["kernel"][1] > 3 * kept.res_row["kernel"][0]
    close(kept.v_row["kernel"][0], kept.v_row["kernel"][1], 1e-12)
    assert np.all(np.abs(u["kernel"][1]) < np.abs(u["kernel"][0]))
