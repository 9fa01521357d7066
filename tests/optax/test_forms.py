"""gradchain.optax: states in Optax's form, in and out, for optimizers of every structure."""

import copy
import pickle
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
import gradchain.optax as optax
from gradchain.optax.surface import Transformation

PARAMS = {"layer": {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)}, "head": jnp.ones(4)}
GRADS = jax.tree.map(lambda x: 0.1 * x, PARAMS)
MASK = {"layer": {"kernel": True, "bias": False}, "head": False}


def schedule(count):
    return 0.1 / (1 + count)


CASES = {
    "adam": lambda o: o.adam(0.1),
    "adam_scheduled": lambda o: o.adam(schedule),
    "adamw_masked": lambda o: o.adamw(0.1, mask=MASK),
    "sgd": lambda o: o.sgd(0.1),
    "sgd_momentum": lambda o: o.sgd(schedule, momentum=0.9, nesterov=True),
    "rmsprop": lambda o: o.rmsprop(0.1),
    "rmsprop_centered": lambda o: o.rmsprop(schedule, centered=True, momentum=0.9),
    "adadelta_masked": lambda o: o.adadelta(0.1, weight_decay_mask=MASK),
    "adagrad": lambda o: o.adagrad(0.1),
    "lamb": lambda o: o.lamb(0.1),
    "lamb_masked": lambda o: o.lamb(schedule, weight_decay=0.1, mask=MASK),
    "lars": lambda o: o.lars(0.1, momentum=0.8),
    "lion": lambda o: o.lion(0.1, mask=MASK),
    "adafactor": lambda o: o.adafactor(0.1),
    "adafactor_momentum": lambda o: o.adafactor(schedule, momentum=0.9, weight_decay_rate=0.1),
    "adafactor_plain": lambda o: o.adafactor(
        None, multiply_by_parameter_scale=False, clipping_threshold=None
    ),
    "clip": lambda o: o.chain(o.clip_by_global_norm(1.0), o.chain(o.scale_by_adam(), o.scale(-0.1))),
    "single": lambda o: o.scale_by_adam(),
    "stateless": lambda o: o.scale(2.0),
    "empty_state": lambda o: o.chain(o.scale(2.0), o.add_decayed_weights(0.1, MASK)),
    "named": lambda o: o.named_chain(("first", o.adam(0.1)), ("then", o.clip(1.0))),
    "masked": lambda o: o.masked(o.adam(0.1), MASK),
    "masked_twice": lambda o: o.masked(o.chain(o.trace(0.9), o.masked(o.scale_by_adam(), MASK)), MASK),
    "masked_function": lambda o: o.masked(o.adam(0.1), lambda p: jax.tree.map(lambda x: x.ndim > 1, p)),
    "sam": lambda o: o.contrib.sam(o.adam(0.1), o.chain(o.contrib.normalize(), o.sgd(0.1)), sync_period=2),
    "zero_nans": lambda o: o.chain(o.zero_nans(), o.ema(0.9)),
}


@pytest.mark.parametrize("name", CASES)
def test_form_is_optaxs_and_goes_both_ways(name):
    peer = pytest.importorskip("optax")
    ours, theirs = CASES[name](optax), CASES[name](peer)
    state, expected = ours.init(PARAMS), theirs.init(PARAMS)
    assert shape(state) == shape(expected)
    for step in range(3):
        updates, state = ours.update(GRADS, state, PARAMS)
        wanted, expected = theirs.update(GRADS, expected, PARAMS)
        assert shape(state) == shape(expected), step
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=2e-5, atol=1e-7), updates, wanted)
    flat = ours.flat(state, PARAMS)
    back = ours.formed(flat, PARAMS)
    assert jax.tree.structure(back) == jax.tree.structure(state)
    jax.tree.map(np.testing.assert_array_equal, back, state)


def shape(x):
    """A state as nested names: classes, fields and keys, and where there is an array."""
    if hasattr(x, "_fields"):
        return (type(x).__name__, *((f, shape(getattr(x, f))) for f in x._fields))
    if isinstance(x, tuple):
        return tuple(map(shape, x))
    if isinstance(x, dict):
        return {k: shape(v) for k, v in x.items()}
    return None if x is None else np.shape(x)


def test_either_form_is_taken():
    tx = optax.adamw(schedule, mask=MASK)
    formed, flat = tx.init(PARAMS), tx.transform.init(PARAMS)
    updates, new = tx.update(GRADS, flat, PARAMS)
    same, other = tx.update(GRADS, formed, PARAMS)
    assert set(new) == set(flat) and isinstance(other, tuple)
    jax.tree.map(np.testing.assert_array_equal, updates, same)
    jax.tree.map(np.testing.assert_array_equal, tx.formed(new, PARAMS), other)


def test_a_named_chain_of_a_schedule_has_the_same_keys_in_both_forms():
    tx = optax.named_chain(("adam", optax.scale_by_adam()), ("rate", optax.scale_by_learning_rate(schedule)))
    formed, flat = tx.init(PARAMS), tx.transform.init(PARAMS)
    assert set(formed) == set(flat) and formed["rate"]._fields == ("count",)
    updates, new = tx.update(GRADS, flat, PARAMS)
    same, other = tx.update(GRADS, formed, PARAMS)
    assert new["rate"]._fields == ("count", "hyperparams") and other["rate"]._fields == ("count",)
    jax.tree.map(np.testing.assert_array_equal, updates, same)


def test_no_operation_is_added():
    tx = optax.adamw(schedule, mask=MASK)
    formed = jax.jit(tx.update).lower(GRADS, tx.init(PARAMS), PARAMS).compile().as_text()
    core = tx.transform
    flat = jax.jit(core.update).lower(GRADS, core.init(PARAMS), PARAMS).compile().as_text()
    assert formed.count("fusion(") == flat.count("fusion(") > 0


def test_a_transform_in_optaxs_form_is_a_value():
    tx = optax.chain(optax.clip(1.0), optax.adam(0.1))
    assert tx == optax.chain(optax.clip(1.0), optax.adam(0.1)) != optax.adam(0.1)
    assert repr(tx) == "chain(clip(max_delta=1.0), adam(learning_rate=0.1))"
    assert pickle.loads(pickle.dumps(tx)) == copy.deepcopy(tx) == tx and len({tx, copy.copy(tx)}) == 1
    assert jax.tree.map(lambda x: x, tx) == tx
    init, update = tx
    assert tx[0] == init and tx.update == update and len(tx) == 2
    assert gc.to_config(tx) == gc.to_config(gc.chain(gc.clip(1.0), gc.adam(0.1)))


def test_a_replaced_function_is_used():
    tx = optax.adam(0.1)._replace(update=lambda g, s, p=None, **extra: (jax.tree.map(jnp.zeros_like, g), s))
    assert isinstance(tx, Transformation) and tx.transform is None
    chained = optax.chain(tx, optax.scale(2.0))
    updates, state = chained.update(GRADS, chained.init(PARAMS), PARAMS)
    assert not any(x.any() for x in jax.tree.leaves(updates))
    assert type(state[0][0]).__name__ == "ScaleByAdamState"


def test_a_pair_of_ones_own_sees_masked_nodes():
    seen = SimpleNamespace()

    def update(updates, state, params=None):
        seen.updates, seen.params = updates, params
        return jax.tree.map(lambda g, s: g + s, updates, state), state

    own = optax.GradientTransformation(lambda params: jax.tree.map(jnp.ones_like, params), update)
    tx = optax.chain(optax.masked(own, MASK), optax.scale(2.0))
    state = tx.init(PARAMS)
    updates, _ = tx.update(GRADS, state, PARAMS)
    assert seen.updates["head"] == optax.MaskedNode() == seen.params["layer"]["bias"]
    assert state[0].inner_state["head"] == optax.MaskedNode()
    np.testing.assert_allclose(updates["layer"]["kernel"], 2.2)
    np.testing.assert_allclose(updates["head"], 0.2)


def test_numbers_of_python_are_arrays():
    tx = optax.adam(0.1)
    state = tx.init(1.0)
    updates, state = tx.update(0.5, state, 1.0)
    np.testing.assert_allclose(updates, -0.1, rtol=1e-6)


def test_a_state_of_another_optimizer_is_named():
    with pytest.raises(ValueError, match=r"adam: in the state a tuple of 3 stands where a tuple of 2"):
        optax.adam(0.1).update(GRADS, optax.adamw(0.1).init(PARAMS), PARAMS)
    with pytest.raises(
        ValueError, match=r"EmptyState.* stands where ScaleByAdamState\('count', 'mu', 'nu'\)"
    ):
        optax.adam(0.1).update(GRADS, optax.sgd(0.1).init(PARAMS), PARAMS)


def test_functions_of_transforms_take_either(tmp_path):
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(0.1, mask=MASK))
    _, state = tx.update(GRADS, tx.init(PARAMS), PARAMS)
    assert repr(gc.describe(tx, PARAMS)) == repr(gc.describe(tx.transform, PARAMS))
    gc.save(tmp_path / "run", tx, state, PARAMS)
    loaded = gc.load(tmp_path / "run", tx, PARAMS)
    jax.tree.map(np.testing.assert_array_equal, tx.formed(loaded.state, PARAMS), state)
    assert set(gc.init(tx, PARAMS)) == set(tx.transform.init(PARAMS))
    jax.tree.map(np.testing.assert_array_equal, gc.eval_params(tx, state, PARAMS), PARAMS)


def test_gradchains_wrappers_take_the_pair():
    tx = gc.accumulate(optax.adam(0.1), 2)
    assert tx == gc.accumulate(gc.adam(0.1), 2)
    assert "scale_by_adam" in tx.init(PARAMS)


def test_parameters_without_gradients_may_be_given_beside_a_state_of_the_rest():
    part = {"layer": {"kernel": GRADS["layer"]["kernel"], "bias": None}, "head": None}
    rest = {"layer": {"kernel": PARAMS["layer"]["kernel"], "bias": None}, "head": None}
    whole = {"layer": PARAMS["layer"], "head": jnp.tanh}  # a function, as in an Equinox module
    tx = optax.adamw(0.1)
    state = tx.init(rest)
    updates, new = tx.update(part, state, whole)
    alone, _ = tx.update(part, state, rest)
    assert jax.tree.structure(new) == jax.tree.structure(state) and updates["head"] is None
    np.testing.assert_array_equal(updates["layer"]["kernel"], alone["layer"]["kernel"])
    with pytest.raises(ValueError, match="'head' is in the parameters but not in the gradients"):
        tx.update({"layer": part["layer"]}, state, whole)


def test_what_is_no_array_has_no_state():
    whole = {"w": PARAMS["head"], "activation": jnp.tanh}
    grads = {"w": GRADS["head"], "activation": None}
    for tx in (optax.sgd(0.1), optax.adam(0.1)):
        updates, state = tx.update(grads, tx.init(whole), whole)
        wanted, same = tx.update(grads, tx.init({"w": PARAMS["head"], "activation": None}))
        assert jax.tree.structure(state) == jax.tree.structure(same)
        np.testing.assert_array_equal(updates["w"], wanted["w"])
