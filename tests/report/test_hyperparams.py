"""hyperparams and set_hyperparams: paths, current values, what may be set, and that nothing recompiles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import gradchain as gc

PARAMS = {"bias": jnp.ones(3), "kernel": jnp.ones((2, 3))}


def test_every_link_by_path():
    tx = gc.chain(gc.adamw(1e-3, weight_decay=0.1), gc.scale(0.5))
    assert gc.hyperparams(tx) == {
        "scale_by_adam/b1": 0.9,
        "scale_by_adam/b2": 0.999,
        "scale_by_adam/eps": 1e-8,
        "scale_by_adam/eps_root": 0.0,
        "add_decayed_weights/weight_decay": 0.1,
        "scale_by_learning_rate/learning_rate": 1e-3,
        "scale/step_size": 0.5,
    }


def test_as_given_without_a_state_and_current_with_one():
    rate, beta = (lambda t: 0.1 / (t + 1)), gc.tunable(0.8)
    tx = gc.adam(rate, b1=beta)
    given = gc.hyperparams(tx)
    assert given["scale_by_learning_rate/learning_rate"] is rate and given["scale_by_adam/b1"] == beta
    state = tx.init(PARAMS)
    for _ in range(2):
        _, state = tx.step(PARAMS, state, PARAMS)
    now = gc.hyperparams(tx, state)
    np.testing.assert_allclose(now["scale_by_learning_rate/learning_rate"], 0.05, rtol=1e-6)
    np.testing.assert_allclose(now["scale_by_adam/b1"], 0.8, rtol=1e-6)
    assert now["scale_by_adam/b2"] == 0.999


def test_setting_changes_the_next_step():
    tx = gc.sgd(gc.tunable(0.5))
    state = gc.set_hyperparams(tx, tx.init(PARAMS), learning_rate=0.25)
    params, state = tx.step(PARAMS, state, PARAMS)
    np.testing.assert_allclose(params["bias"], 0.75)
    assert gc.metrics(state)["learning_rate"] == 0.25
    params, _ = tx.step(PARAMS, state, params)  # and stays
    np.testing.assert_allclose(params["bias"], 0.5)


def test_it_leaves_the_old_state_alone():
    tx = gc.adam(gc.tunable(0.5))
    old = tx.init(PARAMS)
    new = gc.set_hyperparams(tx, old, learning_rate=0.25)
    assert gc.metrics(old)["learning_rate"] == 0.5
    assert jax.tree.structure(old) == jax.tree.structure(new)


def test_dtype_weak_type_and_compiled_step_stay():
    tx, traces = gc.adam(gc.tunable(0.5)), []

    @jax.jit
    def step(params, state):
        traces.append(None)
        return tx.step(params, state, params)

    params, state = step(PARAMS, tx.init(PARAMS))
    compiled = step._cache_size()
    for value in (0.1, 1, np.float64(0.2), jnp.bfloat16(0.5), jnp.float32(0.3)):
        state = gc.set_hyperparams(tx, state, learning_rate=value)
        kept = state["scale_by_learning_rate"].hyperparams["learning_rate"]
        assert kept.dtype == jnp.float32 and not kept.weak_type
        params, state = step(params, state)
    assert len(traces) == 1 and step._cache_size() == compiled


def test_placement_stays():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    place = NamedSharding(mesh, PartitionSpec())
    tx = gc.adam(gc.tunable(0.5))
    state = tx.init(jax.device_put(PARAMS, place))
    old = state["scale_by_learning_rate"].hyperparams["learning_rate"]
    new = gc.set_hyperparams(tx, state, learning_rate=0.1)["scale_by_learning_rate"].hyperparams[
        "learning_rate"
    ]
    assert old.sharding == place and new.sharding == place and new.committed == old.committed


def test_in_jit_with_a_traced_value():
    tx = gc.adam(gc.tunable(0.5))
    state = jax.jit(lambda s, x: gc.set_hyperparams(tx, s, learning_rate=x))(tx.init(PARAMS), 0.125)
    assert gc.metrics(state)["learning_rate"] == 0.125


def test_names_may_be_paths_or_ends_or_globs():
    tx = gc.partition({"a": gc.adam(gc.tunable(0.1)), "b": gc.sgd(gc.tunable(0.2))}, {"bias": "b", "**": "a"})
    state = tx.init(PARAMS)
    a, b = "a/scale_by_learning_rate/learning_rate", "b/scale_by_learning_rate/learning_rate"

    def rates(state):
        now = gc.hyperparams(tx, state)
        return [round(float(now[path]), 6) for path in (a, b)]

    assert rates(gc.set_hyperparams(tx, state, {a: 0.3})) == [0.3, 0.2]
    assert rates(gc.set_hyperparams(tx, state, {"**/learning_rate": 0.3})) == [0.3, 0.3]
    assert rates(gc.set_hyperparams(tx, state, {a: 0.3, b: 0.4})) == [0.3, 0.4]
    with pytest.raises(ValueError, match=r"'learning_rate' may be 'a/.*' or 'b/.*'; or all of them"):
        gc.set_hyperparams(tx, state, learning_rate=0.3)


def test_the_tunable_one_of_a_name_is_meant():
    tx = gc.chain(gc.scale(0.5), gc.scale(gc.tunable(2.0)))
    state = gc.set_hyperparams(tx, tx.init(PARAMS), step_size=-3.0)
    updates, _ = tx.update(PARAMS, state, PARAMS)
    np.testing.assert_allclose(updates["bias"], -1.5)


@pytest.mark.parametrize(
    "given, error, match",
    [
        ({"learning_rat": 0.1}, ValueError, "no hyperparameter 'learning_rat'.*'learning_rate'"),
        (
            {"b1": 0.8},
            ValueError,
            r"scale_by_adam/b1 is 0.9, fixed .*b1=tunable\(...\).*tx.replace\(b1=...\)",
        ),
        ({"b2": -0.1}, ValueError, "b2 is -0.1; expected"),
        ({"b2": np.float32(1.5)}, ValueError, "b2 is 1.5; expected"),
        ({"b2": jnp.float32(1.5)}, ValueError, "b2 is 1.5; expected"),
        ({"b2": jnp.float32(jnp.nan)}, ValueError, "b2 is nan"),
        ({"b2": jnp.ones(2)}, ValueError, r"b2 has shape \(2,\); expected \(\)"),
        ({"b2": "0.9"}, TypeError, "b2 is '0.9'"),
        ({"b2": gc.tunable(0.9)}, TypeError, "expected a number or an array"),
        ({"learning_rate": lambda t: 0.1}, TypeError, "expected a number or an array"),
    ],
)
def test_errors(given, error, match):
    tx = gc.adam(gc.tunable(0.5), b2=gc.tunable(0.9))
    with pytest.raises(error, match=match):
        gc.set_hyperparams(tx, tx.init(PARAMS), given)


def test_a_state_of_another_optimizer():
    with pytest.raises(ValueError, match="belongs to another optimizer"):
        gc.set_hyperparams(gc.adam(gc.tunable(0.5)), gc.scale_by_adam().init(PARAMS), learning_rate=0.1)
    with pytest.raises(ValueError, match="belongs to another optimizer"):
        gc.hyperparams(gc.adam(gc.tunable(0.5)), {})


def test_one_value_for_each_member_of_an_ensemble():
    tx = gc.sgd(gc.tunable(0.5))
    params = jax.tree.map(lambda x: jnp.stack([x, x]), PARAMS)
    state = gc.set_hyperparams(tx, jax.vmap(tx.init)(params), learning_rate=jnp.array([0.1, 0.2]))
    new, _ = jax.vmap(tx.step)(params, state, params)
    np.testing.assert_allclose(new["bias"][:, 0], [0.9, 0.8], rtol=1e-6)


def test_inside_wrappers_and_masks():
    tx = gc.chain(gc.freeze("bias"), gc.monitored(gc.masked(gc.sgd(gc.tunable(0.5)), "kernel")))
    state = gc.set_hyperparams(tx, tx.init(PARAMS), learning_rate=0.25)
    params, _ = tx.step(PARAMS, state, PARAMS)
    np.testing.assert_allclose(params["kernel"], 0.75)
    np.testing.assert_allclose(params["bias"], 1.0)
