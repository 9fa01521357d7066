"""log8: every code, no bias, no zeros for squares, nothing lost of NaN and infinity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from codec_cases import codecs, noise, slot, there_and_back

from gradchain.math import rounding

SIDES = [False, True]
LEVELS = [2, 4, 8]


def all_codes(positive):
    return jnp.arange(256).astype(jnp.uint8) if positive else jnp.arange(-128, 128).astype(jnp.int8)


@pytest.mark.parametrize("positive", SIDES)
@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("bits", [0, 1, 2**31, 2**32 - 1])
def test_every_code_comes_back(positive, levels, bits):
    """All 256, whatever the noise: what is stored does not wander by being read."""
    codec = codecs.log8(levels=levels, positive=positive)
    codes = all_codes(positive)
    values = codec.decode(codes)
    (again,) = codec.encode(values, lambda: jnp.full((256,), bits, jnp.uint32))
    number = ~np.isnan(values)
    assert np.sum(~number) == (1 if positive else 3)  # 255, or 127 with either sign and -128
    np.testing.assert_array_equal(again[number], codes[number])
    assert np.all(np.isnan(codec.decode(again[~number])))


@pytest.mark.parametrize("positive", SIDES)
@pytest.mark.parametrize("levels", LEVELS)
def test_codes_are_the_documented_numbers(positive, levels):
    codec = codecs.log8(levels=levels, positive=positive)
    low, top = (-52 if positive else -25), (253 if positive else 125)
    n = np.arange(top + 1)
    octave, j = n // levels - 1, n % levels
    expected = np.where(n < levels, 2.0**low * n / levels, 2.0 ** (low + octave) * (1 + j / levels))
    codes = jnp.asarray(n).astype(jnp.uint8 if positive else jnp.int8)
    np.testing.assert_array_equal(np.asarray(codec.decode(codes), np.float64), expected)
    if not positive:
        np.testing.assert_array_equal(np.asarray(codec.decode(-codes), np.float64), -expected)


@pytest.mark.parametrize("positive", SIDES)
def test_the_neighbours_enclose_and_their_mean_is_exact(positive):
    """Over all 2^10 noises in even steps the mean is the value itself, to the resolution of the noise."""
    codec = codecs.log8(positive=positive)
    x = jnp.asarray(np.random.default_rng(0).uniform(2.0**-10, 2.0**3, 2000), jnp.float32)
    draws = jnp.arange(2**10, dtype=jnp.uint32) << 22
    found = jax.vmap(lambda b: codec.decode(*codec.encode(x, lambda: jnp.full(x.shape, b))))(draws)
    low, high = np.min(found, 0), np.max(found, 0)
    assert np.all(low <= x) and np.all(x < 1.25 * low) and np.all(high <= 1.25 * low)
    assert np.mean(high > x) > 0.99  # all but those within 2^-10 of a code
    mean = np.mean(np.asarray(found, np.float64), 0)
    assert np.max(np.abs(mean - x) / x) < 0.25 * 2.0**-9


@pytest.mark.parametrize("size", [1e-8, 3e-9, 1e-10])
def test_below_the_range_means_are_unbiased_too(size):
    codec, x = codecs.log8(positive=False), jnp.full((400, 1000), size, jnp.float32)
    found = there_and_back(codec, x)
    error = np.std(found) / np.sqrt(x.size)
    assert abs(np.mean(np.asarray(found, np.float64)) - size) < 5 * error < size


def test_a_positive_value_is_never_zero():
    codec = codecs.log8(positive=True)
    x = jnp.asarray([1e-45, 1e-38, 1e-30, 1e-20, 5e-17, 1.0, 3e38], jnp.float32)
    for step in range(50):
        assert np.all(there_and_back(codec, x, step) > 0)
    assert there_and_back(codec, jnp.zeros(4)).tolist() == [0, 0, 0, 0]


def test_what_is_no_number_stays_none():
    """NaN and infinity are kept visible; a finite number, however large, stays finite."""
    x = jnp.asarray([jnp.nan, jnp.inf, -jnp.inf, 3e38, -3e38, -0.0], jnp.float32)
    signed = np.asarray(there_and_back(codecs.log8(positive=False), x))
    np.testing.assert_array_equal(signed, [np.nan, np.inf, -np.inf, 40, -40, 0])
    squares = np.asarray(there_and_back(codecs.log8(positive=True), x))
    np.testing.assert_array_equal(squares, [np.nan, np.inf, np.nan, 1280, np.nan, 0])


@pytest.mark.parametrize("positive", SIDES)
def test_a_nan_is_kept_whatever_its_bits(positive):
    """Those of GPUs have all bits set, those of x86 the sign; a sum with the noise must not overflow."""
    codec = codecs.log8(positive=positive)
    found = np.asarray([0x7FFFFFFF, 0xFFFFFFFF, 0x7FC00000, 0xFFC00000], np.uint32).view(np.float32)
    for bits in (0, 2**32 - 1):
        (code,) = codec.encode(jnp.asarray(found), lambda bits=bits: jnp.full((4,), bits, jnp.uint32))
        assert np.all(np.isnan(codec.decode(code)))


def test_a_small_negative_square_is_no_number_or_zero():
    codec = codecs.log8(positive=True)
    found = there_and_back(codec, jnp.asarray([-1.0, -1e-10, -1e-20], jnp.float32))
    np.testing.assert_array_equal(found, [np.nan, np.nan, 0])


def ema(encode, b2=0.999, steps=20_000, n=4096):
    """The mean over n copies of an EMA of squares of normal numbers, whose mean is 1."""
    codec = codecs.log8(positive=True)

    def step(code, t):
        g = jax.random.normal(jax.random.fold_in(jax.random.key(0), t), (n,))
        v = b2 * codec.decode(code) + (1 - b2) * g * g
        return encode(codec, v, t), None

    start = codec.encode(jnp.full(n, 0.5), noise((n,)))[0]
    code, _ = jax.jit(lambda c: jax.lax.scan(step, c, jnp.arange(steps)))(start)
    return float(jnp.mean(codec.decode(code)))


@pytest.mark.slow  # one rounding: test_the_neighbours_enclose_and_their_mean_is_exact
def test_a_slow_average_is_unbiased():
    """Within 1 % after 20,000 steps at b2 = 0.999; rounding in the logarithm, the control, is outside."""

    def linear(codec, v, t):
        return codec.encode(v, lambda: rounding.random_bits(rounding.fold(0, t), v.shape))[0]

    def logarithmic(codec, v, t):
        below = codec.decode(codec.encode(v, lambda: jnp.zeros(v.shape, jnp.uint32))[0])
        above = codec.decode(codec.encode(v, lambda: jnp.full(v.shape, 2**32 - 1, jnp.uint32))[0])
        part = jnp.where(above > below, jnp.log(v / below) / jnp.log(jnp.maximum(above / below, 1 + 1e-6)), 0)
        up = rounding.uniform(rounding.random_bits(rounding.fold(0, t), v.shape)) < part
        return codec.encode(jnp.where(up, above, below), lambda: jnp.zeros(v.shape, jnp.uint32))[0]

    def nearest(codec, v, t):
        return codec.encode(v, lambda: jnp.full(v.shape, 2**31, jnp.uint32))[0]

    assert abs(ema(linear) - 1) < 0.01
    assert abs(ema(logarithmic, n=512) - 1) > 0.03
    assert ema(nearest, n=8) == 0.5  # without noise it does not move at all


def test_arguments():
    with pytest.raises(ValueError, match="levels is 3; expected 2, 4 or 8"):
        codecs.log8(levels=3)
    with pytest.raises(ValueError, match="exponents from -202"):
        codecs.log8(low=-100)
    with pytest.raises(codecs.CodecError, match="holds squares, and the slot is signed"):
        codecs.log8(positive=True).fit(slot(False))
    assert codecs.log8().fit(slot(True)) == codecs.log8(positive=True)
    assert repr(codecs.log8(low=-20)) == "codecs.log8(low=-20)"
