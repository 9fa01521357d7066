"""scalars: stable names, plain numbers; norms by layer."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

PARAMS = {"blocks": {"kernel": jnp.arange(1.0, 13.0).reshape(2, 2, 3)}, "bias": jnp.zeros(2)}
GRADS = jax.tree.map(lambda x: x + 1, PARAMS)


def after(tx, params=PARAMS, grads=GRADS):
    return tx.step(grads, tx.init(params), params)[1]


def test_names_are_stable():
    """The names of the guide: what a dashboard was made for."""
    tx = gc.monitored(gc.chain(gc.clip_by_global_norm(1.0), gc.adamw(0.1)), layers=True)
    found = gc.scalars(after(tx), loss=jnp.float32(2))
    layers = ("bias", "blocks/kernel/0", "blocks/kernel/1")
    measures = ("layer_grad_norm", "layer_update_norm", "layer_param_norm", "update_ratio")
    once = (
        "step",
        "grad_norm",
        "update_norm",
        "clip_by_global_norm/grad_norm",
        "clipped_norm",
        "learning_rate",
    )
    assert set(found) == {
        "loss", *(f"opt/{name}" for name in once), *(f"opt/{m}/{layer}" for m in measures for layer in layers)
    }  # fmt: skip
    assert all(type(x) is float for x in found.values())
    assert json.loads(json.dumps(found)) == found
    assert not any(a.startswith(f"{b}/") for a in found for b in found)  # MLflow keeps files by these names


def test_norms_of_layers():
    tx = gc.monitored(gc.sgd(0.5), layers=True)
    found = gc.scalars(after(tx))
    for i in range(2):
        p, g = PARAMS["blocks"]["kernel"][i], GRADS["blocks"]["kernel"][i]
        expected = np.linalg.norm(g), np.linalg.norm(p), 0.5 * np.linalg.norm(g)
        names = ("layer_grad_norm", "layer_param_norm", "layer_update_norm")
        np.testing.assert_allclose([found[f"opt/{k}/blocks/kernel/{i}"] for k in names], expected, rtol=1e-6)
        ratio = found[f"opt/update_ratio/blocks/kernel/{i}"]
        np.testing.assert_allclose(ratio, expected[2] / expected[1], rtol=1e-6)
    assert found["opt/update_ratio/bias"] == 0  # its parameters are 0
    plain = gc.sgd(0.5).step(GRADS, gc.sgd(0.5).init(PARAMS), PARAMS)[0]
    jax.tree.map(np.testing.assert_array_equal, tx.step(GRADS, tx.init(PARAMS), PARAMS)[0], plain)


def test_links_that_report_the_same_have_names_of_their_own():
    tx = gc.partition({"a": gc.adam(0.1), "b": gc.sgd(0.2)}, {"bias": "b", "**": "a"})
    found = gc.scalars(after(tx), prefix="")
    assert found["a/scale_by_learning_rate/learning_rate"] == pytest.approx(0.1)
    assert found["b/scale_by_learning_rate/learning_rate"] == pytest.approx(0.2)
    assert "learning_rate" not in found


def test_metrics_of_a_jitted_step_are_taken_too():
    tx = gc.monitored(gc.adam(0.1), layers=True)

    @jax.jit
    def step(params, state):
        params, state = tx.step(GRADS, state, params)
        return params, state, gc.metrics(state)

    _, state, found = step(PARAMS, tx.init(PARAMS))
    assert gc.scalars(found) == gc.scalars(state)
    assert gc.scalars({}) == {} and gc.scalars({}, loss=1) == {"loss": 1.0}


def test_what_is_no_number_is_refused():
    with pytest.raises(TypeError, match=r"traced; return gc\.metrics"):
        jax.jit(lambda x: gc.scalars({"x": x}))(1.0)
    with pytest.raises(TypeError, match="'name' is 'adam'; expected real numbers"):
        gc.scalars({}, name="adam")
    with pytest.raises(TypeError, match="4096 at most"):
        gc.scalars({"x": jnp.zeros(5000)})
    with pytest.raises(ValueError, match="'opt/step' is the name of a metric"):
        gc.scalars(after(gc.adam(0.1)), **{"opt/step": 1})
