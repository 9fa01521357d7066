"""Gradients, parameters and state of different leaves: every transform says what differs, and what to do."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain.core.transform import example

LEAVES = {
    "dense": {
        "kernel": jax.ShapeDtypeStruct((4, 3), "float32"),
        "bias": jax.ShapeDtypeStruct((3,), "float32"),
    }
}
MORE = {**LEAVES, "extra": jax.ShapeDtypeStruct((2,), "float32")}
SCALAR = jax.ShapeDtypeStruct((), "float32")
EXTRAS = {"value": SCALAR, "max_logits": SCALAR, "grad": LEAVES}
FUNCTIONS = {"value_fn": gc.global_norm, "obj_fn": gc.global_norm, "grad_fn": lambda p: p}

every = pytest.mark.parametrize("name", sorted(gc.REGISTRY))


def error(tx: gc.Transform, grads: Any, state_of: Any, params: Any) -> str:
    """What an update says of these trees: traced, so that nothing is compiled."""
    state = jax.eval_shape(tx.init, state_of)
    extra = {k: EXTRAS[k] for k in tx.body.needs & EXTRAS.keys()}
    more = {k: FUNCTIONS[k] for k in tx.body.needs - EXTRAS.keys()}
    with pytest.raises(ValueError) as e:
        jax.eval_shape(lambda g, s, p, x: tx.update(g, s, p, **x, **more), grads, state, params, extra)
    return str(e.value)


def per_leaf(tx: gc.Transform) -> bool:
    """Whether the state has more to keep of more leaves."""
    few, more = (len(jax.tree.leaves(jax.eval_shape(tx.init, x))) for x in (LEAVES, MORE))
    return more > few


@every
@pytest.mark.parametrize("wrong", ["parameters", "gradients"])
def test_gradients_and_parameters_differ(name, wrong):
    tx = example(name)
    grads, state_of, params = (LEAVES, LEAVES, MORE) if wrong == "parameters" else (LEAVES, MORE, MORE)
    said = error(tx, grads, state_of, params)
    assert said.startswith(name)
    assert "'extra' is in the parameters but not in the gradients" in said
    assert "initialise with the parameters that you take gradients of" in said
    if per_leaf(tx):
        assert f"so the {wrong} are the wrong argument" in said


@every
def test_the_state_differs(name):
    tx = example(name)
    if not per_leaf(tx):
        pytest.skip("keeps nothing for a leaf")
    for state_of, trees in ((LEAVES, MORE), (MORE, LEAVES)):
        said = error(tx, trees, state_of, trees)
        assert "'extra'" in said and "make a new one with tx.init(params)" in said, said
        assert "the state's" in said


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Module:
    """A module whose leaves are arrays and functions, as Equinox has them."""

    weight: Any
    activation: Any


WRAPPED = {
    "MultiSteps": gc.MultiSteps(gc.adam(0.1), 2),
    "stored": gc.stored(gc.adam(0.1), "int8", min_size=0),
    "skip": gc.skip(gc.adam(0.1)),
    "muon": gc.muon(0.1),
    "loss_scale": gc.loss_scale(gc.adam(0.1)),
    "reset_every": gc.reset_every(gc.adam(0.1), 2),
    "masked": gc.masked(gc.adam(0.1), "**"),
    "freeze": gc.chain(gc.freeze("other"), gc.adam(0.1)),
    "partition": gc.partition({"all": gc.adam(0.1)}, {"**": "all"}),
    "average": gc.average(gc.adam(0.1)),
    "lookahead": gc.lookahead(gc.adam(0.1), 2, 0.5),
    "zero": gc.zero(gc.adam(0.1)),
    "offload": gc.offload(gc.adam(0.1), min_size=0),
    "with_axes": gc.with_axes(gc.adam(0.1), {}),
}


@pytest.mark.parametrize("tx", WRAPPED.values(), ids=list(WRAPPED))
def test_a_whole_module_for_its_arrays(tx):
    """State and gradients are of the arrays, as eqx.filter gives them; the parameters are the module."""
    arrays = {"layer": Module(jnp.ones((2, 2)), None), "other": jnp.ones(2)}
    whole = {**arrays, "layer": Module(jnp.ones((2, 2)), jax.nn.relu)}
    state = tx.init(arrays)
    for update in (tx.update, tx.step):
        with pytest.raises(ValueError) as e:
            update(arrays, state, whole)
        assert "'layer/activation' is in the parameters but not in the gradients" in str(e.value)
        assert "so the parameters are the wrong argument" in str(e.value)


def test_a_group_of_a_partition():
    tx = gc.partition({"all": gc.adam(0.1)}, {"**": "all"})
    said = error(tx, MORE, LEAVES, MORE)
    assert said.startswith("scale_by_adam: the gradients (3 leaves) and the state's mu (2 leaves) differ")


def test_a_mask_that_selects_something_else_now():
    before, now = gc.masked(gc.scale_by_adam(), "dense/kernel"), gc.masked(gc.scale_by_adam(), "dense/*")
    state = jax.eval_shape(before.init, LEAVES)
    with pytest.raises(ValueError, match="the state's mu has no 'dense/bias', which its mask selects now"):
        jax.eval_shape(gc.chain(now).update, LEAVES, state, LEAVES)
