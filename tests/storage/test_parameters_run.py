"""Parameters in 16 bits, however the step is run: compiled, sharded, resumed, mixed with others, in Flax."""

import contextlib
import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from narrow import LINKS, PAIRS, every, every_pair, normal, same, tree_of, wide

import gradchain as gc


@every_pair
def test_eager_jit_and_scan_give_the_same_bits(link, dtype):
    params, updates = (
        tree_of(dtype),
        [jax.tree.map(lambda x: 0.01 * x, tree_of("float32", seed=i)) for i in range(1, 4)],
    )

    def run(step):
        p, s = params, link.init(params)
        for u in updates:
            p, s = step(u, s, p)
        return p, s

    eager = run(link.step)
    with jax.disable_jit():
        same(run(link.step), eager)
    same(run(jax.jit(link.step)), eager)
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *updates)
    scanned = jax.jit(lambda *c: jax.lax.scan(lambda c, u: (link.step(u, c[1], c[0]), None), c, stacked)[0])
    same(scanned(params, link.init(params)), eager)


@every_pair
@pytest.mark.parametrize("axes", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def test_every_sharding_gives_the_same_bits(link, dtype, axes):
    tx = gc.chain(gc.sgd(1e-2), link)
    params, grads = tree_of(dtype), [tree_of(dtype, seed=i) for i in range(1, 4)]

    def run(put):
        p, step = put(params), jax.jit(tx.step)
        s = tx.init(p)
        for g in grads:
            p, s = step(put(g), s, p)
        for x, y in zip(jax.tree.leaves(p), jax.tree.leaves(put(params)), strict=True):
            assert x.sharding.is_equivalent_to(y.sharding, x.ndim)
        return jax.tree.map(np.asarray, (p, s))

    expected = run(lambda t: t)
    for shape, kernel, bias in [((8, 1), P("data"), P("data")), ((2, 4), P("data", "model"), P("model"))]:
        mesh = jax.make_mesh(shape, ("data", "model"), axis_types=(axes, axes))
        places = {"dense": {"kernel": NamedSharding(mesh, kernel), "bias": NamedSharding(mesh, bias)}}
        with jax.set_mesh(mesh) if axes is AxisType.Explicit else contextlib.nullcontext():
            same(run(functools.partial(jax.device_put, device=places)), expected)


@every_pair
def test_resuming_is_continuing(link, dtype):
    tx = gc.chain(gc.adamw(1e-2), link)
    params, grads = tree_of(dtype), [tree_of(dtype, seed=i) for i in range(1, 7)]
    state, step = tx.init(params), jax.jit(tx.step)
    for i, g in enumerate(grads):
        if i == 3:
            saved = pickle.dumps(jax.tree.map(np.asarray, (params, state)))
        params, state = step(g, state, params)
    again, kept = jax.tree.map(jnp.asarray, pickle.loads(saved))
    for g in grads[3:]:
        again, kept = step(g, kept, again)
    same((again, kept), (params, state))


# Which parameters ------------------------------------------------------------------------------------------


@every
def test_wider_parameters_pass_through(link, x64):
    """In one tree with narrow ones: their updates as they come, nothing in the state."""
    params = {
        "double": jnp.ones(3, jnp.float64),
        "narrow": jnp.ones((3, 2), jnp.bfloat16),
        "phase": jnp.ones(3, jnp.complex64),
        "single": jnp.ones(3, jnp.float32),
    }
    updates = jax.tree.map(lambda p: jnp.full(p.shape, 1e-5, jnp.promote_types(p.dtype, jnp.float32)), params)
    state = link.init(params)
    found, after = jax.jit(link.update)(updates, state, params)
    for name in ("double", "phase", "single"):
        np.testing.assert_array_equal(found[name], updates[name])
    assert jax.tree.map(lambda x: (x.shape, x.dtype), after) == jax.tree.map(
        lambda x: (x.shape, x.dtype), state
    )
    for field, kept in state[link.name]._asdict().items():
        if field != "count":
            assert kept["narrow"].shape == (3, 2)
            assert all(kept[name].shape == () for name in ("double", "phase", "single"))


def test_what_the_state_costs():
    params = {"w": jnp.ones((64, 64), jnp.bfloat16)}
    cost = {
        name: sum(x.nbytes for x in jax.tree.leaves(link.init(params)) if x.ndim) / 64**2
        for name, link in LINKS.items()
    }
    assert cost == {
        "round_stochastically": 0,
        "kahan": 2,
        "master_weights": 4,
        "split_weights": 2,
        "split_weights(8)": 1,
    }


@every
def test_gradients_of_another_dtype(link, x64):
    tx = gc.chain(gc.sgd(1e-2), link)
    params = tree_of()
    for dtype in ("float32", "float64"):
        state = tx.init(params)
        after, new = jax.jit(tx.step)(tree_of(dtype, seed=1), state, params)
        for x, p in zip(jax.tree.leaves(after), jax.tree.leaves(params), strict=True):
            assert x.dtype == p.dtype and np.all(np.abs(wide(x) - wide(p)) < 0.1) and np.any(x != p)
        assert jax.tree.map(lambda x: x.dtype, new) == jax.tree.map(lambda x: x.dtype, state)


@pytest.mark.parametrize("link", [gc.kahan(), gc.master_weights(), gc.split_weights()])
def test_other_narrow_dtypes_are_refused(link):
    params = {"layer": {"kernel": jnp.ones((4, 4), jnp.float8_e4m3fn)}}
    with pytest.raises(ValueError, match=f"{link.name}: the parameter 'layer/kernel' is float8_e4m3fn"):
        link.init(params)


@every
def test_nothing_stands_after_them(link):
    with pytest.raises(ValueError, match=f"{link.name} rounds the parameters and must be the last link"):
        gc.chain(gc.accumulate(gc.chain(gc.sgd(0.1), link), 2), gc.clip(1.0))


@every
def test_parameters_are_needed(link):
    params = tree_of()
    with pytest.raises(ValueError, match=f"{link.name} needs the parameters"):
        link.update(params, link.init(params))


@pytest.mark.parametrize("factory", [gc.round_stochastically, gc.kahan, gc.split_weights])
def test_seed_is_a_whole_number(factory):
    with pytest.raises(TypeError, match=f"{factory.__name__}: seed is .*expected a whole number"):
        factory(seed=0.5)


def test_parameters_set_from_outside_win():
    """A copy or compensation of what the parameter was before is not brought back."""
    for link in (gc.master_weights(), gc.kahan()):
        tx = gc.chain(gc.sgd(1e-3), link)
        params = jnp.full((512,), 300.0, jnp.bfloat16)
        state = tx.init(params)
        for _ in range(3):
            params, state = tx.step(jnp.ones(512), state, params)
        given = jnp.full((512,), 1e-3, jnp.bfloat16)
        params, state = tx.step(jnp.zeros(512), state, given)
        same(params, given)
        params, _ = tx.step(jnp.ones(512), state, params)
        np.testing.assert_allclose(wide(params), wide(given) - 1e-3, atol=1e-5)


def test_codecs_leave_them_alone():
    """stored() may keep the moments in 8 bits; what makes parameters exact stays as it is."""
    params = {"w": normal(64, 64)}
    for link in (gc.master_weights(), gc.split_weights(), gc.kahan()):
        tx = gc.stored(gc.chain(gc.scale_by_adam(), link), "log8", min_size=0)
        state, bare = tx.init(params), link.init(params)
        same(state[link.name], bare[link.name])
        assert state["scale_by_adam"].nu["w"].dtype == jnp.uint8


# In Flax ---------------------------------------------------------------------------------------------------


class Model(nnx.Module):
    def __init__(self):
        rngs = nnx.Rngs(0)
        self.up = nnx.Linear(8, 32, rngs=rngs)
        self.down = nnx.Linear(32, 1, rngs=rngs)

    def __call__(self, x):
        return self.down(nnx.relu(self.up(x)))


def fit(tx, narrow, dtype, steps):
    """The loss of a small regression before and after training with nnx.Optimizer, and the optimizer.

    Parameters of `dtype` start with what the narrow dtype holds, and so do all.
    """
    model = Model()
    nnx.update(model, jax.tree.map(lambda p: p.astype(narrow).astype(dtype), nnx.state(model)))
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    x = normal(64, 8, dtype="float32")
    y = jnp.sin(x.sum(1, keepdims=True))

    def loss(model):
        return jnp.mean(jnp.square(model(x.astype(dtype)).astype(jnp.float32) - y))

    @nnx.jit
    def step(model, optimizer):
        value, grads = nnx.value_and_grad(loss)(model)
        optimizer.update(model, grads)
        return value

    before = float(loss(model))
    for _ in range(steps):
        step(model, optimizer)
    return before, float(loss(model)), model, optimizer


RATES = {"bfloat16": (2e-4, 300), "float16": (2e-5, 800)}


@functools.cache
def controls(narrow):
    """Where training goes with float32 parameters, and with plain narrow ones."""
    rate, steps = RATES[narrow]
    first, exact, *_ = fit(gc.adam(rate), narrow, "float32", steps)
    return first, exact, fit(gc.adam(rate), narrow, narrow, steps)[1]


SLOW = [
    pytest.param(*p.values, id=p.id, marks=pytest.mark.slow) if p.values[1] == "float16" else p for p in PAIRS
]


@pytest.mark.parametrize("link, dtype", SLOW)
def test_nnx_optimizer(link, dtype):
    """At a rate at which plain narrow parameters fall behind, training goes on as with float32."""
    rate, steps = RATES[dtype]
    first, exact, plain = controls(dtype)
    _, found, model, optimizer = fit(gc.chain(gc.adam(rate), link), dtype, dtype, steps)
    assert abs(found - exact) < 0.05 * (first - exact) < 0.2 * (plain - exact)
    assert all(x.dtype == dtype for x in jax.tree.leaves(nnx.state(model)))
    assert int(gc.metrics(optimizer)["step"]) == steps
