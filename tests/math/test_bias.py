"""The correction of an average that started at zero, at the precision it is used with."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradchain.math import numerics


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.999, 0.9999, 1 - 1e-6])
@pytest.mark.parametrize("t", [1, 2, 10, 1000, 100_000])
def test_a_constant_decay_is_not_rounded(decay, t):
    exact = 1.0 if decay == 0 else -np.expm1(t * np.log(decay))
    np.testing.assert_allclose(numerics.bias(decay, jnp.int32(t)), exact, rtol=4e-7)


def test_a_traced_decay_keeps_the_digits_that_it_has():
    decay = np.float32(0.9999)
    exact = -np.expm1(10 * np.log(np.float64(decay)))
    np.testing.assert_allclose(jax.jit(numerics.bias)(decay, jnp.int32(10)), exact, rtol=4e-7)


def test_its_derivative_at_a_decay_of_zero_is_finite():
    assert np.isfinite(jax.grad(lambda b: numerics.bias(b, jnp.int32(3)))(0.0))
