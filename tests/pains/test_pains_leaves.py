"""Leaves that are left out may be anything: a frozen int8 base, a flag, random keys, functions and texts."""

import dataclasses
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

# What JAX differentiates, and what the gradients of it are.
PARAMS = {
    "base": jnp.full((2, 2), 3, jnp.int8),
    "flag": jnp.array(True),
    "frozen": jnp.ones(3),
    "key": jax.random.key(0),
    "lora": jnp.ones((2, 2)),
}
GRADS = jax.grad(lambda p: jnp.sum(p["lora"] ** 2 * p["base"]) + jnp.sum(p["frozen"]), allow_int=True)(PARAMS)
# A module's leaves of any kind; gradients have None for what is no array.
MODULE = {**PARAMS, "name": "text", "nonlinearity": jax.nn.relu}
NONES = {**GRADS, "key": None, "name": None, "nonlinearity": None}
ZEROS = {**GRADS, "base": jnp.zeros((2, 2), jnp.int8), "flag": jnp.array(False)}

TRAINED = gc.masked(gc.adamw(0.1), lambda path, leaf: path == "lora")
CASES = {
    "masked": TRAINED,
    "mask is a function": gc.masked(
        gc.adamw(0.1),
        lambda params: jax.tree_util.tree_map_with_path(lambda at, _: at[0].key == "lora", params),
    ),
    "mask is a tree": gc.masked(gc.adamw(0.1), {k: k == "lora" for k in MODULE}),
    "freeze": gc.chain(
        gc.clip_by_global_norm(1.0), gc.freeze(lambda path, leaf: path != "lora"), gc.adamw(0.1)
    ),
    "partition": gc.partition(
        {"train": gc.adamw(0.1), "rest": gc.set_to_zero()},
        lambda path, leaf: "train" if path == "lora" else "rest",
    ),
    "partition and freeze": gc.partition(
        {"train": gc.adamw(0.1), "rest": gc.freeze("**")}, {"lora": "train", "**": "rest"}
    ),
    "named_chain": gc.named_chain(("one", TRAINED), ("two", gc.freeze(["frozen", "base"]))),
    "accumulate": gc.accumulate(TRAINED, 1),
    "average": gc.average(TRAINED, 0.9),
    "lookahead": gc.lookahead(TRAINED, 2, 0.5),
    "loss_scale": gc.loss_scale(TRAINED, 1.0),
    "monitored": gc.monitored(TRAINED),
    "offload": gc.offload(TRAINED, min_size=0),
    "reset_every": gc.reset_every(TRAINED, 5),
    "skip": gc.skip(TRAINED),
    "stored": gc.stored(TRAINED, "bfloat16", min_size=0),
    "with_axes": gc.with_axes(TRAINED, {"lora": "rc"}),
    "zero": gc.zero(TRAINED),
}
case = pytest.mark.parametrize("tx", CASES.values(), ids=list(CASES))


def trained(tx: gc.Transform, params: Any = None, grads: Any = None):
    """(parameters, state) after a step."""
    params, grads = MODULE if params is None else params, NONES if grads is None else grads
    return tx.step(grads, tx.init(params), params)


@case
def test_a_step_and_an_update(tx):
    """The leaf that is trained moves as it would alone; the others are the very same objects."""
    alone = {"lora": PARAMS["lora"]}
    expected, _ = gc.adamw(0.1).step({"lora": GRADS["lora"]}, gc.adamw(0.1).init(alone), alone)
    state = tx.init(MODULE)
    updates, after = tx.update(NONES, state, MODULE)
    new, same = tx.step(NONES, state, MODULE)
    assert jax.tree.structure(after) == jax.tree.structure(same) == jax.tree.structure(state)
    for name in ("base", "flag", "key", "name", "nonlinearity"):
        assert new[name] is MODULE[name]
    assert updates["base"].dtype == jnp.int8 and not np.any(updates["base"])
    assert updates["nonlinearity"] is None
    np.testing.assert_allclose(new["lora"], expected["lora"], rtol=1e-3)  # in bfloat16 where it is stored so
    applied = gc.apply_updates(MODULE, updates)
    np.testing.assert_allclose(applied["lora"], new["lora"], rtol=1e-6)
    np.testing.assert_allclose(applied["frozen"], new["frozen"], rtol=1e-6)


@case
def test_what_reads_an_optimizer(tx):
    state = tx.init(MODULE)
    table = gc.describe(tx, MODULE)
    assert table.leaves == 7 and "lora" in repr(gc.describe(tx, MODULE, leaves=True))
    assert all(row.acts_on < 7 for row in table.rows)
    assert {row.param for row in gc.layout(tx, MODULE).rows} <= {"", "lora", "frozen"}
    if tx.name != "zero":  # which has no mesh here
        assert jax.tree.structure(gc.init(tx, MODULE)) == jax.tree.structure(state)
    assert jax.tree.structure(tx.slots(MODULE)) == jax.tree.structure(state)
    assert "step" in gc.metrics(state)
    gc.hyperparams(tx, state)
    found = gc.eval_params(tx, state, MODULE)
    assert found["nonlinearity"] is jax.nn.relu and found["base"] is MODULE["base"]


@case
def test_saved_and_loaded(tx, tmp_path):
    state = tx.init(MODULE)
    gc.save(tmp_path / "run", tx, state, MODULE)
    found = gc.load(tmp_path / "run", tx, MODULE, strict=True)
    assert found.params["nonlinearity"] is jax.nn.relu and found.params["name"] == "text"
    np.testing.assert_array_equal(found.params["base"], MODULE["base"])
    assert found.params["base"].dtype == jnp.int8
    assert jax.tree.structure(found.state) == jax.tree.structure(state)
    again, report = gc.load_state(tx, MODULE, gc.state_dict(state), strict=True)
    assert jax.tree.structure(again) == jax.tree.structure(state) and report


@pytest.mark.parametrize(
    "grads", [GRADS, ZEROS, {**GRADS, "base": None, "flag": None}], ids=["float0", "0", "None"]
)
def test_gradients_that_hold_nothing(grads):
    params, state = trained(TRAINED, PARAMS, grads)
    assert params["base"] is PARAMS["base"]
    updates, _ = TRAINED.update(grads, state, params)
    if grads["base"] is not None:
        assert updates["base"].dtype == jnp.int8 and not np.any(updates["base"])
        optax = pytest.importorskip("optax")  # adds the updates in its own way
        rest = [k for k in PARAMS if k != "key"]
        added = optax.apply_updates({k: params[k] for k in rest}, {k: updates[k] for k in rest})
        np.testing.assert_array_equal(added["base"], PARAMS["base"])


def test_without_parameters():
    tx = gc.masked(gc.adam(0.1), lambda path, leaf: path == "lora")
    updates, _ = tx.update(GRADS, tx.init(PARAMS))
    assert updates["base"].dtype == jax.dtypes.float0
    np.testing.assert_allclose(updates["lora"], -0.1, rtol=1e-5)


def test_under_jit():
    traces = []

    @jax.jit
    def step(grads, state, params):
        traces.append(1)
        return TRAINED.step(grads, state, params)

    params, state = step(GRADS, TRAINED.init(PARAMS), PARAMS)
    params, state = step(GRADS, state, params)
    assert len(traces) == 1 and params["base"].dtype == jnp.int8
    closed = jax.jit(lambda lora: trained(TRAINED, {**MODULE, "lora": lora})[0]["lora"])(MODULE["lora"])
    np.testing.assert_allclose(closed, trained(TRAINED)[0]["lora"], rtol=1e-6)


def test_split_over_a_mesh():
    mesh = gc.make_mesh()
    put = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    large = {**PARAMS, "lora": jnp.ones((8, 2)), "frozen": jnp.ones(8)}
    params = {**MODULE, **jax.device_put(large, put)}
    tx = gc.zero(TRAINED, min_size=0)
    state = gc.init(tx, params)
    assert state["scale_by_adam"].mu["lora"].sharding.shard_shape((8, 2)) == (1, 2)
    grads = {**NONES, "lora": params["lora"], "frozen": params["frozen"]}
    new, _ = tx.step(grads, state, params)
    assert new["base"] is params["base"] and new["name"] == "text"
    assert gc.layout(tx, params).params["name"] is None


def test_the_norm_counts_what_is_trained():
    tx = gc.chain(gc.clip_by_global_norm(1.0), gc.freeze(lambda path, leaf: path != "lora"), gc.sgd(0.1))
    _, state = trained(tx)
    np.testing.assert_allclose(gc.metrics(state)["grad_norm"], np.sqrt(4 * 6.0**2), rtol=1e-6)
    _, state = trained(gc.monitored(TRAINED))  # what reaches it: the trained and the frozen floats
    np.testing.assert_allclose(gc.metrics(state)["grad_norm"], np.sqrt(4 * 6.0**2 + 3), rtol=1e-6)


def test_a_frozen_leaf_may_have_no_gradient():
    params = {"body": jnp.ones(2), "head": jnp.ones(2)}
    tx = gc.chain(gc.freeze("body"), gc.sgd(0.1))
    new, _ = tx.step({"body": None, "head": jnp.ones(2)}, tx.init(params), params)
    assert new["body"] is params["body"]
    np.testing.assert_allclose(new["head"], 0.9, rtol=1e-6)


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Module:
    """A module whose leaves are arrays and functions, as Equinox has them."""

    weight: Any
    scale: Any
    activation: Any

    def __call__(self, x):
        return self.activation(x @ self.weight)


def test_a_module_of_arrays_and_functions():
    model = Module(jnp.ones((2, 2)), jnp.arange(2), jax.nn.relu)
    grads = Module(jnp.ones((2, 2)), None, None)
    tx = gc.accumulate(gc.masked(gc.adam(0.1), "weight"), 2)
    state = tx.init(model)
    for _ in range(2):
        model, state = tx.step(grads, state, model)
    assert isinstance(model, Module) and model.activation is jax.nn.relu
    np.testing.assert_allclose(model.weight, 0.9, rtol=1e-5)


def test_nnx_optimizer():
    nnx = pytest.importorskip("flax.nnx")

    class Adapted(nnx.Module):
        def __init__(self):
            self.base = nnx.Param(jnp.full((2, 2), 3, jnp.int8))
            self.lora = nnx.Param(jnp.ones((2, 2)))

    model = Adapted()
    optimizer = nnx.Optimizer(model, gc.masked(gc.sgd(0.1), "lora"), wrt=nnx.Param)
    grads = nnx.grad(lambda m: jnp.sum(m.lora[...] * m.base[...]), allow_int=True)(model)
    optimizer.update(model, grads)
    np.testing.assert_allclose(model.lora[...], 0.7, rtol=1e-6)
    np.testing.assert_array_equal(model.base[...], 3)
    assert model.base[...].dtype == jnp.int8


# An error where something acts on such a leaf ---------------------------------------------------------------


@pytest.mark.parametrize(
    "tx", [gc.adamw(0.1), gc.muon(0.1), gc.accumulate(gc.adam(0.1), 2)], ids=lambda t: t.name
)
@pytest.mark.parametrize("leaves", [["base"], ["base", "flag"], list(MODULE)])
def test_the_advice_works_word_for_word(tx, leaves):
    params = {k: MODULE[k] for k in {*leaves, "lora"}}
    with pytest.raises(TypeError) as e:
        tx.init(params)
    assert re.match(
        rf"{tx.name}: the parameter 'base' is int8\[2, 2\]; expected a floating-point array", str(e.value)
    )
    advice = str(e.value).partition("wrap the optimizer: ")[2]
    wrapped = eval(advice, {"masked": gc.masked, "tx": tx, "jnp": jnp})
    assert wrapped.init(params)
