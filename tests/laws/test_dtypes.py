"""Dtypes, weak types and structures of the state never change, in any precision, and no step makes a NaN."""

import jax
import jax.numpy as jnp
import pytest
from law import (
    STEPS,
    compilations,
    declares,
    dtypes,
    every,
    finite,
    hypers,
    kinds,
    make,
    problem,
    random,
    run,
    step,
    update,
)

import gradchain as gc
from gradchain.core.versions import jaxprs_in

LARGE = 1e4  # float16 ends at 6.5e4; its square is none of float16's numbers

NARROW = (jnp.float32, jnp.bfloat16, jnp.float16)


def wide(*dtypes):
    return jnp.result_type(jnp.float32, *dtypes)


def check_kinds(tx, params, grads):
    """The policy on dtypes, without running anything."""
    state = jax.eval_shape(tx.init, params)
    updates, after = jax.eval_shape(update(tx), grads, state, params)
    assert jax.tree.structure(after) == jax.tree.structure(state)
    assert kinds(after) == kinds(state), "the state changes in an update"
    assert not any(x.weak_type for x in jax.tree.leaves((after, updates))), "a weak type compiles again"
    assert jax.tree.structure(updates) == jax.tree.structure(params)
    for u, g, p in zip(*map(jax.tree.leaves, (updates, grads, params)), strict=True):
        assert u.shape == p.shape
        assert u.dtype in (wide(g.dtype, p.dtype), wide(g.dtype), g.dtype), (
            "an update is computed in float32 at least"
        )
    new, after = jax.eval_shape(step(tx), grads, state, params)
    assert kinds(new) == kinds(params) and kinds(after) == kinds(state)


def variants(name):
    """The example, and its hyperparameters scheduled, as arrays, and in the state."""
    constants = hypers(name)
    yield make(name)
    if constants:
        yield make(name, **{k: (lambda count, v=v: jnp.float32(v)) for k, v in constants.items()})
        yield make(name, **{k: jnp.asarray(v, jnp.float32) for k, v in constants.items()})
        yield make(name, **{k: gc.tunable(v) for k, v in constants.items()})


@every
def test_kinds_are_stable(name, x64):
    for tx in variants(name):
        for dtype in dtypes(name):
            params, (grads,) = problem(dtype, steps=1)
            check_kinds(tx, params, grads)


@every
def test_kinds_are_stable_without_x64(name):
    for tx in variants(name):
        params, (grads,) = problem(steps=1)
        check_kinds(tx, params, grads)


@every
@pytest.mark.parametrize("of_params, of_grads", [("bfloat16", "float32"), ("float32", "bfloat16")])
def test_gradients_of_another_dtype(name, of_params, of_grads):
    params, _ = problem(of_params)
    grads = random({"dense": {"kernel": (4, 3), "bias": (3,)}}, of_grads, 1)
    check_kinds(make(name), params, grads)


@every
def test_state_is_wide(name):
    """Moments of 16-bit parameters are float32, unless the transform is asked for less."""
    if declares(name, "narrow_state"):
        pytest.skip("declares that it keeps state in the parameter's dtype")
    params, _ = problem("bfloat16")
    for x in jax.tree.leaves(jax.eval_shape(make(name).init, params)):
        assert not jnp.issubdtype(x.dtype, jnp.floating) or x.dtype == jnp.float32


@every
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_finite_at_zero_and_large_gradients(name, dtype):
    """Zero, then large, then zero again: no 0/0, no square that overflows, no inf - inf."""
    if dtype not in dtypes(name):
        pytest.skip("declares that it takes no float16")
    tx = make(name)
    params, _ = problem(dtype)
    do = jax.jit(update(tx))
    zeros = jax.tree.map(jnp.zeros_like, params)
    state = tx.init(params)
    for grads in [zeros, zeros, random({"dense": {"kernel": (4, 3), "bias": (3,)}}, dtype, 1, LARGE), zeros]:
        updates, state = do(grads, state, params)
        finite(updates, "the update ")
        finite(state, "the state ")
    large = jax.tree.map(lambda p: jnp.full_like(p, LARGE), params)
    for _ in range(STEPS):
        updates, state = do(large, state, params)
        finite(updates, "the update ")
        finite(state, "the state ")
    assert do._cache_size() == compilations(name), "the state that comes out is compiled for again"


@every
def test_finite_from_zero_parameters(name):
    tx = make(name)
    zeros = jax.tree.map(jnp.zeros_like, problem()[0])
    _, grads = problem()
    params, state = run(step(tx), tx.init(zeros), zeros, grads)
    finite((params, state), "")


def made(jaxpr):
    """Every value that a program computes, at any depth: (primitive, type)."""
    for eqn in jaxpr.eqns:
        yield from ((eqn.primitive.name, x.aval) for x in eqn.outvars)
        for inner in jaxprs_in(eqn):
            yield from made(inner)


@every
def test_float64_is_computed_in_float64(name, x64):
    if declares(name, "codes"):
        pytest.skip("declares that it keeps state in codes made from float32")
    tx = make(name)
    params, (grads,) = problem("float64", steps=1)
    state = tx.init(params)
    for x in jax.tree.leaves(state):
        assert not jnp.issubdtype(x.dtype, jnp.inexact) or x.dtype != jnp.float32 or x.ndim == 0
    program = jax.make_jaxpr(update(tx))(grads, state, params).jaxpr
    narrow = [(op, str(x)) for op, x in made(program) if getattr(x, "dtype", None) in NARROW]
    assert not narrow, "values of float64 parameters that are rounded on the way"
