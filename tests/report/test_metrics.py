"""metrics: which names, which values, from every kind of holder, in and out of jit."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

PARAMS = {"bias": jnp.ones(3), "kernel": jnp.ones((2, 3))}
GRADS = jax.tree.map(lambda x: 2.0 * x, PARAMS)
NORM = 6.0  # sqrt(9 * 2^2)


def after(tx, steps=1, grads=GRADS):
    state, params = tx.init(PARAMS), PARAMS
    for _ in range(steps):
        params, state = tx.step(grads, state, params)
    return state


def test_step_and_learning_rate():
    found = gc.metrics(after(gc.adam(gc.exponential_decay(0.1, 1, 0.5)), 3))
    assert found["step"] == 3
    np.testing.assert_allclose(found["learning_rate"], 0.025, rtol=1e-6)  # of the last step, number 2 from 0


def test_constants_are_reported_where_recorded():
    assert set(gc.metrics(after(gc.adam(0.1)))) == {"step", "learning_rate"}


def test_norms_of_a_clipped_step():
    tx = gc.monitored(gc.chain(gc.clip_by_global_norm(1.5), gc.scale(-0.5)))
    found = {k: float(v) for k, v in gc.metrics(after(tx)).items()}
    assert found == pytest.approx(
        {"grad_norm": NORM, "clip_by_global_norm/grad_norm": NORM, "clipped_norm": 1.5, "update_norm": 0.75}
    )


def test_clipping_alone_reports_both_norms():
    found = gc.metrics(after(gc.chain(gc.clip_by_global_norm(1.5), gc.adam(0.1))))
    np.testing.assert_allclose([found["grad_norm"], found["clipped_norm"]], [NORM, 1.5], rtol=1e-6)


def test_monitored_does_not_change_the_updates():
    tx = gc.adam(0.1)
    a, _ = tx.update(GRADS, tx.init(PARAMS), PARAMS)
    b, _ = gc.monitored(tx).update(GRADS, gc.monitored(tx).init(PARAMS), PARAMS)
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_names_that_clash_go_by_path():
    tx = gc.partition({"a": gc.adam(0.1), "b": gc.sgd(gc.tunable(0.2))}, {"bias": "b", "**": "a"})
    found = gc.metrics(after(tx, 2))
    assert set(found) == {
        "step",
        "a/scale_by_learning_rate/learning_rate",
        "b/scale_by_learning_rate/learning_rate",
    }
    np.testing.assert_allclose(found["b/scale_by_learning_rate/learning_rate"], 0.2, rtol=1e-6)


def test_names_do_not_depend_on_values_or_on_jit():
    tx = gc.monitored(gc.chain(gc.clip_by_global_norm(1.0), gc.adam(gc.tunable(0.1))))
    state = after(tx)
    inside = jax.jit(gc.metrics)(state)
    outside = gc.metrics(state)
    assert set(inside) == set(outside)
    jax.tree.map(np.testing.assert_array_equal, inside, outside)
    assert set(gc.metrics(jax.jit(lambda s: s)(state))) == set(outside)  # jit sorts the links


def test_scheduled_and_tunable_hyperparameters_of_any_link():
    tx = gc.chain(gc.scale_by_adam(b1=gc.tunable(0.8), b2=lambda t: 0.9 + 0.01 * t), gc.scale(-1.0))
    found = gc.metrics(after(tx, 2))
    np.testing.assert_allclose([found["b1"], found["b2"]], [0.8, 0.91], rtol=1e-6)


def test_a_state_declares_its_part():
    class CountedState(NamedTuple):
        zeros: jax.Array
        size: jax.Array

        metrics = ("zeros", ("largest", "size"))

    found = gc.metrics({"counted": CountedState(jnp.int32(3), jnp.float32(2.5))})
    assert found == {"zeros": 3, "largest": 2.5}


def test_skipped_steps():
    nan = jax.tree.map(lambda x: x * jnp.nan, GRADS)
    tx = gc.skip(gc.adam(0.1))
    state, params = tx.init(PARAMS), PARAMS
    for grads in (GRADS, nan, nan):
        params, state = tx.step(grads, state, params)
    found = gc.metrics(state)
    assert (found["skipped"], found["last_skipped"], found["step"]) == (2, True, 1)


def test_inside_an_optax_chain_and_around_optax():
    optax = pytest.importorskip("optax")
    outer = optax.chain(optax.clip(1.0), gc.adam(0.1).optax)
    assert gc.metrics(outer.init(PARAMS))["learning_rate"] == np.float32(0.1)
    inner = gc.chain(optax.inject_hyperparams(optax.sgd)(0.5))
    assert gc.metrics(inner.init(PARAMS))["learning_rate"] == 0.5


def test_ensembles():
    tx = gc.adam(gc.tunable(0.1))
    state = jax.vmap(lambda p: tx.init(p))(jax.tree.map(lambda x: jnp.stack([x, x]), PARAMS))
    assert {k: v.shape for k, v in gc.metrics(state).items()} == {"step": (2,), "learning_rate": (2,)}


def test_empty_state():
    assert gc.metrics(gc.chain().init(PARAMS)) == {}
