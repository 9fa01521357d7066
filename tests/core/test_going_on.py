"""Calls that are unusual and mean something: the library goes on with them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

PARAMS = {"a": jnp.ones((2, 3)), "b": jnp.asarray([1.0, -2.0, 0.5])}
GRADS = {"a": jnp.full((2, 3), 0.5), "b": jnp.asarray([-1.0, 2.0, 4.0])}


def updates_of(tx, grads=GRADS):
    return tx.update(grads, tx.init(PARAMS), PARAMS)[0]


def same(x, y):
    assert jax.tree.structure(x) == jax.tree.structure(y)
    jax.tree.map(np.testing.assert_array_equal, x, y)


@pytest.mark.parametrize("make", [gc.adam, gc.sgd, gc.adamw, gc.scale_by_learning_rate])
def test_a_negative_learning_rate_ascends(make):
    up, down = updates_of(make(-0.25)), updates_of(make(0.25))
    same(up["a"], -down["a"])
    assert jnp.all(make(-0.25).init(PARAMS)["scale_by_learning_rate"].hyperparams["learning_rate"] == -0.25)
    tx = make(gc.tunable(0.25))
    state = gc.set_hyperparams(tx, tx.init(PARAMS), learning_rate=-0.25)
    same(tx.update(GRADS, state, PARAMS)[0]["a"], up["a"])


@pytest.mark.parametrize(
    "rate",
    [
        np.array(0.25), np.array([0.25]), np.float32(0.25), jnp.asarray([0.25]), jnp.asarray(0.25),
        lambda step: jnp.full((1,), 0.25) + 0 * step,
    ],
)  # fmt: skip
def test_a_learning_rate_of_numpy_or_of_one_element(rate):
    tx = gc.sgd(rate)
    same(updates_of(tx), updates_of(gc.sgd(0.25)))
    assert jax.eval_shape(tx.update, GRADS, tx.init(PARAMS), PARAMS)[0]["b"].shape == (3,)


@pytest.mark.parametrize(
    "schedule",
    [
        lambda step: 0.5 / (step.astype(jnp.float32) + 1),
        lambda step: jnp.where(step.dtype == jnp.int32, 0.5, 0.0),
        lambda step: 0.5 + 0 * jnp.sqrt(1 / (1 + step)),
        lambda step: jnp.minimum(0.5, 1 / step),  # infinite at step 0
    ],
)
def test_a_schedule_may_ask_its_step_for_what_arrays_have(schedule):
    tx = gc.sgd(schedule)
    same(updates_of(tx), updates_of(gc.sgd(0.5)))
    built_inside = jax.jit(lambda g: gc.sgd(schedule).update(g, gc.sgd(schedule).init(g))[0])
    same(built_inside(GRADS), updates_of(tx))


def test_a_schedule_with_an_if_is_evaluated_at_the_first_step():
    state = jax.jit(lambda p: gc.sgd(lambda step: 0.5 if step < 3 else 0.1).init(p))(PARAMS)
    assert gc.metrics(state)["learning_rate"] == 0.5


@pytest.mark.parametrize(
    "nothing",
    [
        {"a": False, "b": False},
        False,
        lambda path, leaf: False,
        lambda params: jax.tree.map(lambda x: False, params),
    ],
    ids=["tree", "prefix", "predicate", "function"],
)
def test_a_tree_or_predicate_that_selects_nothing(nothing):
    masked = gc.masked(gc.adam(0.1), nothing)
    assert not masked.init(PARAMS)["scale_by_adam"].mu
    same(updates_of(masked), GRADS)
    same(updates_of(gc.adamw(0.1, weight_decay=0.5, mask=nothing)), updates_of(gc.adam(0.1)))
    same(updates_of(gc.freeze(nothing)), GRADS)
    same(updates_of(gc.chain(gc.freeze(nothing), gc.sgd(0.1))), updates_of(gc.sgd(0.1)))
    with pytest.raises(ValueError, match="matches none"):
        gc.masked(gc.adam(0.1), "c").init(PARAMS)


def test_a_tree_that_freezes_everything():
    tx = gc.chain(gc.freeze({"a": True, "b": True}), gc.adam(0.1))
    same(updates_of(tx), jax.tree.map(jnp.zeros_like, PARAMS))


@pytest.mark.parametrize("state", [None, (), {}, PARAMS, {"trace": 1}, [1, 2]], ids=repr)
def test_what_keeps_no_state_takes_any_and_gives_it_back(state):
    for tx in (gc.scale(0.5), gc.chain(gc.clip(1.0), gc.scale(0.5)), gc.masked(gc.scale(0.5), "a")):
        out, new = tx.update(GRADS, state)
        assert new is state
        same(out["a"], 0.5 * GRADS["a"])
    with pytest.raises(ValueError, match="Arguments are exchanged"):
        gc.scale(0.5).update({}, GRADS, GRADS)


NO_PARAMS = {
    "adam": gc.adam(0.1),
    "masked": gc.masked(gc.adam(0.1), "a"),
    "groups": gc.partition({"x": gc.adam(0.1), "y": gc.sgd(0.1)}, {"a": "x", "b": "y"}),
    "frozen": gc.chain(gc.freeze("a"), gc.adam(0.1)),
    "accumulate": gc.accumulate(gc.adam(0.1), 2),
    "skip": gc.skip(gc.adam(0.1), spikes=3.0, window=2),
    "reset_every": gc.reset_every(gc.adam(0.1), 2),
    "stored": gc.stored(gc.adam(0.1), "bfloat16"),
    "loss_scale": gc.loss_scale(gc.adam(0.1)),
    "muon": gc.muon(0.1),
    "monitored": gc.monitored(gc.adam(0.1)),
}


@pytest.mark.parametrize("name", NO_PARAMS)
def test_links_that_do_not_need_the_parameters_do_without(name):
    tx = NO_PARAMS[name]
    state = tx.init(PARAMS)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6),
        jax.jit(tx.update)(GRADS, state, None),
        jax.jit(tx.update)(GRADS, state, PARAMS),
    )
