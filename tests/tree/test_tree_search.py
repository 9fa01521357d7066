"""Values of a state found and replaced by name, in Optax's form and in gradchain's."""

import dataclasses
import pickle
from typing import NamedTuple

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc

optax = pytest.importorskip("optax")


class S(NamedTuple):
    count: object
    mu: object


TREE = (S(1, {"count": 2, "w": {"w": 3}}), {"S": 4, "none": None}, [{1: 5}])
PARAMS = {"encoder": {"kernel": jnp.ones((2, 3))}, "bias": jnp.ones(3)}
STATES = {
    "optax": optax.chain(optax.add_noise(1.0, 0.9, key=0), optax.adam(0.1)).init(PARAMS),
    "injected": optax.inject_hyperparams(optax.sgd)(learning_rate=lambda t: 1 / (t + 1)).init(PARAMS),
    "gradchain": gc.adamw(gc.tunable(0.1)).init(PARAMS),
    "masked": gc.masked(gc.adam(0.1), "**/kernel").init(PARAMS),
    "plain": TREE,
}
KEYS = ["count", "mu", "w", "S", 1, 0, "none", "absent", "learning_rate", "ScaleByAdamState", "hyperparams"]


def as_pairs(found):
    return [(jax.tree_util.keystr(path), repr(value)) for path, value in found]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("key", KEYS)
def test_finds_what_optax_finds(state, key):
    theirs = optax.tree.get_all_with_path(STATES[state], key)
    ours = gc.tree.get_all_with_path(STATES[state], key)
    assert as_pairs(ours) == as_pairs(theirs)
    filtering = lambda path, value: isinstance(value, jax.Array)  # noqa: E731
    theirs = optax.tree.get_all_with_path(STATES[state], key, filtering)
    assert as_pairs(gc.tree.get_all_with_path(STATES[state], key, filtering)) == as_pairs(theirs)
    if len(theirs) <= 1:
        assert repr(gc.tree.get(STATES[state], key, "no", filtering)) == repr(
            optax.tree.get(STATES[state], key, "no", filtering)
        )


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("key", ["count", "mu", "w", "S", "none", "learning_rate", "ScaleByAdamState"])
def test_sets_what_optax_sets(state, key):
    if (state, key) == ("injected", "count"):  # Optax finds two there, and sets one
        new = gc.tree.set(STATES[state], count=9)
        assert [x for _, x in gc.tree.get_all_with_path(new, "count")] == [9, 9]
        return
    try:
        theirs = optax.tree.set(STATES[state], **{key: 9})
    except KeyError:
        with pytest.raises(KeyError, match=f"set: no value is called '{key}'"):
            gc.tree.set(STATES[state], **{key: 9})
        return
    assert repr(gc.tree.set(STATES[state], **{key: 9})) == repr(theirs)


def test_one_value_in_states_of_both_forms():
    state = gc.adam(gc.tunable(0.1)).init(PARAMS)
    assert gc.tree.get(state, "mu")["bias"].shape == (3,)
    assert gc.tree.get(state, "learning_rate") == jnp.float32(0.1)
    assert gc.tree.get(state, "scale_by_adam") is state["scale_by_adam"]
    assert gc.tree.get(state, "ScaleByAdamState") is state["scale_by_adam"]
    injected = optax.inject_hyperparams(optax.sgd)(learning_rate=0.5).init(PARAMS)
    assert gc.tree.get(injected, "learning_rate") == 0.5
    named = lambda path, _: gc.tree.NamedTupleKey("AddNoiseState", "count") in path  # noqa: E731
    assert gc.tree.get(STATES["optax"], "count", filtering=named) == 0


def test_a_changed_learning_rate_takes_effect():
    tx = gc.sgd(gc.tunable(0.1))
    state = gc.tree.set(tx.init(PARAMS), learning_rate=jnp.float32(0.5))
    updates, _ = tx.update(PARAMS, state, PARAMS)
    assert updates["bias"][0] == -0.5


def test_several_values_are_listed():
    state = gc.adam(0.1).init(PARAMS)
    with pytest.raises(KeyError) as e:
        gc.tree.get(state, "count")
    for words in ("2 values are called 'count'", "'scale_by_adam/count'", "'scale_by_learning_rate/count'"):
        assert words in str(e.value)
    assert gc.tree.get(state, "scale_by_adam/count") == 0
    new = gc.tree.set(state, **{"scale_by_adam/count": 7})
    assert new["scale_by_adam"].count == 7 and new["scale_by_learning_rate"].count == 0
    assert gc.tree.get(state, "dam/count") is None, "the end of a path is made of whole names"
    many = {str(i): {"x": 0} for i in range(20)}
    with pytest.raises(KeyError, match="and 14 more"):
        gc.tree.get(many, "x")


def test_dataclasses_are_searched_too():
    @jax.tree_util.register_dataclass
    @dataclasses.dataclass
    class D:
        x: float
        y: float

    assert gc.tree.get([D(1.0, 2.0)], "y") == 2.0
    assert gc.tree.set([D(1.0, 2.0)], y=3.0) == [D(1.0, 3.0)]


def test_nothing_found():
    state = gc.adam(0.1).init(PARAMS)
    assert gc.tree.get(state, "momentum") is None and gc.tree.get(state, "momentum", 3) == 3
    with pytest.raises(KeyError, match="no value is called 'learning_rat'; did you mean learning_rate"):
        gc.tree.set(gc.adam(gc.tunable(0.1)).init(PARAMS), learning_rat=0.1)
    with pytest.raises(KeyError, match="the filtering keeps none of the values called 'count'"):
        gc.tree.set(state, lambda path, value: False, count=0)
    assert gc.tree.set(TREE, lambda path, value: value == 2, count=9)[0] == S(1, {"count": 9, "w": {"w": 3}})


def test_set_works_under_jit_and_keeps_classes():
    tx = gc.adam(gc.tunable(0.1))
    state = tx.init(PARAMS)
    new = jax.jit(lambda s, r: gc.tree.set(s, learning_rate=r))(state, 0.25)
    assert jax.tree.structure(new) == jax.tree.structure(state) and gc.tree.get(new, "learning_rate") == 0.25
    key = gc.tree.NamedTupleKey("A", "b")
    assert pickle.loads(pickle.dumps(key)) == key and str(key) == "A.b" and hash(key) == hash(key)
