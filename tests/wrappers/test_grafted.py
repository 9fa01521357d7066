"""Shampoo grafted on another method: whose direction, whose length in each layer, and what a name means."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.steps import close, problem, take

SHAPES = {"kernel": (2, 4, 3), "bias": (3,)}  # a stack of two matrices
ROOTS = {"b1": 0.8, "b2": 0.9, "eps": 1e-3, "precondition_frequency": 1}
RMS = gc.scale_by_rms(0.999, eps_in_sqrt=False, bias_correction=True)


@functools.cache
def found(tx):
    params, grads = problem(SHAPES, 3)
    return take(tx, params, grads).updates


def layers(updates):
    return [x for u in updates for x in (u["bias"], *u["kernel"])]


SLOW = [pytest.param(*x, marks=pytest.mark.slow) for x in (("rms", RMS), ("sgd", gc.ema(0.8)))]


@pytest.mark.parametrize(("name", "tx"), [("adam", gc.scale_by_adam(0.8)), *SLOW])
def test_steps_go_as_far_as_the_other_method_in_shampoo_s_direction(name, tx):
    ours, way, far = map(found, (gc.shampoo(1.0, **ROOTS, grafting=name), gc.scale_by_shampoo(**ROOTS), tx))
    size = jnp.linalg.norm
    for x, y, z in zip(*map(layers, (ours, way, far)), strict=True):
        np.testing.assert_allclose(size(x), size(z), rtol=1e-5)
        np.testing.assert_allclose(jnp.vdot(x, y), -size(x) * size(y), rtol=1e-5)


def test_grafted_on_itself_it_is_scale_by_shampoo():
    plain = gc.scale_by_shampoo(**ROOTS)
    itself = found(gc.shampoo(1.0, **ROOTS, grafting=plain))
    close(itself, jax.tree.map(jnp.negative, found(plain)))
    with pytest.raises(AssertionError):
        close(itself, found(gc.shampoo(1.0, **ROOTS)))


def test_without_grafting_it_is_a_chain():
    chain = gc.chain(gc.scale_by_shampoo(), gc.scale_by_learning_rate(0.1))
    assert list(gc.shampoo(0.1, grafting=None).init({"kernel": jnp.ones((2, 2))})) == list(
        chain.init({"kernel": jnp.ones((2, 2))})
    )


def test_state():
    params = {"kernel": jnp.zeros((64, 64))}
    for grafting, expected in (("adam", 20), ("rms", 16), ("sgd", 16), (None, 12)):
        tx = gc.shampoo(0.1, grafting=grafting)
        assert gc.describe(tx, params).bytes_per_param == pytest.approx(expected, rel=0.02), grafting
