"""zero: the numbers of the optimizer that it wraps, on any mesh and stage; what cannot be split is said."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

import gradchain as gc
from gradchain.core import place

SHAPES = {
    "embedding": (64, 32),
    "layers": {"kernel": (2, 32, 48), "bias": (2, 48)},  # stacked for a scan
    "out": {"kernel": (48, 16)},
    "scale": (32,),
}

SAID = {"embedding": ("model",), "layers/kernel": (None, None, "model"), "out/kernel": ("model", None)}
MESHES = {"data": (8,), "data0 data1": (4, 2), "data model": (4, 2), "data0 data1 model": (2, 2, 2)}
# XLA for CPU makes one of two products and their sum a fused multiply-add, or none, as the loop's shape has
# it: on another mesh another one. With these hyperparameters and gradients of 8 bits, products are exact.
HALVES = {"b1": 0.5, "b2": 0.5, "weight_decay": 2**-6}
EXACT = {
    "adamw": lambda: gc.adamw(2**-7, **HALVES),
    "lion": lambda: gc.lion(2**-7, **HALVES),
    "stored adamw": lambda: gc.stored(gc.adamw(2**-7, **HALVES), "log8", min_size=0),
    "partition": lambda: gc.partition(
        {"a": gc.adamw(2**-7, **HALVES), "b": gc.sgd(2**-3)}, {"**/bias": "b", "**": "a"}
    ),
    "offloaded": lambda: gc.offload(gc.adamw(2**-7, **HALVES), min_size=0, group_bytes=4096),
}
NEAR = {  # reductions over devices add in another order
    "adafactor": lambda: gc.adafactor(1e-2, min_dim_size_to_factor=8),
    "clip": lambda: gc.chain(gc.clip_by_global_norm(0.5), gc.adamw(1e-2)),
    "lamb": lambda: gc.lamb(1e-2),
    "accumulate": lambda: gc.accumulate(gc.adamw(1e-2), 2),
}
ONCE = (("data", True), ("data model", False))  # of all meshes and kinds, in the quick suite
KINDS = ("auto", "explicit")
QUICK = (("adamw", "stored adamw", "adafactor", "clip"), ("stored adamw", "adafactor"))  # of either kind


def random(seed, dtype=jnp.float32):
    rng = np.random.default_rng(seed)
    draw = lambda shape: jnp.asarray(rng.standard_normal(shape), jnp.bfloat16).astype(dtype)  # noqa: E731
    return jax.tree.map(draw, SHAPES, is_leaf=lambda x: isinstance(x, tuple))


def mesh_of(axes, explicit):
    kind = AxisType.Explicit if explicit else AxisType.Auto
    return jax.make_mesh(MESHES[axes], tuple(axes.split()), axis_types=(kind,) * len(MESHES[axes]))


def said(mesh):
    return SAID if "model" in mesh.axis_names else None


def put(tree, mesh):
    """Parameters, or gradients, as a model has them: split over "model" where the mesh has it."""

    def one(path, x):
        spec = (said(mesh) or {}).get(path, ())
        return jax.device_put(x, place.at(mesh, place.split_of(spec, x.ndim)))

    return gc.tree.map_paths(one, tree)


def run(tx, params, grads, jit=True):
    """The parameters and the state after the gradients, and how often the step was compiled."""
    state = gc.init(tx, params)
    step = lambda params, state, grads: tx.step(grads, state, params)  # noqa: E731
    step = jax.jit(step) if jit else step
    for g in grads:
        params, state = step(params, state, g)
    return params, state, step._cache_size() if jit else 1


def assert_same(found, expected, rtol=0.0):
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert x.dtype == y.dtype and x.shape == y.shape
        if not rtol or not jnp.issubdtype(x.dtype, jnp.inexact):
            np.testing.assert_array_equal(np.asarray(x), np.asarray(y))
        else:
            x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
            np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * np.abs(y).max())


@functools.cache
def alone(make, dtype):
    """The parameters and the state of the optimizer by itself, on one device."""
    return run(make(), random(0, dtype), [random(1 + i, dtype) for i in range(3)])


def check(make, mesh, rtol, stage=1, dtype=jnp.float32, jit=True):
    params, grads = random(0, dtype), [random(1 + i, dtype) for i in range(3)]
    expected, state, _ = alone(make, dtype)
    tx = gc.zero(make(), stage=stage, specs=said(mesh), min_size=0)
    there = put(params, mesh)
    homes = gc.layout(tx, there).params
    there = jax.tree.map(jax.device_put, there, homes)
    found, split, compilations = run(tx, there, [put(g, mesh) for g in grads], jit)
    assert_same(found, expected, rtol)
    assert_same(split, state, rtol)
    assert compilations == 1
    if jit:
        assert jax.tree.map(lambda x: x.sharding, found) == homes
        assert jax.tree.map(lambda x: x.sharding, split) == gc.layout(tx, there).shardings()


@pytest.mark.parametrize(
    "name, explicit",
    [
        pytest.param(n, x, marks=() if n in QUICK[x] else pytest.mark.slow, id=f"{n}-{KINDS[x]}")
        for n in (*EXACT, *NEAR)
        for x in (False, True)
    ],
)
def test_equal_to_the_optimizer(name, explicit):
    rtol = 0.0 if name in EXACT else 3e-6
    check((EXACT | NEAR)[name], mesh_of("data0 data1 model", explicit), rtol)


@pytest.mark.parametrize(
    "axes, explicit",
    [
        pytest.param(axes, x, marks=() if (axes, x) in ONCE else pytest.mark.slow, id=f"{axes}-{KINDS[x]}")
        for axes in ("data", "data0 data1", "data model")
        for x in (False, True)
    ],
)
def test_on_any_mesh(axes, explicit):
    check(NEAR["clip"], mesh_of(axes, explicit), 3e-6)
    check(NEAR["adafactor"], mesh_of(axes, explicit), 3e-6)


@pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
def test_projections_of_square_matrices(explicit):
    """Their sides are told apart by the leaf, not by its pieces; a side of 3 is on no axis of 8."""
    draw = lambda i: {"kernel": jax.random.normal(jax.random.key(i), (16, 16))}  # noqa: E731
    params, grads, mesh = draw(0), [draw(1), draw(2)], mesh_of("data", explicit)
    for make in (lambda: gc.galore(1e-2, 3), lambda: gc.fira(1e-2, 3)):
        expected, state, _ = run(make(), params, grads)
        tx = gc.zero(make(), min_size=0)
        there = jax.tree.map(jax.device_put, params, gc.layout(tx, put(params, mesh)).params)
        found, split, _ = run(tx, there, [put(g, mesh) for g in grads])
        assert_same(found, expected, 1e-4)
        assert split["scale_by_adam"].mu["kernel"].shape == state["scale_by_adam"].mu["kernel"].shape


@pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
@pytest.mark.parametrize("stage", [2, 3])
def test_stages(stage, explicit):
    check(EXACT["adamw"], mesh_of("data0 data1 model", explicit), 0.0, stage)


@pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
def test_bfloat16_parameters_with_a_float32_master(explicit):
    make = lambda: gc.chain(gc.adamw(2**-7, **HALVES), gc.master_weights())  # noqa: E731
    check(make, mesh_of("data model", explicit), 0.0, dtype=jnp.bfloat16)


@pytest.mark.parametrize(
    "explicit", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["auto", "explicit"]
)
def test_eager(explicit):
    check(NEAR["adafactor"], mesh_of("data model", explicit), 3e-6, jit=False)
