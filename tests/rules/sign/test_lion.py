"""Lion against its formula; its sign at zero."""

import jax.numpy as jnp
import numpy as np

import gradchain as gc
from tests.rules.steps import close, problem, take


def test_against_numpy():
    params, grads = problem()
    found = take(gc.lion(0.01, b1=0.8, b2=0.95, weight_decay=0.3), params, grads)
    for name in params:
        p, m = params[name], 0.0
        for u, g in zip(found.updates, grads, strict=True):
            expected = -0.01 * (np.sign(0.8 * m + 0.2 * g[name]) + 0.3 * p)
            close(u[name], expected)
            p, m = p + expected, 0.95 * m + 0.05 * g[name]


def test_no_gradient_no_step():
    params = {"bias": jnp.ones(3)}
    found = take(gc.scale_by_lion(), params, [{"bias": jnp.array([0.0, -0.0, 1e-30])}])
    assert found.updates[0]["bias"].tolist() == [0.0, 0.0, 1.0]


def test_mu_dtype():
    params, grads = problem()
    found = take(gc.lion(0.01, mu_dtype=jnp.bfloat16), params, grads)
    assert {x.dtype for x in found.state["scale_by_lion"].mu.values()} == {jnp.dtype(jnp.bfloat16)}


def test_complex_sign_has_length_one():
    params = {"bias": jnp.zeros(3, jnp.complex64)}
    grads = [{"bias": jnp.array([3 + 4j, 0, -2j], jnp.complex64)}]
    close(take(gc.scale_by_lion(), params, grads).updates[0]["bias"], np.array([0.6 + 0.8j, 0, -1j]))
