"""in_kernel: the value to the bit, whatever the compilers make of it."""

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.math import numerics


def test_what_a_kernel_writes_itself_is_the_value():
    x, old = jnp.array([1.0, -0.0, jnp.inf, jnp.nan]), jnp.full(4, 7.0)
    for found in (numerics.in_kernel(x, jnp.int32(1) > 0, old), numerics.in_kernel(x, x == x, x)):
        np.testing.assert_array_equal(np.asarray(found).view(np.int32)[:3], np.asarray(x).view(np.int32)[:3])
        assert jnp.isnan(found[3])
    z = numerics.in_kernel(x[:2] + 1j, old[:2] > 0, old[:2])  # the old one may be real
    np.testing.assert_array_equal(z, x[:2] + 1j)
    slope = jax.grad(lambda x, old: jnp.sum(numerics.in_kernel(x, old > 0, old)), (0, 1))(x[:2], old[:2])
    np.testing.assert_array_equal(slope, [[1, 1], [0, 0]])
