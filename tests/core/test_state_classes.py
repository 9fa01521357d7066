"""The class of a link's state: that of its algorithm, also where hyperparameters make fields of their own."""

import copy
import gc as garbage
import pickle

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain.core.states import HyperState, extended
from gradchain.rules.adaptive.adam import ScaleByAdamState
from gradchain.rules.parts.basic import ScaleByLearningRateState
from gradchain.storage.loss_scale import LossScaleState

PARAMS = {"a": jnp.ones(3)}
TX = gc.adam(gc.tunable(0.1), b1=gc.tunable(0.9))


def test_a_state_is_an_instance_of_the_declared_class():
    state = TX.init(PARAMS)
    assert isinstance(state["scale_by_adam"], ScaleByAdamState)
    assert isinstance(state["scale_by_learning_rate"], ScaleByLearningRateState)
    assert state["scale_by_adam"]._fields == (*ScaleByAdamState._fields, "hyperparams")
    _, after = TX.update(PARAMS, state, PARAMS)
    assert jax.tree.structure(after) == jax.tree.structure(state)


def test_codecs_and_schedules_add_fields():
    tx = gc.stored(gc.scale_by_adam(b1=lambda count: 0.9), "int8", min_size=0)
    entry = tx.init(PARAMS)["scale_by_adam"]
    assert isinstance(entry, ScaleByAdamState)
    assert {"mu_scale", "hyperparams"} <= set(entry._fields)


def test_a_link_without_a_state_of_its_own():
    entry = gc.scale(gc.tunable(0.5)).init(PARAMS)["scale"]
    assert isinstance(entry, HyperState)
    assert entry._fields == ("hyperparams",)


def test_it_is_made_while_garbage_is_collected():
    """The class that its methods are taken from must outlive that."""
    before = garbage.get_threshold()
    garbage.set_threshold(1)
    try:
        for i in range(50):
            assert extended(LossScaleState, (f"more_{i}",))._fields[-1] == f"more_{i}"
    finally:
        garbage.set_threshold(*before)


def test_it_is_a_named_tuple():
    entry = TX.init(PARAMS)["scale_by_adam"]
    cls = type(entry)
    assert entry._replace(count=3).count == 3
    assert list(entry._asdict()) == list(cls._fields)
    assert type(cls._make(entry)) is cls and cls(*entry) == entry
    assert repr(entry).startswith("ScaleByAdamState(count=") and "hyperparams=" in repr(entry)
    with pytest.raises(TypeError):
        cls(1, 2)
    match entry:
        case ScaleByAdamState(count=count):
            assert count == 0
        case _:
            pytest.fail("no match by the declared class")


def test_the_class_is_one_for_all():
    """JAX compares containers by their class: another one would compile a step anew."""
    cls = type(TX.init(PARAMS)["scale_by_adam"])
    assert cls is type(gc.adam(0.2, b1=gc.tunable(0.8)).init(PARAMS)["scale_by_adam"])
    assert cls is extended(ScaleByAdamState, ("hyperparams",))
    assert cls is not extended(ScaleByAdamState, ("count_2", "hyperparams"))
    assert extended(ScaleByAdamState, ()) is ScaleByAdamState


def test_copies_and_pickles():
    state = TX.init(PARAMS)
    for again in (pickle.loads(pickle.dumps(state)), copy.deepcopy(state), copy.copy(state)):
        assert jax.tree.structure(again) == jax.tree.structure(state)


def test_paths_and_what_the_algorithm_declares_stay():
    state = gc.loss_scale(TX).init(PARAMS)
    assert isinstance(state["loss_scale"], LossScaleState) and "loss_scale" in gc.metrics(state)
    assert "scale_by_adam/hyperparams/b1" in gc.state_dict(state)
    assert "scale_by_adam/mu/a" in gc.state_dict(state)
