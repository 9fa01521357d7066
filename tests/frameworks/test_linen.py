"""The optimizer in Flax Linen: TrainState under jax.jit, with dict and FrozenDict parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax_cases import RATE, VALUES, X, adam

import gradchain as gc

pytest.importorskip("flax")
import flax.linen as nn
from flax.core import freeze
from flax.training.train_state import TrainState


class LinenModel(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1, name="dec")(nn.tanh(nn.Dense(4, name="enc")(x)))


def train_state(make, wrap=lambda p: p):
    model = LinenModel()
    return TrainState.create(
        apply_fn=model.apply, params=wrap(model.init(jax.random.key(0), X)["params"]), tx=make()
    )


def linen_trainer():
    traces = []

    @jax.jit
    def step(state, x):
        traces.append(None)
        grads = jax.grad(lambda p: jnp.mean(jnp.square(state.apply_fn({"params": p}, x) - 1.0)))(state.params)
        state = state.apply_gradients(grads=grads)
        return state, gc.metrics(state)

    return step, traces


@pytest.mark.parametrize("wrap", [lambda p: p, freeze], ids=["dict", "FrozenDict"])
@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
def test_linen_traces_once(make, wrap):
    # One module: apply_fn is a bound method, and those of two modules are different static fields.
    first = train_state(make, wrap)
    step, traces = linen_trainer()
    state = first
    for _ in range(3):
        state, shown = step(state, X)
    again = first.replace(tx=make(), opt_state=make().init(first.params))
    step(again, X)
    assert len(traces) == 1 and state.step == 3
    assert jax.tree.structure(first) == jax.tree.structure(state)
    jax.tree.map(np.testing.assert_array_equal, gc.metrics(state), shown)
    moved = [
        not np.array_equal(a, b)
        for a, b in zip(*map(jax.tree.leaves, (first.params, state.params)), strict=True)
    ]
    assert any(moved) or make is gc.chain


def test_linen_set_hyperparams():
    state = train_state(adam)
    new = gc.set_hyperparams(state.tx, state, learning_rate=0.25)
    assert isinstance(new, TrainState) and gc.metrics(state)["learning_rate"] == RATE
    step, traces = linen_trainer()
    step(state, X)
    assert step(new, X)[1]["learning_rate"] == 0.25 and len(traces) == 1
    inner = gc.set_hyperparams(state.tx, state.opt_state, learning_rate=0.5)
    assert gc.metrics(inner)["learning_rate"] == 0.5
