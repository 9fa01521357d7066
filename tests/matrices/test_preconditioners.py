"""The engine on a mesh of eight devices: the numbers of one, factors split, whole matrices carried."""

import re
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import gradchain as gc

P = PartitionSpec
QR = re.compile(r"custom_call @\w*geqrf\w*\(.*?tensor<([\dx]+)xf32>")
COLLECTIVE = re.compile(r" (all-[a-z-]+?|reduce-scatter|collective-[a-z-]+?|ragged-[a-z-]+?)(?:-start)?\(")
LEAVES = {
    "up/kernel": ((16, 32), P("data")),
    "down/kernel": ((32, 16), P(None, "data")),
    "layers/kernel": ((8, 16, 16), P("data")),  # a layer on each device
    "other/kernel": ((3, 16, 16), P(None, "data")),
    "norm/bias": ((16,), P("data")),
}


def drawn(mesh, t: int):
    rng = np.random.default_rng(t)
    plain = {k: jnp.asarray(rng.standard_normal(s), jnp.float32) for k, (s, _) in LEAVES.items()}
    return plain, {k: jax.device_put(x, NamedSharding(mesh, LEAVES[k][1])) for k, x in plain.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["soap", "shampoo"])
def test_on_a_mesh(name):
    """Nothing but all-to-all moves; every factor is split over the mesh, and no number is another."""
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Explicit,))
    tx = {"soap": gc.scale_by_soap, "shampoo": gc.scale_by_shampoo}[name](precondition_frequency=3)
    plain, params = drawn(mesh, 0)
    alone, state = tx.init(plain), tx.init(params)
    entry = state[f"scale_by_{name}"]
    for field in ("left", "right"):
        for path in ("up/kernel", "down/kernel", "layers/kernel", "other/kernel"):
            x = getattr(entry, field)[path]
            assert x.addressable_shards[0].data.size == x.size // 8, (field, path)
    one = jax.jit(tx.update)
    many = jax.jit(tx.update).lower(params, state, params).compile()
    assert set(Counter(COLLECTIVE.findall(many.as_text()))) == {"all-to-all"}
    for t in range(1, 6):
        g, spread = drawn(mesh, t)
        expected, alone = one(g, alone, plain)
        found, state = many(spread, state, params)
        for path, u in found.items():
            np.testing.assert_allclose(u, expected[path], atol=2e-5, err_msg=f"{t} {path}")


def test_only_due_slices_are_worked_on():
    """Of a stack of 12 layers, three in each of four steps; of the others every bit stays."""
    tx = gc.scale_by_soap(precondition_frequency=4)
    params = {"kernel": jnp.zeros((12, 6, 6))}
    state, update = tx.init(params), jax.jit(tx.update)
    rng = np.random.default_rng(0)
    for t in range(1, 10):
        g = {"kernel": jnp.asarray(rng.standard_normal((12, 6, 6)), jnp.float32)}
        before = np.asarray(state["scale_by_soap"].left_basis["kernel"])
        _, state = update(g, state, params)
        moved = (np.asarray(state["scale_by_soap"].left_basis["kernel"]) != before).reshape(12, -1).any(1)
        due = np.arange(12) % 4 == (t - 1) % 4
        np.testing.assert_array_equal(moved, due if t > 1 else True)
    text = update.lower(g, state, params).as_text()
    assert QR.findall(text) == ["1x6x6"]  # called for left and right, one slice at a time


def shapes_and_gradients():
    """Leaves that have matrices of one shape, stacked or not."""
    shapes = {"a/kernel": (4, 6), "b/kernel": (4, 6), "c/kernel": (3, 4, 6), "d/kernel": (5, 5)}
    rng = np.random.default_rng(0)
    return [
        {k: jnp.asarray(rng.standard_normal(s), jnp.float32) for k, s in shapes.items()} for _ in range(5)
    ]


def test_one_decomposition_of_a_shape():
    """However many leaves have matrices of it. That eager steps give the same numbers is a law."""
    tx, (g, *_) = gc.scale_by_soap(precondition_frequency=3), shapes_and_gradients()
    lowered = jax.jit(tx.update).lower(g, jax.eval_shape(tx.init, g))
    assert sorted(QR.findall(lowered.as_text())) == ["1x4x4", "1x5x5", "1x6x6"]


@pytest.mark.slow
def test_matrices_decomposed_together_in_eager_steps():
    tx, drawn = gc.scale_by_soap(precondition_frequency=3), shapes_and_gradients()
    update, state = jax.jit(tx.update), tx.init(drawn[0])
    eager = state
    for g in drawn:
        found, state = update(g, state)
        expected, eager = tx.update(g, eager)
        for path, u in expected.items():
            np.testing.assert_allclose(found[path], u, atol=2e-5, err_msg=path)


@pytest.mark.parametrize("bad", [{"block_size": 1}, {"max_precond_dim": 0}, {"precondition_frequency": 0}])
def test_refused(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))} is"):
        gc.soap(0.1, **bad)


def test_a_tunable_hyperparameter_on_explicit_axes_is_named():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Explicit,))
    params = {"kernel": jax.device_put(jnp.ones((16, 16)), NamedSharding(mesh, P("data")))}
    tx = gc.scale_by_shampoo(b2=gc.tunable(0.9))
    with pytest.raises(NotImplementedError, match="'kernel' takes a scheduled or tunable hyperparameter"):
        jax.eval_shape(lambda p: tx.update(p, tx.init(p), p), params)
