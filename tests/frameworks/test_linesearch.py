"""L-BFGS in Flax: nnx.Optimizer and TrainState, by extra arguments, compiled once."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

pytest.importorskip("flax")
from flax import nnx
from flax.training.train_state import TrainState

X = jnp.asarray(np.random.default_rng(0).standard_normal((20, 3)), jnp.float32)
Y = X @ jnp.array([[1.0], [-2.0], [0.5]]) + 0.3
SEARCH = "scale_by_zoom_linesearch"


def test_nnx_optimizer():
    model = nnx.Linear(3, 1, rngs=nnx.Rngs(0))
    optimizer, traces = nnx.Optimizer(model, gc.lbfgs(), wrt=nnx.Param), []

    @functools.partial(nnx.jit, donate_argnums=(0, 1))
    def step(model, optimizer):
        traces.append(None)
        graph, params, rest = nnx.split(model, nnx.Param, ...)

        def loss(params):
            return jnp.mean(jnp.square(nnx.merge(graph, params, rest)(X) - Y))

        read = gc.value_and_grad_from_state(loss)
        value, grad = read(params, state=optimizer.opt_state)
        optimizer.update(model, grad, value=value, grad=grad, value_fn=loss)
        return value

    given = optimizer.opt_state["scale_by_lbfgs"].diff_params_memory["kernel"][...]
    values = [float(step(model, optimizer)) for _ in range(50)]
    assert len(traces) == 1 and values[-1] < 1e-8 and given.is_deleted()
    np.testing.assert_allclose(model.kernel[...].ravel(), [1.0, -2.0, 0.5], atol=1e-3)


def test_train_state():
    def loss(params):
        return jnp.mean(jnp.square(X @ params["kernel"] + params["bias"] - Y))

    params = {"bias": jnp.zeros(1), "kernel": jnp.zeros((3, 1))}
    state = TrainState.create(apply_fn=None, params=params, tx=gc.lbfgs())
    read = gc.value_and_grad_from_state(loss)

    @jax.jit
    def step(state):
        value, grad = read(state.params, state=state.opt_state)
        more = {"value": value, "grad": grad, "value_fn": loss}
        params, opt_state = state.tx.step(grad, state.opt_state, state.params, **more)
        return state.replace(step=state.step + 1, params=params, opt_state=opt_state)

    state = state.replace(step=jnp.asarray(0))
    for _ in range(30):
        state = step(state)
    assert step._cache_size() == 1 and state.opt_state[SEARCH].value < 1e-8
