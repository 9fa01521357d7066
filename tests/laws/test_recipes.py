"""A transform is a value: it prints, compares, hashes, copies, pickles and is edited as its recipe says."""

import copy
import pickle
import re

import jax.numpy as jnp
import pytest
from law import every, hypers, kinds, make, nudged, problem

import gradchain as gc

NAMES = {**vars(gc), "re": re, "jnp": jnp}


def variants(name):
    """The example, and its hyperparameters said in the ways that can be printed."""
    yield make(name)
    if constants := hypers(name):
        yield make(name, **{k: gc.tunable(v) for k, v in constants.items()})
        yield make(name, **{k: jnp.asarray(v, jnp.float32) for k, v in constants.items()})
        yield make(name, **nudged(name))
    if constants and "constant_schedule" in NAMES:
        yield make(name, **{k: gc.constant_schedule(v) for k, v in constants.items()})


@every
@pytest.mark.parametrize(
    "again",
    [
        lambda tx: eval(repr(tx), dict(NAMES)),
        lambda tx: pickle.loads(pickle.dumps(tx)),
        copy.copy,
        copy.deepcopy,
    ],
    ids=["repr", "pickle", "copy", "deepcopy"],
)
def test_round_trip(name, again):
    params, _ = problem()
    for tx in variants(name):
        twin = again(tx)
        assert twin == tx and hash(twin) == hash(tx) and repr(twin) == repr(tx)
        assert kinds(twin.init(params)) == kinds(tx.init(params))


@every
def test_values_tell_transforms_apart(name):
    several = list(variants(name))
    assert len(set(several)) == len(several), several
    assert make(name) == make(name)
    assert all(a != b for i, a in enumerate(several) for b in several[:i])
    assert make(name) != "something else"


@every
def test_replace(name):
    tx, changes = make(name), nudged(name)
    if gc.REGISTRY[name].variadic:
        with pytest.raises(TypeError, match=f"{name}.*tx.args"):
            tx.replace(anything=1)
        return
    edited = tx.replace(**changes)
    assert edited == make(name, **changes)
    assert edited.replace(**hypers(name)) == tx
    assert {k: edited.args[k] for k in changes} == changes
    with pytest.raises(TypeError, match="no argument 'nonsense'"):
        tx.replace(nonsense=1)


@every
def test_pair(name):
    init, update = make(name)
    assert callable(init) and callable(update)


@every
def test_factory_is_public(name):
    assert getattr(gc, name).factory is gc.REGISTRY[name]
    assert (getattr(gc, name).__doc__ or "").strip(), "no docstring"
