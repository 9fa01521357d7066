"""The noise and the integers that rounding is made of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradchain.math import rounding

N = 512


def noise(seed=0, step=1, salt="a/kernel", shape=(N, N)):
    bits = rounding.random_bits(rounding.fold(seed, step), shape, rounding.word(salt))
    return np.asarray(bits, np.float64) / 2**32


def correlation(x, y):
    """In standard deviations of what independent noise shows."""
    return np.corrcoef(x.ravel(), y.ravel())[0, 1] * np.sqrt(x.size)


def test_noise_is_uniform():
    x = noise()
    assert abs(x.mean() - 0.5) * np.sqrt(12 * x.size) < 4
    counts, _ = np.histogram(x, 256, (0, 1))
    chi2 = np.sum((counts - x.size / 256) ** 2 / (x.size / 256))
    assert abs(chi2 - 255) < 5 * np.sqrt(2 * 255)
    bits = np.asarray(rounding.random_bits(rounding.fold(3), (N, N)))
    for i in range(32):
        assert abs(((bits >> i) & 1).mean() - 0.5) * 2 * N < 5


@pytest.mark.parametrize("by", [(1, 0), (0, 1), (1, 1), (0, 2), (16, 0), (0, 256), (3, 5)])
def test_neighbours_are_independent(by):
    x = noise()
    assert abs(correlation(x, np.roll(x, by, (0, 1)))) < 5


@pytest.mark.parametrize("other", [{"seed": 1}, {"step": 2}, {"step": 3}, {"salt": "b/kernel"}])
def test_seeds_steps_and_leaves_are_independent(other):
    assert abs(correlation(noise(), noise(**other))) < 5


def test_one_element_over_the_steps():
    keys = jax.vmap(lambda t: rounding.fold(0, t))(jnp.arange(20_000))
    x = np.asarray(jax.vmap(lambda k: rounding.random_bits(k, (8,)))(keys), np.float64) / 2**32
    assert np.max(np.abs(x.mean(0) - 0.5)) * np.sqrt(12 * len(x)) < 5
    assert max(abs(correlation(x[1:, i], x[:-1, i])) for i in range(8)) < 5
    assert max(abs(correlation(x[:, i], x[:, j])) for i in range(8) for j in range(i)) < 5


@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4), (5, 8, 6, 3), (1, 1), (4, 1, 5), (1000, 33), ()])
def test_every_element_has_a_number_of_its_own(shape):
    for index in (rounding._index, rounding._short_index):
        assert len(np.unique(index(shape))) == np.prod(shape, dtype=int)


def test_integers_as_floats():
    n = jnp.asarray([*range(-300, 300), -(2**22), 2**22 - 1, 32767, -32768])
    np.testing.assert_array_equal(rounding.small_float(n), np.asarray(n, np.float32))


@pytest.mark.parametrize(
    "slots", [("scale_by_adam/mu", "scale_by_adam/nu"), ("scale_by_adam/nu", "x/nu_max")]
)
def test_slots_share_a_hash_and_not_their_noise(slots):
    """A million elements, four steps: means, neighbours along both axes, steps and slots, within 5 sigma."""
    n = 2**20
    bound = 5 / np.sqrt(n)

    def of(step, slot, shape=(1024, 1024)):
        key = rounding.fold(0, step)
        bits = rounding.bits_of_slot(key, shape, rounding.word("layer/kernel"), rounding.word(slot))
        return (np.asarray(bits, np.float64) / 2**32 - 0.5) * np.sqrt(12)

    for step in range(4):
        x, y, later = of(step, slots[0]), of(step, slots[1]), of(step + 1, slots[0])
        assert abs(np.mean(x)) < bound and abs(np.mean(x**2) - 1) < 2 * bound
        for other in (y, later, np.roll(x, 1, 0), np.roll(x, 1, 1), np.roll(x, 5, 1), np.roll(y, 1, 0)):
            assert abs(np.mean(x * other)) < bound
        whole = np.histogram(x, 256)[0]
        assert np.sum((whole - n / 256) ** 2) / (n / 256) < 255 + 5 * np.sqrt(510)
