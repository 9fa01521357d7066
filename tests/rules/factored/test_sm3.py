"""SM3 beside Optax and its formula; stacks; what it keeps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.beside import same_steps
from tests.rules.steps import close, problem, stack_is_layers, take

SHAPES = {"kernel": (4, 3), "bias": (3,), "conv": {"kernel": (2, 3, 4, 5)}}


@pytest.mark.parametrize("b2", [1.0, 0.9])
def test_is_optax(x64, b2):
    optax = pytest.importorskip("optax")
    shapes = {"kernel": (4, 3), "bias": (3,), "conv": (2, 3, 4, 5)}
    tx = gc.with_axes(gc.scale_by_sm3(0.8, b2, 1e-3), {"conv": "rrrc"})
    state, theirs = same_steps(tx, optax.scale_by_sm3(0.8, b2, 1e-3), shapes)
    kept = state["scale_by_sm3"]
    for name, vectors in theirs.mu.items():
        close([getattr(kept, f"mu{i}")[name] for i in range(len(vectors))], vectors, 1e-12)
    close(kept.nu, theirs.nu, 1e-12)


def test_optimizer_is_optax(x64):
    optax = pytest.importorskip("optax")
    same_steps(gc.sm3(0.1, 0.7), optax.sm3(0.1, 0.7))


def test_what_is_kept_is_one_vector_for_each_axis():
    slots = gc.scale_by_sm3().slots({"layers": {"kernel": jnp.ones((2, 5, 7))}})["scale_by_sm3"]
    shapes = [getattr(slots, f)["layers"]["kernel"].shape for f in slots._fields]
    assert shapes == [(2, 5), (2, 7), (), (), (), (2, 5, 7)]


def test_stack_is_layers():
    stack_is_layers(gc.sm3(0.1))


def test_bounds_the_sum_of_squares(x64):
    """Every vector's least is at least AdaGrad's sum of squares, and of a vector it is that sum."""
    params, grads = problem({"kernel": (4, 3), "bias": (3,)}, steps=5, dtype="float64")
    state = take(gc.scale_by_sm3(), params, grads).state["scale_by_sm3"]
    total = {k: sum(np.square(g[k]) for g in grads) for k in params}
    least = np.minimum(state.mu0["kernel"][:, None], state.mu1["kernel"][None, :])
    assert np.all(least >= total["kernel"] * (1 - 1e-12))
    close(state.mu0["bias"], total["bias"], 1e-12)


def test_axes_beyond_the_fifth_have_no_vector():
    shape = (2, 2, 2, 2, 2, 3)
    tx, params = gc.with_axes(gc.sm3(0.1), {"w": "rrrrrc"}), {"w": jnp.ones(shape)}
    u, state = jax.jit(tx.update)({"w": jnp.ones(shape)}, tx.init(params))
    close(u["w"], np.full(shape, -0.01))
    assert [getattr(state["scale_by_sm3"], f"mu{i}")["w"].shape for i in range(5)] == [(2,)] * 5
