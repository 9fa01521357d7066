"""tree_map_params: what belongs to a parameter, in gradchain's states and in another library's."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import PartitionSpec as P

import gradchain as gc

optax = pytest.importorskip("optax")
PARAMS = {"dense": {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}, "scale": jnp.ones(())}
NAMES = {"dense": {"kernel": "K", "bias": "B"}, "scale": "S"}
COUNT, RATE = "scale_by_adam/count", "scale_by_learning_rate/hyperparams/learning_rate"


def mapped(tx, state=None):
    state = tx.init(PARAMS) if state is None else state
    return gc.tree_map_params(tx, lambda x, name: name, state, NAMES, transform_non_params=lambda x: "-")


def flat(tx, **kwargs):
    found = jax.tree_util.tree_flatten_with_path(mapped(tx, **kwargs))[0]
    return {jax.tree_util.keystr(path, simple=True, separator="/"): x for path, x in found}


def test_moments_are_mapped_with_their_parameter_and_nothing_else():
    found = mapped(gc.adam(0.1))
    assert found["scale_by_adam"].mu == found["scale_by_adam"].nu == NAMES
    assert found["scale_by_adam"].count == found["scale_by_learning_rate"].count == "-"
    assert found["scale_by_learning_rate"].hyperparams == {"learning_rate": "-"}


TRANSFORMS = {
    "adam": gc.adam(gc.tunable(0.1)),
    "masked": gc.masked(gc.adam(0.1), "**/kernel"),
    "groups": gc.partition(
        {"k": gc.adam(0.1), "r": optax.sgd(0.1, momentum=0.9)}, {"**/kernel": "k", "**": "r"}
    ),
    "wrapped": gc.skip(gc.accumulate(gc.average(gc.lamb(0.1)), 2), spikes=6.0, window=4),
    "stored": gc.chain(gc.stored(gc.adamw(0.1), "log8")),
    "injected": gc.inject_hyperparams(gc.adam)(0.1),
    "optax inside": gc.chain(gc.masked(optax.scale_by_adam(), "**/kernel"), optax.trace(0.9), gc.scale(-1.0)),
    "flatten": gc.chain(gc.flatten(gc.adam(0.1)), gc.trace(0.9)),
    "frozen": gc.chain(gc.freeze("dense/**"), gc.adam(0.1)),
    "factored": gc.adafactor(0.1, min_dim_size_to_factor=2),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_name_that_comes_is_that_of_the_path(name):
    tx = TRANSFORMS[name]
    found, ends = flat(tx), {"kernel": "K", "bias": "B", "scale": "S"}
    assert len(found) == len(jax.tree.leaves(tx.init(PARAMS)))
    for path, x in found.items():
        assert x == ends.get(path.rpartition("/")[2], "-"), path
    assert set(found.values()) > {"-"}


def test_what_is_not_mapped_stays_and_abstract_states_do():
    tx = gc.adam(0.1)
    state = jax.eval_shape(tx.init, PARAMS)
    found = gc.tree_map_params(tx, lambda x: None, state)
    assert found["scale_by_adam"].count is state["scale_by_adam"].count
    assert not jax.tree.leaves(found["scale_by_adam"].mu)
    specs = {"dense": {"kernel": P(None, "x"), "bias": P()}, "scale": P()}
    out = gc.tree_map_params(tx, lambda x, spec: spec, state, specs, is_leaf=lambda x: isinstance(x, P))
    assert out["scale_by_adam"].nu == specs


OPTAX = {
    "adam": optax.adam(0.1),
    "chain": optax.chain(optax.clip(1.0), optax.adamw(optax.constant_schedule(0.1))),
    "masked": optax.masked(optax.adam(0.1), {"dense": {"kernel": True, "bias": False}, "scale": False}),
    "function": optax.masked(optax.adam(0.1), lambda p: jax.tree.map(lambda x: True, p)),
    "groups": optax.multi_transform(
        {"a": optax.adam(0.1), "b": optax.sgd(0.1)}, {"dense": "a", "scale": "b"}
    ),
    "injected": optax.inject_hyperparams(optax.adam)(0.1),
    "MultiSteps": optax.MultiSteps(optax.adam(0.1), 2).gradient_transformation(),
}


@pytest.mark.parametrize("name", OPTAX)
def test_states_of_optax_as_optax_maps_them(name):
    tx = OPTAX[name]
    state = tx.init(PARAMS)
    leaf = {"is_leaf": lambda x: isinstance(x, optax.MaskedNode)} if name in ("masked", "groups") else {}
    change, other = lambda x, y: y, lambda x: "-"
    theirs = optax.tree_map_params(tx, change, state, NAMES, transform_non_params=other, **leaf)
    for initable in (tx, tx.init):
        ours = gc.tree_map_params(initable, change, state, NAMES, transform_non_params=other, **leaf)
        assert jax.tree.leaves(ours) == jax.tree.leaves(theirs)
        assert jax.tree.structure(ours) == jax.tree.structure(theirs)


def test_the_state_of_another_optimizer():
    with pytest.raises(ValueError, match="tree_map_params: the state has entries"):
        gc.tree_map_params(gc.adam(0.1), lambda x: x, gc.sgd(0.1).init(PARAMS))
    with pytest.raises(ValueError, match="the state is not what the init makes"):
        gc.tree_map_params(optax.adam(0.1), lambda x: x, optax.EmptyState())
