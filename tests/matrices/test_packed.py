"""Symmetric matrices at half the bytes: exact, there and back."""

import jax.numpy as jnp
import numpy as np
import pytest

from gradchain.matrices import packed


@pytest.mark.parametrize("m", [1, 2, 5, 8, 128, 131])
def test_there_and_back(m):
    x = np.random.default_rng(m).standard_normal((2, m, m, 2)) @ np.array([1, 1j])
    x = jnp.asarray(x + x.conj().swapaxes(1, 2), jnp.complex64)
    kept = packed.pack(x)
    assert kept.shape == (2, *packed.shape(m))
    np.testing.assert_array_equal(packed.unpack(kept, m), x)
    np.testing.assert_array_equal(packed.unpack(packed.pack(x.real), m), x.real)


def test_bytes():
    assert packed.shape(6) == (3, 7) and packed.shape(7) == (4, 9)
    assert packed.shape(4096) == (2048, 4104)  # 0.2 % more than half, and both sides are even
