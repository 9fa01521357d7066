"""numerics.bounded: sizes up to 2^50, infinities and NaN as they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradchain.math.numerics import BOUND, _bounded_on_gpu, _bounded_plainly, bounded


def test_what_is_finite_is_bounded_and_nothing_is_hidden():
    x = jnp.asarray([0.0, -3.0, 1e10, 1e20, -3e38, jnp.inf, -jnp.inf, jnp.nan])
    found = np.asarray(bounded(x))
    np.testing.assert_array_equal(found[:3], [0, -3, 1e10])
    np.testing.assert_allclose(found[3:5], [BOUND, -BOUND], rtol=1e-6)
    assert found[5] == np.inf and found[6] == -np.inf and np.isnan(found[7])


def test_without_a_constant_it_is_the_same_to_the_bit(x64):
    """Every exponent of float32 and of float64, both signs, around the bound, and what is not finite."""
    for dtype, bits in ((np.float32, 128), (np.float64, 1024)):
        powers = np.exp2(np.arange(-bits - 30, bits, dtype=np.longdouble)).astype(dtype)
        near = [np.nextafter(dtype(BOUND), dtype(to)) for to in (0, np.inf)]
        x = np.concatenate([powers, 1.7 * powers[:-1], near, [0, BOUND, np.inf, np.nan]]).astype(dtype)
        x = jnp.asarray(np.concatenate([x, -x]))
        found, expected = (np.asarray(jax.jit(f)(x)) for f in (_bounded_on_gpu, _bounded_plainly))
        assert found.dtype == dtype and found.tobytes() == expected.tobytes()
        slopes = [jax.vmap(jax.grad(f))(x) for f in (_bounded_on_gpu, _bounded_plainly)]
        smooth = np.abs(x) != BOUND
        np.testing.assert_array_equal(*(np.asarray(slope)[smooth] for slope in slopes))


def test_a_complex_number_keeps_its_direction():
    found = complex(bounded(jnp.asarray(3e20 + 4e20j)))
    assert found == pytest.approx(BOUND * (0.6 + 0.8j), rel=1e-6)


def test_its_derivative_is_one_below_the_bound():
    assert jax.grad(lambda x: bounded(x))(2.0) == 1 and jax.grad(lambda x: bounded(x))(0.0) == 1
