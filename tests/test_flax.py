"""The optimizer inside Flax: nnx.Optimizer under nnx.jit, and Linen's TrainState; states read in both."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain import schedules
from gradchain.tree import paths

pytest.importorskip("flax")
import flax.linen as nn
import optax
from flax import nnx
from flax.core import freeze
from flax.training.train_state import TrainState

X = jnp.linspace(-1.0, 1.0, 12).reshape(4, 3)
RATE = 0.125


class Model(nnx.Module):
    def __init__(self):
        rngs = nnx.Rngs(0)
        self.enc, self.norm, self.dec = (
            nnx.Linear(3, 4, rngs=rngs),
            nnx.BatchNorm(4, rngs=rngs),
            nnx.Linear(4, 1, rngs=rngs),
        )

    def __call__(self, x):
        return self.dec(self.norm(self.enc(x)))


class LinenModel(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1, name="dec")(nn.tanh(nn.Dense(4, name="enc")(x)))


def adam():
    return gc.monitored(gc.chain(gc.clip_by_global_norm(1.0), gc.adam(gc.tunable(RATE))))


def groups():
    rate = schedules.linear_schedule(RATE, 0.0, 10)
    return gc.partition({"a": gc.adam(rate), "b": gc.sgd(0.1, momentum=0.9)}, {"**/bias": "b", "**": "a"})


OPTIMIZERS = {
    "adam": adam,
    "masked": lambda: gc.masked(gc.adam(RATE), "**/kernel"),
    "frozen": lambda: gc.chain(gc.freeze("enc/**"), gc.adamw(RATE, mask="**/kernel")),
    "groups": groups,
    "empty": gc.chain,
    "around optax": lambda: gc.chain(optax.scale_by_adam(), gc.scale_by_learning_rate(RATE)),
}
VALUES = {
    k: v for k, v in OPTIMIZERS.items() if k != "around optax"
}  # Optax's functions equal only themselves
every = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


def loss(model, x):
    return jnp.mean(jnp.square(model(x) - 1.0))


def trainer():
    """A jitted training step that counts how often it is traced."""
    traces = []

    @nnx.jit
    def step(model, optimizer, x):
        traces.append(None)
        optimizer.update(model, nnx.grad(loss)(model, x))
        return gc.metrics(optimizer)

    return step, traces


def plain(tree):
    """Bare arrays by path, whatever the containers."""
    return {p: np.asarray(x) for p, x in zip(paths(tree), jax.tree.leaves(tree), strict=True)}


@every
def test_nnx_traces_once_and_agrees_with_plain_jax(make):
    model, tx = Model(), make()
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    graph, params, rest = nnx.split(nnx.clone(model), nnx.Param, ...)
    state = tx.init(nnx.as_pure(params))
    structure = jax.tree.structure(optimizer.opt_state)

    def next_step(params, rest, state):
        def f(p):
            m = nnx.merge(graph, p, rest, copy=True)
            return loss(m, X), nnx.split(m, nnx.Param, ...)[2]

        grads, rest = jax.grad(f, has_aux=True)(params)
        pure, state = tx.step(nnx.as_pure(grads), state, nnx.as_pure(params))
        new = jax.tree.unflatten(jax.tree.structure(params), jax.tree.leaves(pure))
        return new, rest, state

    step, traces = trainer()
    for _ in range(3):
        shown = step(model, optimizer, X)
        params, rest, state = jax.jit(next_step)(params, rest, state)
    assert len(traces) == 1
    assert jax.tree.structure(optimizer.opt_state) == structure
    found, expected = plain(nnx.state(model, nnx.Param)), plain(params)
    assert found.keys() == expected.keys()
    for path, x in found.items():
        np.testing.assert_allclose(x, expected[path], rtol=2e-5, atol=1e-6, err_msg=path)
    for name, value in gc.metrics(optimizer.opt_state).items():
        np.testing.assert_array_equal(value, shown[name])


@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
def test_nnx_does_not_retrace_for_an_equal_optimizer(make):
    model = Model()
    step, traces = trainer()
    for _ in range(2):
        step(model, nnx.Optimizer(model, make(), wrt=nnx.Param), X)
    assert len(traces) == 1
    step(model, nnx.Optimizer(model, gc.adam(0.5), wrt=nnx.Param), X)  # the counter does count
    assert len(traces) == 2


def test_nnx_state_is_named():
    optimizer = nnx.Optimizer(Model(), OPTIMIZERS["frozen"](), wrt=nnx.Param)
    state = optimizer.opt_state
    assert type(state) is dict and list(state) == ["scale_by_adam", "scale_by_learning_rate"]
    assert type(state["scale_by_adam"]).__name__ == "ScaleByAdamState"
    assert set(state["scale_by_adam"].mu) == {"dec/bias", "dec/kernel", "norm/bias", "norm/scale"}
    assert type(state["scale_by_adam"].count) is nnx.OptArray


def test_nnx_frozen_leaves_stay():
    model = Model()
    optimizer = nnx.Optimizer(model, OPTIMIZERS["frozen"](), wrt=nnx.Param)
    before = jax.tree.map(jnp.copy, nnx.state(model, nnx.Param))
    step, _ = trainer()
    step(model, optimizer, X)
    now = plain(nnx.state(model, nnx.Param))
    same = {path: np.array_equal(x, now[path]) for path, x in plain(before).items()}
    assert {path for path, equal in same.items() if equal} == {"enc/bias", "enc/kernel"}


def test_nnx_metrics_from_every_holder():
    optimizer = nnx.Optimizer(model := Model(), adam(), wrt=nnx.Param)
    step, _ = trainer()
    inside = step(model, optimizer, X)
    names = {
        "step",
        "learning_rate",
        "grad_norm",
        "clip_by_global_norm/grad_norm",
        "clipped_norm",
        "update_norm",
    }
    assert set(inside) == names and inside["step"] == 1 and inside["clipped_norm"] <= 1.0
    for outside in (gc.metrics(optimizer), gc.metrics(optimizer.opt_state)):
        assert all(isinstance(v, jax.Array) for v in outside.values())
        jax.tree.map(np.testing.assert_array_equal, outside, inside)


def test_nnx_set_hyperparams():
    model, tx = Model(), adam()
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    step, traces = trainer()
    step(model, optimizer, X)
    held = optimizer.opt_state["scale_by_learning_rate"].hyperparams["learning_rate"]

    assert gc.set_hyperparams(tx, optimizer, learning_rate=0.25) is optimizer  # in place
    assert optimizer.opt_state["scale_by_learning_rate"].hyperparams["learning_rate"] is held
    assert step(model, optimizer, X)["learning_rate"] == 0.25

    new = gc.set_hyperparams(tx, optimizer.opt_state, learning_rate=0.5)  # or as a new state
    assert type(new["scale_by_learning_rate"].hyperparams["learning_rate"]) is type(held)
    assert gc.metrics(optimizer)["learning_rate"] == 0.25
    optimizer.opt_state = new
    assert step(model, optimizer, X)["learning_rate"] == 0.5
    assert len(traces) == 1
    assert gc.hyperparams(tx, optimizer)["scale_by_learning_rate/learning_rate"] == 0.5


def test_nnx_set_hyperparams_in_jit():
    model, tx = Model(), adam()
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)

    @nnx.jit
    def halve(optimizer):
        rate = gc.hyperparams(tx, optimizer)["scale_by_learning_rate/learning_rate"]
        gc.set_hyperparams(tx, optimizer, learning_rate=rate / 2)

    halve(optimizer)
    halve(optimizer)
    assert gc.metrics(optimizer)["learning_rate"] == RATE / 4


def test_nnx_survives_split_merge_and_update():
    model = Model()
    optimizer = nnx.Optimizer(model, OPTIMIZERS["masked"](), wrt=nnx.Param)
    step, _ = trainer()
    step(model, optimizer, X)
    graph, state = nnx.split(optimizer)
    other = nnx.merge(graph, state)
    fresh = nnx.Optimizer(model, OPTIMIZERS["masked"](), wrt=nnx.Param)
    nnx.update(fresh, state)
    for copy in (other, fresh):
        assert jax.tree.structure(copy.opt_state) == jax.tree.structure(optimizer.opt_state)
        jax.tree.map(np.testing.assert_array_equal, copy.opt_state, optimizer.opt_state)
    assert set(other.opt_state["scale_by_adam"].mu) == {"enc/kernel", "dec/kernel"}


def test_nnx_describe_takes_abstract_state():
    tx, params = adam(), nnx.state(nnx.eval_shape(Model), nnx.Param)
    found = gc.describe(tx, params)
    assert found.params == 3 * 4 + 4 + 2 * 4 + 4 + 1 and found.leaves == 6
    assert found == gc.describe(tx, nnx.state(Model(), nnx.Param))
    shown = {row.path for row in gc.describe(tx, params, leaves=True).rows if row.slot == "mu"}
    assert "enc/kernel" in shown


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
