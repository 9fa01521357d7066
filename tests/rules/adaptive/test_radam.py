"""RAdam: when it rectifies, how exactly, and against the paper's algorithm in NumPy."""

from decimal import Decimal, localcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.rules.adaptive.radam import rectification
from tests.rules.steps import close, problem, take


def exact(b2: str, t: int) -> tuple[float, float]:
    """rho and r of the paper in 60 digits."""
    with localcontext() as digits:
        digits.prec = 60
        b = Decimal(b2)
        top = 2 / (1 - b) - 1
        rho = top - 2 * t * b**t / (1 - b**t)
        square = (rho - 4) * (rho - 2) * top / ((top - 4) * (top - 2) * rho)
        return float(rho), float(max(square, Decimal(0)).sqrt())


@pytest.mark.parametrize("b2", ["0.9", "0.99", "0.999", "0.9999", "0.999999"])
def test_rectification_in_float32(b2):
    for t in (1, 4, 5, 6, 7, 20, 100, 1_000, 30_000):
        found = rectification(float(b2), jnp.int32(t))
        np.testing.assert_allclose(found[0], exact(b2, t)[0], rtol=3e-6, err_msg=f"rho at {t}")
        if t > 5:
            np.testing.assert_allclose(found[1], exact(b2, t)[1], rtol=1e-5, err_msg=f"r at {t}")


@pytest.mark.parametrize("b2", [0.0, 0.6, 1.0])
def test_rectification_at_the_ends(b2):
    rho, r = rectification(b2, jnp.int32(7))
    assert np.isfinite(rho) and np.isfinite(r)
    slope = jax.grad(lambda b: rectification(b, jnp.int32(7))[1])(jnp.float32(b2))
    assert np.isfinite(slope) or b2 == 1.0  # there r leaves zero as a root does


@pytest.mark.parametrize("nesterov", [False, True])
def test_against_numpy(nesterov, x64):
    params, grads = problem(steps=9, dtype="float64")
    b1, b2 = 0.8, 0.95
    found = take(gc.scale_by_radam(b1, b2, eps=1e-3, nesterov=nesterov), params, grads)
    rectified = 0
    for name in params:
        m = v = 0.0
        for t, (u, grad) in enumerate(zip(found.updates, grads, strict=True), 1):
            g = np.asarray(grad[name])
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
            mean = m / (1 - b1**t)
            if nesterov:
                mean = b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
            rho, r = exact(str(b2), t)
            if rho >= 5:
                mean, rectified = r * mean / (np.sqrt(v / (1 - b2**t)) + 1e-3), rectified + 1
            close(u[name], mean, rtol=1e-12)
    assert 0 < rectified < 9 * len(params)


def test_differentiable_before_it_rectifies():
    params, grads = problem({"bias": (3,)})
    tx = gc.radam(0.1)
    slope = jax.grad(lambda g: tx.update(g, tx.init(params))[0]["bias"].sum())(grads[0])
    close(slope["bias"], np.full(3, -0.1))
