"""Fira and APOLLO: the paper in NumPy for given projections, GaLore, and what they keep."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.math import numerics, rounding
from tests.reference.apollo import apollo
from tests.rules.steps import close, problem, take

SHAPES = {"wide": (4, 6), "tall": (6, 4), "bias": (4,)}


def drawn(seed: int, turn: int, path: str, shape: tuple[int, ...]):
    like = jax.ShapeDtypeStruct(shape, jnp.float64)
    return np.asarray(numerics.normal(seed, jnp.int32(turn), rounding.word(path), like)) / shape[-1] ** 0.5


@pytest.mark.parametrize("scale_type", ["channel", "tensor"])
def test_apollo_is_the_paper_s(x64, scale_type):
    params, grads = problem(SHAPES, 6, "float64")
    adam = {"b1": 0.8, "b2": 0.9, "eps": 1e-3}
    base, args = gc.scale_by_adam(**adam), {"scale_type": scale_type, "gamma": 1.05, "seed": 5}
    found = take(gc.scale_by_apollo(2, 4, 0.7, base, **args), params, grads).updates
    for name in ("wide", "tall"):
        turn = (lambda x: x.T) if name == "tall" else (lambda x: x)
        bases = [drawn(5, t // 4, name, (4, 2)).T for t in range(6)]
        rows = [turn(np.asarray(g[name])) for g in grads]
        expected = apollo(rows, bases, scale_type == "channel", **adam, scale=0.7, gamma=1.05)
        close([turn(u[name]) for u in found], expected, 1e-10)
    alone = take(base, params, grads).updates
    close([u["bias"] for u in found], [u["bias"] for u in alone], 1e-12)


def test_apollo_mini_is_apollo_of_rank_one(x64):
    params, grads = problem(SHAPES, 3, "float64")
    mini = take(gc.apollo_mini(0.1, 2, seed=3), params, grads)
    tx = gc.apollo(0.1, 1, 2, 128**0.5, scale_type="tensor", seed=3)
    close(mini.updates, take(tx, params, grads).updates, 1e-12)
    kept = {k: x.shape for k, x in mini.state["scale_by_adam"].mu.items()}
    assert kept == {"wide": (1, 6), "tall": (6, 1), "bias": (4,)}
    assert all(not x.shape for x in jax.tree.leaves(mini.state["scale_by_apollo"]))


def test_with_all_singular_vectors_apollo_scales_channels_as_the_base_does(x64):
    """An orthonormal projection keeps norms, and a mean is turned as its gradients are."""
    params, grads = problem({"kernel": (4, 6)}, 4, "float64")
    base = gc.ema(0.8)
    found = take(gc.scale_by_apollo(9, 9, 1.0, base, projection="svd", gamma=None), params, grads).updates
    plain = take(base, params, grads).updates
    for u, m, g in zip(found, plain, grads, strict=True):
        length = np.linalg.norm(m["kernel"], axis=0) / np.linalg.norm(g["kernel"], axis=0)
        close(u["kernel"], g["kernel"] * length, 1e-10)


def test_fira_of_full_rank_is_galore(x64):
    params, grads = problem(SHAPES, 4, "float64")
    base = gc.scale_by_adam(eps=1e-3)
    fira = take(gc.fira(0.1, 9, 2, 0.7, base, 0.2), params, grads).updates
    close(fira, take(gc.galore(0.1, 9, 2, 0.7, base, 0.2), params, grads).updates, 1e-8)


def test_fira_adds_what_galore_leaves_out(x64):
    params, grads = problem({"wide": (4, 6)}, 3, "float64")
    whole = take(gc.scale_by_fira(2, 9, gamma=None), params, grads)
    part = take(gc.scale_by_galore(2, 9, base_optimizer=gc.scale_by_adam(eps=1e-6)), params, grads)
    p = np.asarray(whole.state["scale_by_fira"].projector["wide"])
    close(np.abs(p), np.abs(part.state["scale_by_galore"].projector["wide"]), 1e-10)
    for f, u, g in zip(whole.updates, part.updates, grads, strict=True):
        rest, projected = f["wide"] - u["wide"], p.T @ g["wide"]
        length = np.linalg.norm(u["wide"], axis=0) / np.linalg.norm(projected, axis=0)
        close(rest, (g["wide"] - p @ projected) * length, 1e-10)


@pytest.mark.parametrize(
    "tx", [gc.scale_by_fira(2, 2, gamma=1.1), gc.scale_by_apollo(2, 2, projection="svd", gamma=1.1)]
)
def test_layers_of_a_stack_are_limited_one_by_one(x64, tx):
    params, grads = problem({"kernel": (3, 4, 6)}, 2, "float64")
    together = take(tx, params, grads)
    for i in range(3):
        alone = take(tx, {"kernel": params["kernel"][i]}, [{"kernel": g["kernel"][i]} for g in grads])
        close([u["kernel"][i] for u in together.updates], [u["kernel"] for u in alone.updates], 1e-10)
        close(together.state[tx.name].norm["kernel"][i], alone.state[tx.name].norm["kernel"], 1e-10)


def test_norms_of_projections_are_right_on_average(x64):
    p = drawn(0, 0, "w", (50, 20, 40))
    assert abs(np.mean(np.sum(p * p, axis=2)) - 1) < 0.02
