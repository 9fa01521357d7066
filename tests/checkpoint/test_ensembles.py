"""States that jax.vmap(tx.init) made, of parameters that are stacked along a first axis."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checkpoint_cases import ADAMW, same_bits, says
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import gradchain as gc

N = 5
PARAMS = {
    "a": jnp.arange(15.0).reshape(N, 3),
    "k": {"kernel": jnp.cos(jnp.arange(N * 48.0)).reshape(N, 6, 8)},
}
ONE = jax.tree.map(lambda x: x[0], PARAMS)
TXS = {
    "adamw": ADAMW,
    "int8": gc.stored(ADAMW, "int8", min_size=0),
    "masked": gc.masked(gc.adam(gc.tunable(0.1)), "**/kernel"),
    "adafactor": gc.chain(gc.clip_by_global_norm(1.0), gc.adafactor(0.1, min_dim_size_to_factor=2)),
    "stacked axes": gc.with_axes(gc.muon(0.1), {"**/kernel": "rc"}),  # which fit a member only
    "trace": gc.trace(0.9),
}


def trained(tx):
    """The state of an ensemble whose members took 1, 2, ... steps."""
    each = jax.vmap(tx.init)(PARAMS)
    return jax.tree.map(lambda x: x + jnp.arange(N, dtype=x.dtype) if x.dtype == jnp.int32 else x, each)


@pytest.mark.parametrize("tx", TXS.values(), ids=TXS)
def test_it_comes_back(tx, tmp_path):
    state = trained(tx)
    gc.save(tmp_path / "run", tx, state, PARAMS, step=3)
    for params in (PARAMS, jax.eval_shape(lambda: PARAMS)):
        found = gc.load(tmp_path / "run", tx, params, strict=True)
        same_bits((found.params, found.state), (PARAMS, state))
    again, _ = gc.load_state(tx, PARAMS, gc.state_dict(state), strict=True)
    same_bits(again, state)
    inside = jax.vmap(lambda params, state: gc.load_state(tx, params, state, strict=True)[0])(PARAMS, state)
    same_bits(inside, state)


def test_through_a_folder(tmp_path):
    pytest.importorskip("orbax.checkpoint")
    state = trained(TXS["int8"])
    with gc.Checkpointer(tmp_path / "run") as checkpointer:
        checkpointer.save(1, TXS["int8"], state, PARAMS)
        found = checkpointer.restore(TXS["int8"], PARAMS, strict=True)
    same_bits((found.params, found.state), (PARAMS, state))


def test_each_member_is_loaded_as_it_would_be_alone(tmp_path):
    """With links that are new, converted to codes and back: what load gives is the load of each, stacked."""
    state = trained(ADAMW)
    gc.save(tmp_path / "run", ADAMW, state, PARAMS)
    tx = gc.stored(gc.chain(gc.average_params(0.5), gc.trace(0.9), ADAMW), "log8", min_size=0)
    found = gc.load(tmp_path / "run", tx, PARAMS)
    for i in range(N):
        params, one = jax.tree.map(lambda x, i=i: x[i], (PARAMS, state))
        alone, _ = gc.load_state(tx, params, one)
        same_bits(jax.tree.map(lambda x, i=i: x[i], found.state), alone)
    assert found.state["stored"].count.tolist() == [0, 1, 2, 3, 4]
    assert "trace/trace/a" in found.report.initialised and found.report.dropped == ()
    gc.save(tmp_path / "run", tx, found.state, PARAMS)
    back = gc.load(tmp_path / "run", ADAMW, PARAMS)
    np.testing.assert_array_equal(back.state["scale_by_adam"].count, state["scale_by_adam"].count)
    with pytest.raises(gc.CheckpointError) as error:
        gc.load_state(gc.average(ADAMW, 0.5), jax.eval_shape(lambda: PARAMS), state)
    says(error, "'average_params/average/a'", "abstract")


def test_a_link_of_another_library():
    optax = pytest.importorskip("optax")
    tx = gc.chain(optax.adam(0.1), ADAMW)
    state = jax.vmap(tx.init)(PARAMS)
    again, report = gc.load_state(tx, PARAMS, jax.vmap(ADAMW.init)(PARAMS))
    same_bits(again, state)
    assert len(report.loaded) == len(gc.state_dict(ADAMW.init(PARAMS))) and report.dropped == ()


def test_on_a_mesh(tmp_path):
    mesh = jax.make_mesh((2, 2), ("member", "model"), (AxisType.Auto,) * 2, devices=jax.devices()[:4])
    four = jax.tree.map(lambda x: jnp.concatenate([x[:4]]), PARAMS)
    state = jax.vmap(ADAMW.init)(four)
    gc.save(tmp_path / "run", ADAMW, state, four)
    spec = {"a": PartitionSpec("member"), "k": {"kernel": PartitionSpec("member", None, "model")}}
    placed = jax.tree.map(lambda x, s: jax.device_put(x, NamedSharding(mesh, s)), four, spec)
    found = gc.load(tmp_path / "run", ADAMW, placed, strict=True)
    same_bits(found.state, state)
    for path in ("mu", "nu"):
        moment = getattr(found.state["scale_by_adam"], path)
        assert moment["k"]["kernel"].sharding.is_equivalent_to(placed["k"]["kernel"].sharding, 3)
    assert found.state["scale_by_adam"].count.sharding.is_fully_replicated


def test_two_axes_of_members():
    params = jax.tree.map(lambda x: jnp.stack([x, x + 1]), PARAMS)
    state = jax.vmap(jax.vmap(ADAMW.init))(params)
    again, _ = gc.load_state(gc.stored(ADAMW, "int8", min_size=0), params, state, initialise="**/mu/a")
    assert again["scale_by_adam"].count.shape == again["stored"].count.shape == (2, N)
    assert again["scale_by_adam"].mu_scale["a"].shape == (2, N, 1)


def test_a_state_that_is_stacked_in_part():
    state = jax.vmap(ADAMW.init)(PARAMS)
    mixed = {**state, "scale_by_learning_rate": ADAMW.init(PARAMS)["scale_by_learning_rate"]}
    for call in (lambda: gc.load_state(ADAMW, PARAMS, mixed), lambda: gc.save("never", ADAMW, mixed, PARAMS)):
        with pytest.raises(gc.CheckpointError) as error:
            call()
        says(
            error, "only a part of the state is stacked", "'scale_by_learning_rate/count' is int32[]",
            "'scale_by_adam/count' int32[5]", "expected [5] before", "jax.vmap(tx.init)(params)",
        )  # fmt: skip
    flat = {**gc.state_dict(state), "scale_by_adam/mu/a": jnp.zeros(3)}
    with pytest.raises(gc.CheckpointError) as error:
        gc.load_state(ADAMW, PARAMS, flat)
    says(error, "only a part of the state is stacked", "'scale_by_adam/mu/a' is float32[3]")
    with pytest.raises(gc.CheckpointError) as error:
        gc.load_state(ADAMW, ONE, state)
    says(error, "'scale_by_adam/count' is int32[5]", "jax.vmap(tx.init)", "parameters that are stacked")
