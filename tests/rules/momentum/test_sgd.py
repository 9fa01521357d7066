"""Momentum: the sum, Nesterov's step ahead, and what is kept of it."""

import jax.numpy as jnp
import pytest

import gradchain as gc
from tests.rules.steps import close, problem, take


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum(nesterov):
    params, grads = problem()
    found = take(gc.sgd(0.1, momentum=0.9, nesterov=nesterov), params, grads)
    for name in params:
        v = 0.0
        for u, g in zip(found.updates, grads, strict=True):
            v = g[name] + 0.9 * v
            close(u[name], -0.1 * (g[name] + 0.9 * v if nesterov else v))
        close(found.state["trace"].trace[name], v)


def test_without_momentum_nothing_is_kept():
    params, grads = problem()
    found = take(gc.sgd(0.1), params, grads)
    assert set(found.state) == {"scale_by_learning_rate"}
    close(found.updates[0], {k: -0.1 * g for k, g in grads[0].items()})


def test_momentum_of_zero_is_a_momentum():
    params, grads = problem()
    found = take(gc.sgd(0.1, momentum=0.0), params, grads)
    assert "trace" in found.state
    close(found.updates, take(gc.sgd(0.1), params, grads).updates)


def test_momentum_by_schedule():
    params, grads = problem({"bias": (3,)})
    warm = gc.trace(lambda t: jnp.where(t < 2, 0.0, 0.5))
    first, second, third = (u["bias"] for u in take(warm, params, grads).updates)
    close([first, second], [g["bias"] for g in grads[:2]])
    close(third, grads[2]["bias"] + 0.5 * grads[1]["bias"])


def test_accumulator_dtype():
    params, grads = problem({"bias": (3,)})
    found = take(gc.trace(0.9, accumulator_dtype="bfloat16"), params, grads)
    assert found.state["trace"].trace["bias"].dtype == jnp.bfloat16
    assert found.updates[-1]["bias"].dtype == jnp.float32
    close(found.updates, take(gc.trace(0.9), params, grads).updates, rtol=1e-2)
