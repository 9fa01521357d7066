"""A hyperparameter is a number, an array, a schedule or tunable: said in any way, the same update."""

import jax
import jax.numpy as jnp
import pytest
from law import declares, extras, hypers, make, near, nudged, problem, run, step, update

import gradchain as gc

# In float64 an operand is the number itself, so that only the order of arithmetic is left to differ; in
# float32, 1 - b2 is 1.3e-5 off where b2 is an operand.
ULPS = 4096  # of float64: 1e-12
SHAPES = {"kernel": (4, 3)}


tuned = pytest.mark.parametrize("name", [n for n in sorted(gc.REGISTRY) if gc.REGISTRY[n].ranges])


@pytest.fixture(autouse=True)
def double(x64):
    pass


def has_hypers(name):
    constants = hypers(name)
    if not constants:
        pytest.skip("the example gives no hyperparameter a number")
    return constants


def updates_of(tx, steps=3):
    """The updates of some steps, the parameters standing still."""
    params, grads = problem("float64", SHAPES, steps)
    state, found = tx.init(params), []
    for g in grads:
        u, state = update(tx)(g, state, params)
        found.append(u)
    return found


@tuned
@pytest.mark.parametrize("how", ["array", "schedule", "tunable"])
def test_constant_in_other_words(name, how):
    constants = has_hypers(name)
    say = {
        "array": lambda v: jnp.asarray(float(v)),
        "schedule": lambda v: lambda count: jnp.asarray(float(v)),
        "tunable": gc.tunable,
    }[how]
    found = updates_of(make(name, **{k: say(v) for k, v in constants.items()}))
    near(found, updates_of(make(name)), ULPS)


@tuned
def test_schedule_is_followed(name):
    """A schedule that changes after the first step is two constants, one after the other.

    Whole numbers, such as the period of a wrapper, may follow a clock of their own.
    """
    ranges = gc.REGISTRY[name].ranges
    constants = {k: v for k, v in has_hypers(name).items() if not ranges[k].integer}
    later = {k: v for k, v in nudged(name).items() if k in constants}
    params, grads = problem("float64", SHAPES)

    def schedule(first, then):
        return lambda count: jnp.where(count == 0, float(first), float(then))

    found = updates_of(make(name, **{k: schedule(v, later[k]) for k, v in constants.items()}))
    state, expected = make(name).init(params), []
    for i, g in enumerate(grads):
        u, state = update(make(name) if i == 0 else make(name, **later))(g, state, params)
        expected.append(u)
    near(found, expected, ULPS)


@tuned
def test_new_values_compile_nothing(name):
    """An array is an operand: other values run the program that is there."""
    constants, later = has_hypers(name), nudged(name)
    params, grads = problem("float64", SHAPES, 1)

    @jax.jit
    def first_step(values, params, grads):
        tx = make(name, **values)
        return update(tx)(grads, tx.init(params), params)[0]

    for values in (constants, later):
        given = {k: jnp.asarray(float(v)) for k, v in values.items()}
        near(first_step(given, params, grads[0]), updates_of(make(name, **values), 1)[0], ULPS)
    assert first_step._cache_size() == 1


@tuned
def test_vmap_over_hyperparameters(name):
    constants, later = has_hypers(name), nudged(name)
    params, grads = problem("float64", SHAPES, 2)

    def train(values):
        tx = make(name, **values)
        return run(step(tx), tx.init(params), params, grads)[0]

    both = {k: jnp.asarray([float(v), float(later[k])]) for k, v in constants.items()}
    found = jax.vmap(train)(both)
    for i in range(2):
        expected = train({k: v[i] for k, v in both.items()})
        near(jax.tree.map(lambda x, i=i: x[i], found), expected, ULPS)


@tuned
def test_derivative_with_respect_to_hyperparameters(name):
    constants = has_hypers(name)
    params, grads = problem("float64", SHAPES, 2)

    def end(values):
        tx = make(name, **values)
        after, _ = run(step(tx), tx.init(params), params, grads)
        return sum(jnp.sum(jnp.cos(x)) for x in jax.tree.leaves(after))

    given = {k: jnp.asarray(float(v)) for k, v in constants.items()}
    if declares(name, "no_derivative"):
        pytest.skip("declares that it has no derivative")
    for slope in jax.tree.leaves(jax.grad(end)(given)):
        assert jnp.isfinite(slope)


def test_extras_reach_everyone():
    tx = make("scale_by_adam")
    params, grads = problem("float64", SHAPES, 1)
    assert extras(tx, params, grads[0]) == {}
