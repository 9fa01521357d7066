"""Transformations of Optax in our chains, and ours in Optax's."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gradchain as gc

PARAMS = {"a": jnp.asarray([1.0, -2.0, 3.0]), "b": {"c": jnp.asarray(0.5)}}
GRADS = {"a": jnp.asarray([0.1, 0.2, -0.3]), "b": {"c": jnp.asarray(-4.0)}}


def close(x, y):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), x, y)


def run(tx, steps=3):
    params, state = PARAMS, tx.init(PARAMS)
    for _ in range(steps):
        updates, state = jax.jit(tx.update)(GRADS, state, params)
        params = optax.apply_updates(params, updates)
    return params


def scale_by_value():
    def update(updates, params, *, value):
        return jax.tree.map(lambda u: u * value, updates)

    return gc.treewise(None, update)


@pytest.fixture
def needs_value():
    """A transform that asks for an extra argument, known to the registry within one test."""
    yield gc.transform()(scale_by_value)()
    del gc.REGISTRY["scale_by_value"]


def test_optax_inside_a_chain():
    tx = gc.chain(gc.scale_by_adam(), optax.add_decayed_weights(0.1), gc.scale_by_learning_rate(0.1))
    close(run(tx), run(optax.adamw(0.1, weight_decay=0.1)))
    close(run(gc.chain(optax.scale_by_adam(), gc.scale(-0.1))), run(optax.adam(0.1)))


def test_state_of_a_foreign_link_is_named_and_its_own():
    tx = gc.chain(optax.scale_by_adam(), optax.trace(0.9), optax.trace(0.5), gc.scale(-1.0))
    state = tx.init(PARAMS)
    assert list(state) == ["scale_by_adam", "trace", "trace_1"]
    assert isinstance(state["scale_by_adam"], optax.ScaleByAdamState)


def test_foreign_slots():
    tx = gc.chain(optax.scale_by_adam(), gc.scale_by_learning_rate(0.1))
    shapes = jax.tree.map(lambda s: (s.shape, jnp.dtype(s.dtype).name), tx.slots(PARAMS))
    real = jax.tree.map(lambda x: (x.shape, x.dtype.name), tx.init(PARAMS))
    assert jax.tree.leaves(shapes) == jax.tree.leaves(real)


def test_step_of_a_chain_that_ends_in_a_foreign_link():
    tx = gc.chain(gc.scale_by_adam(), optax.scale(-0.1))
    params, _ = tx.step(GRADS, tx.init(PARAMS), PARAMS)
    close(params, run(optax.adam(0.1), steps=1))


def test_foreign_masked_and_partitioned():
    tx = gc.chain(gc.masked(optax.scale_by_adam(), "a"), gc.scale(-0.1))
    updates, _ = tx.update(GRADS, tx.init(PARAMS), PARAMS)
    close(updates["a"], -0.1 * jnp.sign(GRADS["a"]))
    close(updates["b"], {"c": -0.1 * GRADS["b"]["c"]})
    tx = gc.partition({"x": optax.sgd(0.1), "y": gc.scale(1.0)}, {"a": "x", "b": "y"})
    updates, _ = tx.update(GRADS, tx.init(PARAMS), PARAMS)
    close(updates["a"], -0.1 * GRADS["a"])


@pytest.mark.parametrize("tx", [gc.adam(0.1), gc.adam(0.1).optax], ids=["itself", "tx.optax"])
def test_inside_an_optax_chain(tx):
    close(run(optax.chain(optax.clip(0.2), tx)), run(optax.chain(optax.clip(0.2), optax.adam(0.1))))


def test_takes_the_place_of_an_optax_transformation():
    close(run(optax.masked(gc.scale(-0.1), {"a": True, "b": False})),
          run(optax.masked(optax.scale(-0.1), {"a": True, "b": False})))  # fmt: skip
    wrapped = optax.MultiSteps(gc.sgd(0.1), 2)
    state = wrapped.init(PARAMS)
    first, state = wrapped.update(GRADS, state, PARAMS)
    second, _ = wrapped.update(GRADS, state, PARAMS)
    assert not np.any(first["a"])
    close(second["a"], -0.1 * GRADS["a"])


def test_extra_arguments_pass_through_tx_optax(needs_value):
    inside = optax.chain(optax.scale(2.0), needs_value.optax)
    updates, _ = inside.update(GRADS, inside.init(PARAMS), PARAMS, value=3.0)
    close(updates["a"], 6 * GRADS["a"])


def test_extra_arguments_pass_to_a_foreign_link(needs_value):
    seen = []

    def update(updates, state, params=None, **extra):
        seen.append(extra)
        return updates, state

    listener = optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)
    tx = gc.chain(needs_value, listener)
    tx.update(GRADS, tx.init(PARAMS), PARAMS, value=2.0)
    assert seen == [{"value": 2.0}]
    deaf = gc.chain(needs_value, optax.scale(1.0))  # takes none, and is given none
    deaf.update(GRADS, deaf.init(PARAMS), PARAMS, value=2.0)


def test_optax_chain_that_drops_extra_arguments_is_told(needs_value):
    tx = optax.chain(optax.scale(2.0), needs_value)
    with pytest.raises(TypeError, match=r"scale_by_value needs 'value'.*Inside optax.chain pass tx.optax"):
        tx.update(GRADS, tx.init(PARAMS), PARAMS, value=3.0)
