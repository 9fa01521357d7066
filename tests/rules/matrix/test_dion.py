"""Dion: its paper in NumPy, its identities, its leaves, storage, and what it sends over a mesh."""

import math
from collections import defaultdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import gradchain as gc
from gradchain import testing
from gradchain.aot.hlo import Program
from tests.reference import dion as reference
from tests.rules.steps import close, draw, problem, stack_is_layers, take

P = PartitionSpec
ODD = {"learning_rate": 0.03, "rank_fraction": 0.35, "beta": 0.8, "eps": 1e-2, "weight_decay": 0.4}


@pytest.mark.parametrize("shape", [(8, 6), (5, 9)])
@pytest.mark.parametrize("power_steps", [1, 3])
def test_the_paper(shape, power_steps: int, x64):
    params, grads = problem({"kernel": shape}, 8, "float64")
    tx = gc.dion(**ODD, power_steps=power_steps)
    start = tx.init(params)["dion"]["scale_by_dion"].basis["kernel"]
    assert start.shape == (shape[0], {(8, 6): 3, (5, 9): 2}[shape])
    state, step, x = tx.init(params), jax.jit(tx.step), params
    expected = reference.dion(
        np.asarray(params["kernel"]).T, [np.asarray(g["kernel"]).T for g in grads], np.asarray(start),
        0.03, 0.8, 1e-2, 0.4, power_steps,
    )  # fmt: skip
    for g, (want, m, *_) in zip(grads, expected, strict=True):
        x, state = step(g, state, x)
        close(x["kernel"], want.T, 1e-10)
        close(state["dion"]["scale_by_dion"].mu["kernel"], m.T, 1e-10)


@pytest.mark.slow
def test_every_hyperparameter_matters(x64):
    params, grads = problem({"kernel": (8, 6), "bias": (3,)}, 4, "float64")

    def run(tx):
        return {f"{i}/{k}": u for i, t in enumerate(take(tx, params, grads).updates) for k, u in t.items()}

    testing.sensitive({"dion": {**ODD, "adam_b1": 0.8, "adam_b2": 0.9, "adam_weight_decay": 0.1,
                                "adam_learning_rate": 0.1}}, run, 1e-10)  # fmt: skip


@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5)])
def test_full_rank_and_exact_is_muon(shape, x64):
    """With power iteration to its end, of all ranks, u is U V^T of the momentum without Nesterov."""
    params, grads = problem({"kernel": shape}, 4, "float64")
    tx = gc.scale_by_dion(1.0, 0.9, 0.0, power_steps=3000)
    # beta and the cubic iteration: all singular values end at 1.
    muon = gc.scale_by_muon((1.5, -0.5, 0.0), 60, 0.9, 0.0, nesterov=False)
    found, expected = take(tx, params, grads), take(muon, params, grads)
    for u, want in zip(found.updates, expected.updates, strict=True):
        close(u, want, 1e-8)
    close(
        found.state["scale_by_dion"].mu,
        jax.tree.map(lambda m: 9 * m, expected.state["scale_by_muon"].mu),
        1e-9,
    )


def test_error_feedback_keeps_what_the_rank_leaves_out(x64):
    """With beta = 0 the momentum is m + g less its approximation; of that the columns of p see nothing."""
    params, grads = problem({"kernel": (7, 5)}, 4, "float64")
    tx, state = gc.scale_by_dion(0.4, 0.0, 0.0), gc.scale_by_dion(0.4, 0.0, 0.0).init(params)
    total = np.zeros((7, 5))
    for g in grads:
        u, state = tx.update(g, state, params)
        mu, q = state["scale_by_dion"].mu["kernel"], state["scale_by_dion"].basis["kernel"]
        total += g["kernel"]
        p = jnp.linalg.pinv(q) @ u["kernel"]  # u = q p^T
        np.testing.assert_allclose(p @ p.T, np.eye(2), atol=1e-12)
        np.testing.assert_allclose(mu @ p.T, 0, atol=1e-12)
        np.testing.assert_allclose(mu, total - total @ p.T @ p, atol=1e-12)
        total = np.asarray(mu)


def test_leaves():
    stack_is_layers(gc.dion(0.1, 0.5))
    stack_is_layers(gc.dion(0.1, 0.5), (3, 4, 6))
    g = draw({"query/kernel": (6, 2, 4)})
    tx = gc.scale_by_dion(0.5)
    merged = take(tx, g, [g, g]).updates
    flat = {"query/kernel": g["query/kernel"].reshape(6, 8)}
    with_axes = gc.with_axes(tx, {"query/kernel": "rc"})
    close(
        merged[1]["query/kernel"].reshape(6, 8),
        take(with_axes, flat, [flat, flat]).updates[1]["query/kernel"],
    )
    vector = {"bias": jnp.arange(1.0, 5.0)}
    u = take(tx, vector, [vector]).updates[0]["bias"]
    close(u, vector["bias"] / np.sqrt(30), 1e-6)


def test_what_is_not_there_moves_nothing():
    """A gradient of rank 1, and none at all: the columns that it does not reach stay, and wait."""
    g = {"kernel": jnp.outer(jnp.arange(1.0, 7.0), jnp.arange(1.0, 5.0))}
    tx = gc.scale_by_dion(1.0)
    state = tx.init(g)
    zero = jax.tree.map(jnp.zeros_like, g)
    u, after = tx.update(zero, state, g)
    assert not np.any(u["kernel"]) and not np.any(after["scale_by_dion"].mu["kernel"])
    np.testing.assert_array_equal(
        after["scale_by_dion"].basis["kernel"], state["scale_by_dion"].basis["kernel"]
    )
    u, after = tx.update(g, state, g)
    np.testing.assert_allclose(np.linalg.svd(u["kernel"])[1], [1, 0, 0, 0], atol=1e-5)


@pytest.mark.slow
def test_storage_and_dtypes():
    params, grads = problem({"kernel": (64, 96), "bias": (96,)}, 10)
    tx = gc.dion(0.02)
    plain, short = take(tx, params, grads), take(gc.stored(tx, "log8"), params, grads)
    state = short.state["dion"]["scale_by_dion"]
    assert state.mu["kernel"].dtype.itemsize == 1 and state.basis["kernel"].dtype == jnp.float32
    moved = np.linalg.norm(plain.params["kernel"] - params["kernel"])
    assert np.linalg.norm(short.params["kernel"] - plain.params["kernel"]) < 0.3 * moved
    half = take(gc.dion(0.02, mu_dtype="bfloat16"), params, grads[:1]).state["dion"]["scale_by_dion"]
    assert half.mu["kernel"].dtype == jnp.bfloat16


def on_mesh(mesh):
    """Matrices split along rows, along columns, along both where there are two axes."""
    two = "model" if "model" in mesh.axis_names else None
    found = {
        "up/kernel": ((8, 32, 64), P(None, "data", two)),
        "down/kernel": ((8, 64, 32), P(None, two, "data")),
        "one/kernel": ((24, 16), P("data")),
    }
    return {k: (shape, NamedSharding(mesh, spec)) for k, (shape, spec) in found.items()}


@pytest.mark.optimized
@pytest.mark.parametrize(
    "shape, names, kind",
    [
        pytest.param((8,), ("data",), AxisType.Explicit, marks=pytest.mark.slow),
        ((4, 2), ("data", "model"), AxisType.Explicit),
        pytest.param((8,), ("data",), AxisType.Auto, marks=pytest.mark.slow),
    ],
    ids=["one", "two", "auto"],
)
def test_eight_devices(shape, names, kind):
    """The numbers of one device; matrices go by all-to-all, what is gathered or added up is of low rank."""
    mesh = jax.make_mesh(shape, names, axis_types=(kind,) * len(shape))
    places = on_mesh(mesh)
    place = lambda tree: {k: jax.device_put(x, places[k][1]) for k, x in tree.items()}  # noqa: E731
    params, grads = (draw({k: size for k, (size, _) in places.items()}, seed) for seed in (0, 1))
    tx = gc.scale_by_dion(0.25)
    (want,) = take(tx, params, [grads]).updates
    state = gc.init(tx, place(params))
    basis = state["scale_by_dion"].basis
    assert basis["up/kernel"].sharding.spec[1] == "data" and basis["up/kernel"].shape == (8, 32, 8)

    step = jax.jit(tx.update).lower(place(grads), state, place(params)).compile()
    close(step(place(grads), state, place(params))[0], want, 2e-4)
    moved = defaultdict(int)
    for _, i, _ in Program(step.as_text()).running():
        if i.op.startswith(("all-", "reduce-scatter", "collective", "ragged")):
            moved[i.op.removesuffix("-start")] += i.bytes
    ranks = {k: x.shape[-1] for k, x in basis.items()}
    sides = {k: (math.prod(s[:-2]), sum(s[-2:])) for k, (s, _) in places.items()}
    factors = sum(4 * k * ranks[name] * (both + 1) for name, (k, both) in sides.items())
    low, matrices = moved["all-gather"] + moved["all-reduce"], sum(x.nbytes for x in params.values())
    if kind is AxisType.Auto:  # what a trace cannot see is left to XLA: it adds up products with factors
        assert set(moved) <= {"all-gather", "all-reduce"} and low < 4 * factors
    else:  # each matrix goes once along each axis; "one" takes eight places, of which seven are empty
        assert set(moved) <= {"all-gather", "all-reduce", "all-to-all"} and low <= 1.2 * factors
        assert moved["all-to-all"] <= len(shape) * (matrices + 2 * factors) / 8
