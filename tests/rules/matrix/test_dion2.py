"""Dion2: its paper in NumPy, Muon at the whole fraction, its leaves, and a mesh."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import gradchain as gc
from gradchain import testing
from gradchain.math import numerics, rounding
from tests.reference import dion as reference
from tests.rules.steps import close, draw, problem, stack_is_layers, take

P = PartitionSpec
NS = (3.4, -4.7, 2.0)
ODD = {"learning_rate": 0.03, "fraction": 0.35, "beta": 0.8, "eps": 1e-2, "weight_decay": 0.4}


def newton_schulz(x):
    """Four steps with the coefficients NS, as Muon's article has them."""
    a, b, c = NS
    x = x / (np.linalg.norm(x) + 1e-2)
    for _ in range(4):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


@pytest.mark.parametrize("selection", ["largest", "random"])
@pytest.mark.parametrize("shape", [(8, 6), (5, 9), (6, 6)])
def test_the_paper(shape, selection: str, x64):
    params, grads = problem({"kernel": shape}, 6, "float64")
    tx = gc.dion2(**ODD, ns_coeffs=NS, ns_steps=4, selection=selection, seed=7)
    like, salt = jnp.zeros((min(shape), 1), jnp.float32), rounding.word("kernel")
    scores = [numerics.normal(7, jnp.int32(t), salt, like)[:, 0] for t in range(1, 7)]
    expected = reference.dion2(
        np.asarray(params["kernel"]).T, [np.asarray(g["kernel"]).T for g in grads], newton_schulz,
        0.03, 0.35, 0.8, 0.4, np.asarray(scores) if selection == "random" else None,
    )  # fmt: skip
    state, step, x = tx.init(params), jax.jit(tx.step), params
    for g, (want, m) in zip(grads, expected, strict=True):
        x, state = step(g, state, x)
        close(x["kernel"], want.T, 1e-10)
        close(state["dion2"]["scale_by_dion2"].mu["kernel"], m.T, 1e-10)


def test_every_hyperparameter_matters(x64):
    params, grads = problem({"kernel": (6, 8)}, 3, "float64")

    def run(tx):
        return dict(enumerate(u["kernel"] for u in take(tx, params, grads).updates))

    testing.sensitive({"dion2": ODD}, run, 1e-10)


def test_of_all_rows_it_is_muon():
    """Muon of the sum of gradients, which for its norm is that of the mean."""
    params, grads = problem({"kernel": (4, 7)}, 3)
    found = take(gc.scale_by_dion2(1.0, 0.9, 0.0), params, grads).updates
    expected = take(gc.scale_by_muon("dion", beta=0.9, eps=0.0, nesterov=False), params, grads).updates
    close(found, expected, 1e-4)


def test_leaves():
    stack_is_layers(gc.dion2(0.1, 0.5), (3, 4, 6))
    tx = gc.scale_by_dion2(0.5)
    g = draw({"query/kernel": (9, 2, 3)})  # one matrix of nine rows and six columns
    u = take(tx, g, [g]).updates[0]["query/kernel"]
    assert np.sum(np.any(np.reshape(u, (9, 6)) != 0, 0)) == 3
    vector = {"bias": jnp.arange(1.0, 5.0)}  # a matrix of one row
    assert take(gc.scale_by_dion2(), vector, [vector]).updates[0]["bias"].all()


@pytest.mark.parametrize("selection", ["largest", "random"])
def test_eight_devices(selection: str):
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(AxisType.Explicit,) * 2)
    at = NamedSharding(mesh, P(None, "model", "data"))
    params, grads = draw({"kernel": (3, 8, 16)}), draw({"kernel": (3, 8, 16)}, 1)
    tx = gc.scale_by_dion2(0.3, selection=selection)
    want = take(tx, params, [grads])
    here, g = ({"kernel": jax.device_put(x["kernel"], at)} for x in (params, grads))
    u, state = jax.jit(tx.update)(g, gc.init(tx, here), here)
    close(u, want.updates[0], 1e-5)
    close(state["scale_by_dion2"].mu, want.state["scale_by_dion2"].mu)
    assert u["kernel"].sharding == at
