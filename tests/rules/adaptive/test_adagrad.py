"""AdaGrad, and the formula printed as an adaptive learning rate."""

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc
from tests.rules.steps import close, problem, take


def test_against_numpy():
    params, grads = problem()
    found = take(gc.adagrad(0.2, initial_accumulator_value=0.3, eps=0.01), params, grads)
    for name in params:
        total = 0.3
        for u, g in zip(found.updates, grads, strict=True):
            total = total + np.square(g[name])
            close(u[name], -0.2 * g[name] / np.sqrt(total + 0.01))


def test_printed_adaptive_rate(x64):
    eta, beta, decay = 0.05, 0.3, 0.9
    tx = gc.chain(
        gc.trace(decay),
        gc.scale_by_rss(initial_accumulator_value=1 / beta, eps=0.0),
        gc.scale_by_learning_rate(eta / beta**0.5),
    )
    params, grads = problem(dtype="float64")
    found = take(tx, params, grads)
    for name in params:
        v = total = 0.0
        for u, g in zip(found.updates, grads, strict=True):
            v = g[name] + decay * v
            total = total + v**2
            close(u[name], -eta / np.sqrt(1 + beta * total) * v, rtol=1e-14)


def test_nothing_gathered_is_no_step():
    tx = gc.scale_by_rss(initial_accumulator_value=0.0, eps=0.0)
    params = {"bias": jnp.ones(3)}
    g = jnp.array([0.0, 2.0, 0.0])
    assert take(tx, params, [{"bias": g}]).updates[0]["bias"].tolist() == [0.0, 1.0, 0.0]
    slope = jax.grad(lambda g: tx.update({"bias": g}, tx.init(params))[0]["bias"].sum())(g)
    assert np.all(np.isfinite(slope))
