"""Alice: the paper in NumPy for given noise, GaLore at full rank, what it keeps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.math import numerics, rounding
from tests.reference.alice import alice
from tests.rules.steps import close, problem, take

SHAPES = {"wide": (5, 7), "tall": (7, 5), "bias": (4,)}
ADAM = {"b1": 0.0, "b2": 0.8, "eps": 1e-3}  # without momentum the signs of eigenvectors do not matter
HYPERS = {"b1": 0.7, "b3": 0.6, "compensation": 0.3, "gamma": 1.05, "eps": 1e-3}


def drawn(turn: int, path: str, shape: tuple[int, ...]):
    like = jax.ShapeDtypeStruct(shape, jnp.float64)
    return np.asarray(numerics.normal(3, jnp.int32(turn), rounding.word(path), like))


@pytest.mark.parametrize(("rank", "leading"), [(2, 1), (4, 2), (3, 9)])  # the second draws from all the rest
def test_is_the_paper_s(x64, rank, leading):
    params, grads = problem(SHAPES, 4, "float64")  # a third basis depends on the signs of the second one's
    base = gc.scale_by_adam(**ADAM, bias_correction=False)
    tx = gc.scale_by_alice(rank, 2, 0.7, base, leading=leading, seed=3, **HYPERS)
    found = take(tx, params, grads)
    for name in ("wide", "tall"):
        turn = (lambda x: x.T) if name == "tall" else (lambda x: x)
        noises = [drawn(i, name, (5, max(rank - leading, 0))) for i in range(2)]
        rows = [turn(np.asarray(g[name])) for g in grads]
        expected = alice(rows, noises, rank, 2, leading, 0.7, b2=ADAM["b2"], **HYPERS)
        close([turn(u[name]) for u in found.updates], expected, 1e-9)
        basis = np.asarray(found.state["scale_by_alice"].projector[name])
        close(basis.T @ basis, np.eye(rank), 1e-12)
    alone = take(base, params, grads).updates
    close([u["bias"] for u in found.updates], [u["bias"] for u in alone], 1e-12)


@pytest.mark.parametrize(("b1", "every"), [(0.0, 2), (0.9, 9)])
def test_of_full_rank_without_tracking_is_galore(x64, b1, every):
    """Which is Adam in the eigenvectors of g g^H; there is nothing to compensate for."""
    params, grads = problem(SHAPES, 5, "float64")
    base = gc.scale_by_adam(b1, 0.8, 1e-3)
    found = take(gc.alice(0.1, 9, every, 0.7, base, 0.2, b3=None), params, grads).updates
    close(found, take(gc.galore(0.1, 9, every, 0.7, base, 0.2), params, grads).updates, 1e-8)


def test_no_tracking_is_tracking_that_forgets(x64):
    params, grads = problem({"wide": (4, 6)}, 4, "float64")
    found, expected = (take(gc.scale_by_alice(2, 2, leading=1, b3=b3), params, grads) for b3 in (None, 0.0))
    close(found.updates, expected.updates, 1e-8)
    assert found.state["scale_by_alice"].tracked["wide"].shape == ()
    assert expected.state["scale_by_alice"].tracked["wide"].shape == (2, 2)


def test_keeps_nothing_for_what_it_does_not(x64):
    params, grads = problem(SHAPES, 1, "float64")
    state = take(gc.scale_by_alice(2, compensation=None), params, grads).state["scale_by_alice"]
    assert {x.shape for x in (*state.left_out.values(), *state.norm.values())} == {()}
    state = take(gc.scale_by_alice(2), params, grads).state["scale_by_alice"]
    assert {k: x.shape for k, x in state.left_out.items()} == {"wide": (7,), "tall": (7,), "bias": ()}


def test_layers_of_a_stack_are_matrices(x64):
    params, grads = problem({"kernel": (3, 4, 6)}, 4, "float64")
    tx = gc.scale_by_alice(2, 2, gamma=1.1)
    together = take(tx, params, grads)
    for i in range(3):
        alone = take(tx, {"kernel": params["kernel"][i]}, [{"kernel": g["kernel"][i]} for g in grads])
        close([u["kernel"][i] for u in together.updates], [u["kernel"] for u in alone.updates], 1e-8)
