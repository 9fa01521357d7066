"""One algorithm, whichever way it is run: eager, jitted, scanned, donated, in one call or in two."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest
from law import (
    compilations,
    declares,
    dtypes,
    every,
    extras,
    kinds,
    make,
    near,
    per_leaf,
    problem,
    run,
    same_bits,
    step,
    transform,
    update,
)

import gradchain as gc
from gradchain.core.versions import jaxprs_in

# XLA contracts a multiplication and an addition into one where it fuses them, and adds in another order.
ULPS = 4  # of an elementwise kernel
REDUCED = 64  # of a transform that takes norms, roots of matrices, or scalars of the whole tree
PER_LEAF = 16  # equations that one more leaf may cost


def bound(name: str) -> int:
    """In units in the last place of a leaf's largest entry."""
    return ULPS if per_leaf(make(name).body) and not declares(name, "matrices") else REDUCED


@every
def test_eager_jit_and_scan_agree(name):
    tx = make(name)
    params, grads = problem()
    eager = run(step(tx), tx.init(params), params, grads)

    jitted = jax.jit(step(tx))
    found = run(jitted, tx.init(params), params, grads)
    assert jitted._cache_size() == compilations(name), "the state that comes out is compiled for again"

    @jax.jit
    def scanned(params, state, grads):
        do = step(tx)
        return jax.lax.scan(lambda c, g: (do(g, c[1], c[0]), None), (params, state), grads)[0]

    stacked = jax.tree.map(lambda *x: jnp.stack(x), *grads)
    rolled = scanned(params, tx.init(params), stacked)
    near(found, eager, bound(name))
    near(rolled, eager, bound(name))


@pytest.mark.slow
@every
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_eager_jit_and_scan_agree_in(name, dtype, x64):
    """A parameter that is rounded the other way takes its state along: all in units of its dtype."""
    if dtype not in dtypes(name):
        pytest.skip("declares that it takes no float16")
    tx = make(name)
    params, grads = problem(dtype)
    eager = run(step(tx), tx.init(params), params, grads)
    assert kinds(eager[0]) == kinds(params)
    near(run(jax.jit(step(tx)), tx.init(params), params, grads), eager, bound(name), dtype)
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *grads)
    scanned = jax.jit(lambda *c: jax.lax.scan(lambda c, g: (step(tx)(g, c[1], c[0]), None), c, stacked)[0])
    near(scanned(params, tx.init(params)), eager, bound(name), dtype)


@every
def test_step_is_update_and_apply(name):
    tx = make(name)
    params, grads = problem()
    state = tx.init(params)
    for g in grads:
        updates, after = update(tx)(g, state, params)
        expected = gc.apply_updates(params, updates)
        found, state = step(tx)(g, state, params)
        assert kinds(found) == kinds(expected) == kinds(params)
        near(found, expected, bound(name))
        near(state, after, bound(name))
        params = found


@every
def test_donated_buffers(name):
    tx = make(name)
    params, grads = problem()
    state = tx.init(params)
    expected = run(step(tx), state, params, grads)
    buffers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves((params, state))]
    assert len(set(buffers)) == len(buffers), "two leaves of the state and parameters share a buffer"

    def train(params, state, grads):  # donated in the order in which they are returned
        return step(tx)(grads, state, params)

    donated = jax.jit(train, donate_argnums=(0, 1))
    for g in grads:
        old = [
            x for x in jax.tree.leaves((params, state)) if x.size > 1
        ]  # jit drops a scalar that is only written
        params, state = donated(params, state, g)
        assert all(x.is_deleted() for x in old), "a buffer was not given up"
    near((params, state), expected, bound(name))


@every
def test_abstract_init_is_init(name):
    tx = make(name)
    params, _ = problem()
    real = tx.init(params)
    assert kinds(jax.eval_shape(tx.init, params)) == kinds(real)
    jitted = jax.jit(tx.init)(params)
    assert kinds(jitted) == kinds(real)
    same_bits(jitted, real)
    described = jax.tree.map(lambda s: s.abstract(), tx.slots(params))
    assert kinds(described) == kinds(real)
    abstract = jax.eval_shape(lambda: params)
    assert kinds(jax.tree.map(lambda s: s.abstract(), tx.slots(abstract))) == kinds(real)


def equations(jaxpr, seen: set[int]) -> int:
    """How many equations a program has to be traced and lowered, one that is called twice counted once."""
    count = len(jaxpr.eqns)
    for eqn in jaxpr.eqns:
        for inner in jaxprs_in(eqn):
            if id(inner) not in seen:
                seen.add(id(inner))
                count += equations(inner, seen)
    return count


def traced(tx: gc.Transform, copies: int) -> tuple[int, int]:
    """The distinct programs and the equations of a step on so many copies of two leaves."""
    shapes = {f"layer{i}": {"kernel": (4, 3), "bias": (3,)} for i in range(copies)}
    params, (grads,) = problem(shapes=shapes, steps=1)
    seen: set[int] = set()
    count = equations(jax.make_jaxpr(step(tx))(grads, tx.init(params), params).jaxpr, seen)
    return len(seen), count


@every
def test_one_trace_per_shape(name):
    few, many = traced(make(name), 2), traced(make(name), 6)
    assert many[0] == few[0], "a kernel is traced once per leaf, not once per shape"
    assert (many[1] - few[1]) / 8 <= PER_LEAF, "equations outside of kernels, for every leaf"


def test_tracing_each_leaf_is_seen():
    def loop(updates, params):
        return jax.tree.map(jax.jit(lambda g: jnp.sin(g)), updates)

    def fresh(updates, params):
        return jax.tree.map(lambda g: jax.jit(lambda g: jnp.sin(g))(g), updates)

    def built(update):
        return transform.make(
            dataclasses.replace(gc.REGISTRY["identity"], fn=lambda: gc.treewise(None, update)), (), {}
        )

    assert traced(built(loop), 6)[0] == traced(built(loop), 2)[0]
    assert traced(built(fresh), 6)[0] > traced(built(fresh), 2)[0]


@every
def test_halves_run_separately(name):
    tx = make(name)
    if not per_leaf(tx.body):
        pytest.skip("leaves of this transform know of each other")
    params, grads = problem()
    expected, _ = run(step(tx), tx.init(params), params, grads)
    found = {}
    for part in params["dense"]:  # the path stays, and with it the leaf's axes and noise
        half = {"dense": {part: params["dense"][part]}}
        own = [{"dense": {part: g["dense"][part]}} for g in grads]
        after, _ = run(step(tx), tx.init(half), half, own)
        found |= after["dense"]
    same_bits({"dense": found}, expected)


@every
def test_vmap_over_models(name):
    """Several models of one shape train at once, each with its state, as they would alone."""
    tx = make(name)
    several = [problem(steps=2, size=1.0 + i) for i in range(2)]
    expected = [run(step(tx), tx.init(params), params, grads) for params, grads in several]
    params, grads = jax.tree.map(lambda *x: jnp.stack(x), *several)
    train = jax.jit(jax.vmap(lambda params, *grads: run(step(tx), tx.init(params), params, grads)))
    found = train(params, *grads)
    for i, alone in enumerate(expected):
        one = jax.tree.map(lambda x, i=i: x[i], found)
        near(one, alone, bound(name))


@every
def test_update_leaves_its_arguments_alone(name):
    tx = make(name)
    params, grads = problem(steps=1)
    state = tx.init(params)
    before = jax.tree.map(jnp.copy, (grads[0], state, params))
    tx.step(grads[0], state, params, **extras(tx, params, grads[0]))
    same_bits((grads[0], state, params), before)
