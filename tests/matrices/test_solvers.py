"""Power iteration, inverse roots and least squares without negative numbers, against NumPy, SciPy, Optax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc


def symmetric(values, seed=0):
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values),) * 2))
    return jnp.asarray((q * values) @ q.T), q


@pytest.mark.parametrize("values", [[4.0, 2.0, 1.0, 0.5], [1.0, 0.5, -3.0, 0.1]])
def test_power_iteration(x64, values):
    a, q = symmetric(values)
    at = int(np.argmax(np.abs(values)))
    value, vector = gc.power_iteration(a, error_tolerance=0.0, num_iters=200)
    np.testing.assert_allclose(value, values[at], rtol=1e-13)
    np.testing.assert_allclose(vector * np.sign(vector[0]), q[:, at] * np.sign(q[0, at]), atol=1e-12)
    grad = jax.grad(lambda a: gc.power_iteration(a, num_iters=200, error_tolerance=0.0)[0])(a)
    np.testing.assert_allclose(grad, np.outer(q[:, at], q[:, at]), atol=1e-12)


def test_power_iteration_agrees_with_optax(x64):
    optax = pytest.importorskip("optax")
    a = jnp.asarray(np.random.default_rng(3).standard_normal((5, 5))) + 4 * jnp.ones((5, 5))
    ours, theirs = (m.power_iteration(a, error_tolerance=1e-15, num_iters=300) for m in (gc, optax))
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)


def test_power_iteration_on_trees(x64):
    times = lambda v: {"x": 3 * v["x"], "y": [-5 * v["y"][0]]}  # noqa: E731
    v0 = {"x": jnp.ones(2), "y": [jnp.ones(())]}
    value, vector = jax.jit(lambda v0: gc.power_iteration(times, v0=v0, error_tolerance=0.0))(v0)
    assert value == pytest.approx(-5, rel=1e-12) and abs(vector["y"][0]) == pytest.approx(1, rel=1e-12)
    grad = jax.grad(lambda s: gc.power_iteration(lambda v: s * v, v0=jnp.ones(3))[0])(2.0)
    assert grad == pytest.approx(1)


def test_power_iteration_ends_early_and_at_zero():
    a, _ = symmetric([1.0, 0.9, 0.1])
    rough = gc.power_iteration(a, error_tolerance=0.1)[0]
    assert 1e-4 < abs(rough - 1) < 0.2 and gc.power_iteration(a, num_iters=0)[0] < 1
    value, vector = gc.power_iteration(jnp.zeros((3, 3)))
    assert value == 0 and not np.any(vector)


@pytest.mark.parametrize("p", [1, 2, 4])
def test_matrix_inverse_pth_root(x64, p):
    optax = pytest.importorskip("optax")
    values = np.array([4.0, 2.0, 1.0, 0.01])
    a, q = symmetric(values)
    root, error = gc.matrix_inverse_pth_root(a, p, error_tolerance=1e-14, num_iters=300)
    exact = (q * (values + 4e-6) ** (-1 / p)) @ q.T
    np.testing.assert_allclose(root, exact, rtol=1e-10, atol=1e-12)
    assert 0 <= error < 1e-12
    theirs, _ = optax.matrix_inverse_pth_root(a, p, error_tolerance=1e-12, num_iters=300)
    np.testing.assert_allclose(root, theirs, rtol=1e-9, atol=1e-10)


def test_matrix_inverse_pth_root_of_zero_and_of_one_number():
    root, error = jax.jit(lambda x: gc.matrix_inverse_pth_root(x, 4))(jnp.zeros((2, 2)))
    assert not np.any(root) and np.isfinite(error)
    np.testing.assert_allclose(gc.matrix_inverse_pth_root(jnp.full((1, 1), 16.0), 4)[0], 0.5, rtol=1e-5)


@pytest.mark.parametrize("columns", [(), (3,)])
def test_nnls(x64, columns):
    scipy = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((8, 4)), rng.standard_normal((8, *columns))
    exact = np.stack([scipy.nnls(a, x)[0] for x in b.reshape(8, -1).T], 1).reshape(4, *columns)
    assert np.any(exact == 0) and np.any(exact > 0)
    np.testing.assert_allclose(gc.nnls(a, b, 2000), exact, atol=1e-10)
    np.testing.assert_allclose(gc.nnls(a, b, 2000, unroll=2, L=np.trace(a.T @ a)), exact, atol=1e-10)
    optax = pytest.importorskip("optax")
    theirs = optax.nnls(jnp.asarray(a), jnp.asarray(b), 2000)
    np.testing.assert_allclose(gc.nnls(a, b, 2000), theirs, atol=1e-10)


def test_nnls_at_zero_and_its_derivative():
    assert not np.any(gc.nnls(jnp.zeros((3, 2)), jnp.ones(3), 5))
    grad = jax.grad(lambda b: jnp.sum(gc.nnls(jnp.eye(2), b, 200)))(jnp.array([2.0, -1.0]))
    np.testing.assert_allclose(grad, [1, 0], atol=1e-5)


def test_errors():
    with pytest.raises(ValueError, match="matrix is a function; give v0"):
        gc.power_iteration(lambda v: v)
    with pytest.raises(ValueError, match=r"power_iteration: matrix has shape \(2, 3\); expected \[n, n\]"):
        gc.power_iteration(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match=r"nnls: A has shape \(2, 3\) and b \(3,\)"):
        gc.nnls(jnp.ones((2, 3)), jnp.ones(3), 5)
