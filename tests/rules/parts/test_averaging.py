"""ema of the updates against its formula."""

import jax.numpy as jnp
import pytest

import gradchain as gc
from tests.rules.steps import close, problem, take


@pytest.mark.parametrize("debias", [True, False])
def test_against_the_formula(debias):
    params, grads = problem()
    found = take(gc.ema(0.9, debias), params, grads)
    for name in params:
        m = 0.0
        for t, (u, g) in enumerate(zip(found.updates, grads, strict=True), 1):
            m = 0.9 * m + 0.1 * g[name]
            close(u[name], m / (1 - 0.9**t) if debias else m)
    assert found.state["ema"].count == 3


def test_constant_updates_are_their_own_average():
    params, (g, *_) = problem()
    for u in take(gc.ema(0.99), params, [g] * 4).updates:
        close(u, g)


def test_accumulator_dtype():
    params, grads = problem({"bias": (3,)})
    found = take(gc.ema(0.9, accumulator_dtype="bfloat16"), params, grads)
    assert found.state["ema"].ema["bias"].dtype == jnp.bfloat16
    close(found.updates, take(gc.ema(0.9), params, grads).updates, rtol=1e-2)
