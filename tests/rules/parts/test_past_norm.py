"""Clipping to the average norm of a layer: its start, a spike, layers of a stack."""

import jax.numpy as jnp
import numpy as np

import gradchain as gc
from tests.rules.steps import close, take


def norms(updates) -> list[float]:
    return [float(jnp.linalg.norm(u["kernel"])) for u in updates]


def grads(*sizes: float):
    return [{"kernel": jnp.full((2, 2), size / 2)} for size in sizes]


def test_a_spike_is_cut_to_the_average():
    tx = gc.clip_by_past_norm(10.0, relative=1.5, decay=0.5, warmup_steps=2)
    taken = take(tx, grads(0.0)[0], grads(4.0, 2.0, 100.0, 2.0, 100.0))
    np.testing.assert_allclose(norms(taken.updates), [4.0, 2.0, 3.0, 2.0, 3.375], rtol=1e-5)
    close(taken.state["clip_by_past_norm"].past_norm["kernel"], jnp.float32((2.25 + 3.375) / 2))


def test_first_steps_are_clipped_by_the_norm_of_all_leaves():
    params = {"kernel": jnp.zeros((2, 2)), "bias": jnp.zeros(1)}
    g = {"kernel": jnp.full((2, 2), 2.0), "bias": jnp.full(1, 3.0)}
    taken = take(gc.clip_by_past_norm(1.0), params, [g])
    close(taken.updates[0], {k: x / 5 for k, x in g.items()})
    assert float(gc.metrics(taken.state)["grad_norm"]) == 5.0


def test_layers_of_a_stack_have_their_own_average():
    g = {"kernel": jnp.stack([jnp.full((2, 2), 1.0), jnp.full((2, 2), 4.0)])}
    taken = take(gc.clip_by_past_norm(100.0, warmup_steps=1), g, [g, {"kernel": 10 * g["kernel"]}])
    close(taken.updates[1], {"kernel": 1.05 * g["kernel"]})
    assert gc.clip_by_past_norm(per_leaf=True).init(g)["clip_by_past_norm"].past_norm["kernel"].shape == ()


def test_a_layer_without_a_gradient_grows_from_eps():
    taken = take(gc.clip_by_past_norm(1.0, 2.0, eps=0.5, warmup_steps=1), grads(0.0)[0], grads(0.0, 9.0))
    np.testing.assert_allclose(norms(taken.updates), [0.0, 1.0], rtol=1e-5)
