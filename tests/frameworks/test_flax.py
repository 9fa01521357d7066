"""The optimizer in Flax NNX: nnx.Optimizer under nnx.jit, and its state read and set there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax_cases import OPTIMIZERS, RATE, VALUES, X, adam
from jax.sharding import AxisType, PartitionSpec

import gradchain as gc
from gradchain.core.tree import paths

pytest.importorskip("flax")
from flax import nnx


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


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_nnx_sharding_annotations_do_not_reach_factored_state(kind):
    def named(init, *names):
        return nnx.with_partitioning(init, names)

    class Sharded(nnx.Module):
        def __init__(self):
            kernel, bias = nnx.initializers.ones_init(), nnx.initializers.zeros_init()
            self.dense = nnx.Linear(
                8,
                16,
                rngs=nnx.Rngs(0),
                kernel_init=named(kernel, "data", "model"),
                bias_init=named(bias, "model"),
            )

    @nnx.jit
    def step(model, optimizer):
        def f(m):
            return jnp.mean(jnp.square(m.dense.kernel[...] - 2.0)) + jnp.mean(
                jnp.square(m.dense.bias[...] - 2.0)
            )

        optimizer.update(model, nnx.grad(f)(model))

    with jax.set_mesh(jax.make_mesh((2, 4), ("data", "model"), axis_types=(kind,) * 2)):
        model = Sharded()
        tx = gc.chain(
            gc.scale_by_factored_rms(min_dim_size_to_factor=2),
            gc.scale_by_adam(),
            gc.scale_by_learning_rate(RATE),
        )
        optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
        rows = optimizer.opt_state["scale_by_factored_rms"].v_row["dense"]["kernel"]
        assert type(rows) is nnx.OptArray and rows.get_value().sharding.spec == PartitionSpec("data")
        mu = optimizer.opt_state["scale_by_adam"].mu["dense"]["kernel"]
        assert type(mu) is nnx.OptVariable and mu.get_value().sharding.spec == PartitionSpec("data", "model")
        structure = jax.tree.structure(optimizer.opt_state)
        for _ in range(2):
            step(model, optimizer)
        assert jax.tree.structure(optimizer.opt_state) == structure
        assert gc.metrics(optimizer)["step"] == 2 and not np.array_equal(
            model.dense.kernel[...], jnp.ones((8, 16))
        )
