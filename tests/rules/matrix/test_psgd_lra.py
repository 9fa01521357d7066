"""PSGD-LRA: its rule in NumPy with the same noise, what it converges to, and a mesh."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import gradchain as gc
from gradchain import testing
from gradchain.math import numerics, rounding
from tests.reference import psgd as reference
from tests.rules.steps import close, draw, problem, take

SHAPES = {"b": (3,), "w": (4, 2)}
ODD = {
    "learning_rate": 0.03,
    "rank": 2,
    "b1": 0.8,
    "precond_learning_rate": 0.3,
    "update_probability": 0.5,
    "weight_decay": 0.4,
}


def flat(tree, rank=None):
    """The leaves one after another; of vectors [rank, *shape] as columns."""
    arrays = [np.asarray(tree[k], np.float64) for k in sorted(tree)]
    if rank is None:
        return np.concatenate([x.ravel() for x in arrays])
    return np.concatenate([x.reshape(rank, -1).T for x in arrays])


def noise(path: str, t: int, shape):
    return np.asarray(numerics.normal(3, jnp.int32(t), rounding.word(path), jnp.zeros(shape)))


def test_the_rule(x64):
    params, grads = problem(SHAPES, 6, "float64")
    tx = gc.psgd_lra(**ODD, init_scale=1.7, seed=3)
    state, step, x = tx.init(params), jax.jit(tx.step), params
    link = state["scale_by_psgd_lra"]
    u, v, d, sizes = flat(link.left, 2), flat(link.right, 2), flat(link.diagonal), np.zeros(3)
    assert np.all(d == 1.7)
    np.testing.assert_allclose([np.sum(y**2) for y in link.left.values()], 1, rtol=1)
    want, m = flat(params), 0
    for t, g in enumerate(grads, 1):
        m = 0.8 * m + 0.2 * flat(g)
        mean, whole = m / (1 - 0.8**t), (np.eye(len(d)) + u @ v.T) @ np.diag(d)
        want = want - 0.03 * (whole.T @ whole @ mean + 0.4 * want)
        if t % 2 == 0:
            drawn = np.concatenate([noise(k, t, s).ravel() for k, s in SHAPES.items()])
            coin = noise("/coin", t, ()) > 0
            u, v, d, sizes = reference.fitted_lra(u, v, d, sizes, mean, drawn, 0.3, coin)
        x, state = step(g, state, x)
        link = state["scale_by_psgd_lra"]
        close(flat(x), want, 1e-10)
        close((flat(link.left, 2), flat(link.right, 2), flat(link.diagonal)), (u, v, d), 1e-10)
        close(link.sizes, np.asarray(sizes), 1e-10)


@pytest.mark.slow
def test_every_hyperparameter_matters(x64):
    params, grads = problem(SHAPES, 4, "float64")

    def run(tx):
        return dict(enumerate(u["w"] for u in take(tx, params, grads).updates))

    testing.sensitive({"psgd_lra": ODD}, run, 1e-10)


@pytest.mark.slow
def test_whitened():
    """Gradients with a covariance that is a diagonal and one direction more: updates have covariance 1."""
    rng = np.random.default_rng(0)
    mix = np.diag(np.geomspace(0.5, 2, 6)) + 0.8 * np.outer(*rng.standard_normal((2, 6)))
    zs = jnp.asarray(rng.standard_normal((20000, 6)), jnp.float32)
    tx = gc.scale_by_psgd_lra(6, 0.0, gc.polynomial_schedule(0.3, 0.002, 1.0, 15000), init_scale=0.5)
    params = {"w": jnp.zeros(6)}

    def step(state, z):
        u, state = tx.update({"w": mix @ z}, state, params)
        return state, u["w"]

    _, us = jax.lax.scan(step, tx.init(params), zs)
    np.testing.assert_allclose(np.cov(us[15000:].T), np.eye(6), atol=0.15)


def test_eight_devices():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Explicit,))
    at = {k: NamedSharding(mesh, PartitionSpec("data")) for k in ("a", "b")}
    params, grads = (draw({"a": (8, 3), "b": (16,)}, i) for i in (0, 1))
    tx = gc.scale_by_psgd_lra(2)
    want = take(tx, params, [grads, grads])
    here, g = ({k: jax.device_put(x, at[k]) for k, x in tree.items()} for tree in (params, grads))
    state, step = gc.init(tx, here), jax.jit(tx.update)
    assert state["scale_by_psgd_lra"].left["a"].sharding.spec[:2] == (None, "data")
    for _ in range(2):
        u, state = step(g, state, here)
    close(u, want.updates[1], 1e-4)
