"""Norms bounded from below, counters, and the normal distribution, against Optax and NumPy."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

optax = pytest.importorskip("optax")

NAMES = [
    *("safe_norm", "safe_root_mean_squares", "safe_increment", "safe_int32_increment", "multi_normal"),
    *("bias_correction", "update_moment", "update_moment_per_elem_norm", "update_infinity_moment"),
    *("incremental_update", "periodic_update", "scale_gradient", "global_norm", "apply_updates"),
    *("power_iteration", "matrix_inverse_pth_root", "nnls"),
]


@pytest.mark.parametrize("name", NAMES)
def test_signature_is_that_of_optax(name):
    theirs, ours = (inspect.signature(getattr(m, name)).parameters.values() for m in (optax, gc))
    assert [(p.name, p.kind, p.default) for p in ours] == [(p.name, p.kind, p.default) for p in theirs]


@pytest.mark.parametrize("ord", [None, 1, 2, np.inf, 3])
@pytest.mark.parametrize("axis, keepdims", [(None, False), (0, False), (1, True), (-1, False)])
def test_safe_norm(x64, ord, axis, keepdims):
    rng = np.random.default_rng(0)
    shape = (4, 3) if axis is not None or ord is None else (5,)
    x = jnp.asarray(rng.standard_normal(shape)).at[1].set(0)
    for low in (0.0, 0.5, 1.5):
        f = lambda m, x, low=low: jnp.sum(m.safe_norm(x, low, ord, axis, keepdims) ** 1.5)  # noqa: E731
        ours, theirs = (m.safe_norm(x, low, ord, axis, keepdims) for m in (gc, optax))
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
        found, wanted = (jax.grad(lambda x, m=m, f=f: f(m, x))(x) for m in (gc, optax))
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_safe_norm_of_matrices_and_bounds_that_are_arrays():
    x = jnp.stack([jnp.zeros((2, 2)), 3 * jnp.eye(2)])
    np.testing.assert_allclose(gc.safe_norm(x, 0.5, ord="fro", axis=(1, 2)), [0.5, np.sqrt(18)], rtol=1e-6)
    assert gc.safe_norm(x, 0.5, axis=[1, 2], ord="fro").shape == (2,)
    assert jax.grad(lambda low: gc.safe_norm(jnp.zeros(3), low))(0.5) == 1


@pytest.mark.parametrize("zero", [jnp.zeros(3), jnp.zeros((), jnp.complex64), jnp.zeros((2, 2))])
@pytest.mark.parametrize("f", [gc.safe_norm, gc.safe_root_mean_squares])
@pytest.mark.parametrize("low", [0.0, 1e-3])
def test_derivatives_at_zero_are_zero(f, zero, low):
    assert f(zero, low) == jnp.float32(low)
    assert not np.any(jax.grad(lambda x: f(x, low))(zero))


def test_safe_root_mean_squares(x64):
    x = jnp.asarray(np.random.default_rng(0).standard_normal((3, 4)))
    for low in (0.0, 0.5, 5.0):
        ours, theirs = gc.safe_root_mean_squares(x, low), optax.safe_root_mean_squares(x, low)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("name", ["safe_increment", "safe_int32_increment"])
def test_safe_increment(name):
    f = getattr(gc, name)
    for dtype in (jnp.int32, jnp.uint8, jnp.int16):
        top = jnp.iinfo(dtype).max
        new = f(jnp.array([0, top - 1, top], dtype))
        assert new.dtype == dtype and new.tolist() == [1, top, top]
    assert f(3) == 4 and f(jnp.float32(3)) == 4 and f(jnp.float32(3)).dtype == jnp.float32
    top = jnp.finfo(jnp.float32).max
    assert f(top) == top


def test_multi_normal(x64):
    rng = np.random.default_rng(0)
    loc, log_scale, x = (jnp.asarray(rng.standard_normal(s)) for s in ((2, 3), (2, 3), (5, 2, 3)))
    ours, theirs = gc.multi_normal(loc, log_scale), optax.multi_normal(loc, log_scale)
    key = jax.random.key(4)
    np.testing.assert_allclose(ours.sample((5,), key), theirs.sample((5,), key), rtol=1e-12)
    np.testing.assert_allclose(ours.log_prob(x), theirs.log_prob(x), rtol=1e-12)
    assert ours.params[0] is ours.loc and "multi_normal(loc=" in repr(ours)
    scipy = pytest.importorskip("scipy.stats")
    exact = scipy.norm(loc, np.exp(log_scale)).logpdf(x).sum((1, 2))
    np.testing.assert_allclose(ours.log_prob(x), exact, rtol=1e-12)
    moved = jax.grad(lambda loc: jnp.sum(gc.multi_normal(loc, log_scale).sample((4,), key)))(loc)
    np.testing.assert_allclose(moved, 4)
    with pytest.raises(ValueError, match=r"multi_normal: log_scale has shape \(4,\); expected that of loc"):
        gc.multi_normal(jnp.zeros(3), jnp.zeros(4))
