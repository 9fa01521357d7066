"""snapshot: what is measured, where it is read, and that nothing else changes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.steps import close, problem, take


def test_measures_in_the_middle_of_a_chain():
    params, grads = problem()
    tx = gc.chain(
        gc.snapshot("before"), gc.scale(-2.0), gc.snapshot("largest", lambda u: jnp.max(jnp.abs(u["kernel"])))
    )
    found = take(tx, params, grads)
    close(found.updates, take(gc.scale(-2.0), params, grads).updates)
    reported = gc.metrics(found.state)
    assert float(reported["before"]) == pytest.approx(float(gc.global_norm(grads[-1])))
    assert float(reported["largest"]) == pytest.approx(2 * float(jnp.max(jnp.abs(grads[-1]["kernel"]))))
    assert set(found.state) == {"snapshot", "snapshot_1"}


def test_start_is_zero_and_the_last_link_may_apply():
    params, (g, *_) = problem()
    tx = gc.chain(gc.scale(-1.0), gc.snapshot("size"))
    state = tx.init(params)
    assert float(gc.metrics(state)["size"]) == 0
    stepped, state = tx.step(g, state, params)
    close(stepped, {k: params[k] - g[k] for k in params})
    assert float(gc.metrics(state)["size"]) == pytest.approx(float(gc.global_norm(g)))


def test_a_measure_may_be_a_tree():
    params, (g, *_) = problem()
    tx = gc.snapshot("sums", lambda u: {"columns": jnp.sum(u["kernel"], 0), "n": jnp.asarray(3)})
    state = tx.init(params)
    assert not np.any(state["snapshot"].measurement["sums"]["columns"])
    _, new = tx.update(g, state)
    assert jax.tree.map(jnp.shape, new) == jax.tree.map(jnp.shape, state)
    found = gc.metrics(new)["sums"]
    assert found["n"] == 3
    np.testing.assert_allclose(found["columns"], jnp.sum(g["kernel"], 0), rtol=1e-6)
