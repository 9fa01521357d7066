"""What a hyperparameter may be: finite, within its range, and still within it in the dtype it is kept in."""

import json
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

DECAYS = [
    (name, k)
    for name, factory in sorted(gc.REGISTRY.items())
    for k, allowed in factory.ranges.items()
    if allowed.below
]


def made(name, **changes):
    return getattr(gc, name)(**{**gc.REGISTRY[name].example(), **changes})


@pytest.mark.parametrize("name, argument", DECAYS)
def test_a_mean_that_never_moves_is_an_error(name, argument):
    for value in (1, 1.0, gc.tunable(1.0), gc.tunable(1 - 1e-9), np.float64(1)):
        with pytest.raises(
            ValueError, match=rf"{name}: {argument} is .*; expected at least 0 and less than 1"
        ):
            made(name, **{argument: value})
    with pytest.raises(ValueError, match="in float32"):
        made(name, **{argument: gc.tunable(1 - 1e-9)})
    made(name, **{argument: gc.tunable(1 - 1e-7)})


def test_the_decays_that_need_it_are_known():
    assert {n for n, _ in DECAYS} >= {
        "adam",
        "adamw",
        "nadam",
        "amsgrad",
        "radam",
        "lamb",
        "muon",
        "ema",
        "rmsprop",
    }


def test_a_constant_near_one_is_exact_and_good():
    tx = gc.adam(0.1, b1=1 - 1e-9)
    params = {"a": jnp.ones(2)}
    updates, _ = tx.update(params, tx.init(params))
    np.testing.assert_allclose(updates["a"], -0.1, rtol=1e-5)


def test_one_is_kept_where_it_means_something():
    params = {"a": jnp.ones(2)}
    for tx in (gc.trace(1.0), gc.sgd(0.1, 1.0), gc.average(gc.sgd(0.1), 1.0), gc.lars(0.1, momentum=1.0)):
        state = tx.init(params)
        for _ in range(3):
            updates, state = tx.update(params, state, params)
        assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves((updates, state)))
    updates, _ = gc.trace(1.0).update(params, gc.trace(1.0).init(params))
    assert updates["a"][0] == 1


@pytest.mark.parametrize(
    "value", [math.inf, 1e39, np.float64(math.inf), gc.tunable(math.inf), gc.tunable(1e39)]
)
def test_a_number_that_is_not_finite_is_an_error(value):
    with pytest.raises(ValueError, match=r"learning_rate is .*; expected a finite number, at most 3.4e[+]38"):
        gc.sgd(value)
    with pytest.raises(ValueError, match=r"step_size is .*; expected a finite number"):
        gc.scale(value)


def test_no_step_and_no_file_brings_infinity_in():
    tx = gc.sgd(gc.tunable(0.1))
    state = tx.init({"a": jnp.ones(2)})
    for value in (math.inf, math.nan, np.float32(math.inf), jnp.asarray(math.inf), np.array(math.nan)):
        with pytest.raises(ValueError, match="learning_rate is"):
            gc.set_hyperparams(tx, state, learning_rate=value)
    with pytest.raises(ValueError, match="less than 1 in float32"):
        tx = gc.adam(0.1, b1=gc.tunable(0.9))
        gc.set_hyperparams(tx, tx.init({"a": jnp.ones(2)}), b1=1 - 1e-9)
    with pytest.raises(ValueError, match="finite number"):
        gc.from_config(json.loads('{"sgd": {"learning_rate": 1e999}}'))


def test_a_limit_may_be_none():
    params = {"a": jnp.full(2, 3.0)}
    for tx in (gc.clip(math.inf), gc.clip_by_global_norm(math.inf), gc.clip_by_block_rms(math.inf)):
        updates, _ = tx.update(params, tx.init(params), params)
        assert np.array_equal(updates["a"], params["a"])


DTYPES = [
    (name, k)
    for name, factory in sorted(gc.REGISTRY.items())
    for k in factory.signature.parameters
    if k in ("mu_dtype", "accumulator_dtype", "dtype_momentum")
]


@pytest.mark.parametrize("name, argument", DTYPES)
def test_a_moment_is_kept_in_a_floating_dtype(name, argument):
    more = {"momentum": 0.9} if "momentum" in gc.REGISTRY[name].signature.parameters else {}
    for dtype in ("int32", "bool", jnp.int8, "flaot32", 3):
        with pytest.raises(
            TypeError, match=rf"dtype.* is .*{getattr(dtype, '__name__', dtype)}.*expected a (floating|dtype)"
        ):
            made(name, **more, **{argument: dtype})
    made(name, **more, **{argument: "bfloat16"})
    made(name, **more, **{argument: None})


def test_a_moment_is_complex_where_its_leaf_is():
    for dtype, moment in (("complex64", "bfloat16"), ("float32", "complex64")):
        params = {"a": {"w": jnp.ones(2, dtype)}}
        with pytest.raises(TypeError, match=f"'a/w' is {dtype}: either both are complex or neither"):
            gc.adam(0.1, mu_dtype=moment).init(params)
    params = {"w": jnp.ones(2, jnp.complex64)}
    kept, plain = (gc.adam(0.1, mu_dtype=dtype) for dtype in ("complex64", None))
    chex.assert_trees_all_equal(*(tx.step(params, tx.init(params), params) for tx in (kept, plain)))
