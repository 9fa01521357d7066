"""Sign descent and Rprop: beside Optax, and what Rprop does where the sign turns."""

import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.beside import same_steps
from tests.rules.steps import close, problem, take


def test_signs_are_optax(x64):
    optax = pytest.importorskip("optax")
    same_steps(gc.sign_sgd(0.1), optax.sign_sgd(0.1))
    same_steps(gc.signum(0.1, 0.8), optax.signum(0.1, 0.8))


def test_sign_of_complex_numbers_and_of_zero():
    params = {"w": jnp.zeros(3, jnp.complex64)}
    found = take(gc.scale_by_sign(), params, [{"w": jnp.array([3 + 4j, 0, -2j], jnp.complex64)}])
    close(found.updates[0]["w"], np.array([0.6 + 0.8j, 0, -1j]))


def test_signum_keeps_the_mean_as_asked():
    params, grads = problem()
    state = take(gc.signum(0.1, accumulator_dtype="bfloat16"), params, grads).state
    assert {x.dtype for x in state["ema"].ema.values()} == {jnp.dtype(jnp.bfloat16)}


def rprop_steps(signs: list[float]) -> list[float]:
    params = {"w": jnp.zeros(1)}
    tx = gc.rprop(0.1, eta_minus=0.5, eta_plus=2.0, min_step_size=0.06, max_step_size=0.3)
    return [float(u["w"][0]) for u in take(tx, params, [{"w": jnp.full(1, s)} for s in signs]).updates]


def test_rprop_grows_shrinks_and_stops_where_the_sign_turns():
    """The first gradient acts at once; the bounds hold; after a turn there is a step without movement."""
    assert rprop_steps([1.0, 2.0, 0.1, 9.0]) == pytest.approx([-0.1, -0.2, -0.3, -0.3])
    assert rprop_steps([1.0, -1.0, -1.0, -1.0]) == pytest.approx([-0.1, 0.0, 0.06, 0.12])
    assert rprop_steps([1.0, 0.0, 1.0]) == pytest.approx([-0.1, 0.0, -0.1])


def test_rprop_is_optax_a_step_earlier(x64):
    """Optax moves by the update before, unless the sign has turned; what both keep is the same."""
    optax = pytest.importorskip("optax")
    args = {"eta_minus": 0.4, "eta_plus": 1.3, "min_step_size": 0.01, "max_step_size": 0.2}
    params, grads = problem(steps=8, dtype="float64")
    tx, other = gc.scale_by_rprop(0.05, **args), optax.scale_by_rprop(0.05, **args)
    state, theirs = tx.init(params), other.init(params)
    for g in grads:
        u, state = tx.update(g, state)
        _, theirs = other.update(g, theirs)
        close(state["scale_by_rprop"].step_sizes, theirs.step_sizes, 1e-14)
        close(state["scale_by_rprop"].prev_updates, theirs.prev_updates, 1e-14)
        close(u, theirs.prev_updates, 1e-14)
