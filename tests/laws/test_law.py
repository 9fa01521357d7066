"""The laws' own instruments: each must see an offender, and let its lawful twin pass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from law import (
    DTYPES,
    every,
    extras,
    finite,
    hypers,
    kinds,
    make,
    near,
    nudged,
    per_leaf,
    problem,
    random,
    same_bits,
)

import gradchain as gc


@every
def test_every_factory_gives_an_example(name):
    """Without one, or with extra arguments that nobody knows, a transform would be tested by no law."""
    tx = make(name)
    params, (grads,) = problem(steps=1)
    assert set(extras(tx, params, grads)) == tx.body.needs
    assert set(nudged(name)) == set(hypers(name)) <= set(gc.REGISTRY[name].ranges)
    assert all(nudged(name)[k] != v for k, v in hypers(name).items())


@pytest.mark.parametrize("dtype", DTYPES)
def test_near_counts_units_in_the_last_place(dtype, x64):
    one = jnp.ones((3,), dtype)
    eps = jnp.finfo(dtype).eps
    near({"a": one * (1 + 2 * eps)}, {"a": one}, 2)
    near({"a": one.at[1].set(0)}, {"a": one.at[1].set(eps)}, 2)  # of the leaf's largest entry
    with pytest.raises(AssertionError, match=r"\['a'\]: off by 3 ulp"):
        near({"a": one * (1 + 3 * eps)}, {"a": one}, 2)
    with pytest.raises(AssertionError):
        near({"a": one}, {"b": one}, 2)
    with pytest.raises(AssertionError):
        near({"a": jnp.int32(1)}, {"a": jnp.int32(2)}, 1e9)
    with pytest.raises(AssertionError):
        near({"a": one * jnp.nan}, {"a": one}, 1e9)


def test_same_bits():
    a = jnp.asarray([0.0, jnp.nan])
    same_bits({"a": a}, {"a": a})
    for other in (-a, a.astype(jnp.bfloat16), a[:1]):
        with pytest.raises(AssertionError):
            same_bits({"a": a}, {"a": other})


def test_kinds_see_weak_types():
    assert kinds(jnp.asarray(1.0)).weak and not kinds(jnp.float32(1)).weak
    assert kinds(jax.eval_shape(lambda: 2.0 * jnp.asarray(1.0))).weak


def test_finite():
    finite({"a": jnp.ones(2, jnp.bfloat16), "b": jnp.int32(0)}, "")
    for bad in (jnp.inf, jnp.nan):
        with pytest.raises(AssertionError, match=r"the state \['a'\] is not finite"):
            finite({"a": jnp.asarray([bad], jnp.float16)}, "the state ")


def test_random_numbers_are_the_same_each_time():
    same_bits(random({"a": (2,)}, seed=1), random({"a": (2,)}, seed=1))
    assert np.any(random((2,), seed=1) != random((2,), seed=2))


def test_per_leaf():
    assert per_leaf(gc.adamw(0.1).body) and per_leaf(gc.masked(gc.adam(0.1), "**").body)
    assert not per_leaf(gc.chain(gc.clip_by_global_norm(1.0), gc.adam(0.1)).body)
    assert not per_leaf(gc.treewise(None, lambda updates, params: updates))
