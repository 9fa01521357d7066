"""split_weights: bfloat16 parameters and a remainder are float32 parameters, bit for bit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.storage import parameters

LARGEST = np.uint32(0x7F7F0000)  # of bfloat16
SMALLEST = np.uint32(0x00800000)  # normal number; what is smaller becomes zero in sums, on CPUs and TPUs
SIGN = np.uint32(0x80000000)


def patterns() -> np.ndarray:
    """Bits of 8 million float32: every upper half with some lower ones, and the other way round."""
    rng = np.random.default_rng(0)
    edges = np.array([0, 1, 2, 3, 0x7FFE, 0x7FFF, 0x8000, 0x8001, 0x8002, 0xFFFD, 0xFFFE, 0xFFFF], np.uint32)
    lows = np.concatenate([edges, rng.integers(0, 1 << 16, 52, np.uint32)])
    special = [
        0,
        1,
        2,
        0x7F,
        0x80,
        0x81,
        0x3F7F,
        0x3F80,
        0x3FC0,
        0x4000,
        0x7F7E,
        0x7F7F,
        0x7F80,
        0x7F81,
        0x7FC0,
    ]
    special += [0x8000 | x for x in special]
    uppers = np.concatenate([np.array(special, np.uint32), rng.integers(0, 1 << 16, 34, np.uint32)])
    every = np.arange(1 << 16, dtype=np.uint32)
    return np.concatenate([(every[:, None] << 16 | lows).ravel(), (uppers[:, None] << 16 | every).ravel()])


X = patterns()
MAGNITUDE = X & ~SIGN
FINITE = MAGNITUDE < 0x7F800000
HELD = FINITE & (MAGNITUDE <= LARGEST)  # what is larger would be infinity in bfloat16


def bits(x) -> np.ndarray:
    return np.asarray(x, np.float32).view(np.uint32)


def floats(x) -> np.ndarray:
    return np.asarray(x, np.uint32).view(np.float32)


@jax.jit
def there_and_back(x):
    p = parameters.nearest(x)
    left = parameters.remainder(x, p)
    kept = left.astype(jnp.int16)
    return p, left, parameters.restore(p, kept.astype(jnp.int32))


def test_round_trip():
    p, left, again = map(np.asarray, there_and_back(floats(X)))
    np.testing.assert_array_equal(bits(again)[HELD], X[HELD])
    assert left.min() == -(1 << 15) and left.max() == (1 << 15) - 1
    head = bits(p)
    np.testing.assert_array_equal(head & 0xFFFF, np.where(np.isnan(floats(X)), head & 0xFFFF, 0))
    # The oracle: of the magnitude as a whole number, halves up; the sign on its own.
    expected = (MAGNITUDE.astype(np.int64) + 0x8000 >> 16 << 16).astype(np.uint32) | X & SIGN
    np.testing.assert_array_equal(head[HELD], expected[HELD])
    infinite, nan = MAGNITUDE == 0x7F800000, np.isnan(floats(X))
    np.testing.assert_array_equal(head[infinite], X[infinite])
    assert nan.any() and np.isnan(p[nan]).all() and np.isnan(again[nan]).all() and not left[nan].any()


def test_half_a_step_is_the_most_that_is_left():
    p, left, _ = map(np.asarray, there_and_back(floats(X)))
    x = floats(X)[HELD].astype(np.float64)
    spacing = np.spacing(np.abs(x).astype(np.float32)).astype(np.float64) * 2.0**16
    assert np.all(np.abs(x - p[HELD]) <= spacing / 2)
    ties = HELD & (X & 0xFFFF == 0x8000)
    assert ties.any() and np.all(left[ties] == -(1 << 15))  # away from zero: up in magnitude


def state_of(tx, remainder):
    state = tx.init(jnp.zeros(remainder.shape, jnp.bfloat16))
    return {"split_weights": state["split_weights"]._replace(remainder=remainder)}


def held(x, width=16):
    """bfloat16 parameters and a state that hold the float32 values x."""
    tx = gc.split_weights(width)
    p, left, _ = there_and_back(x)
    return tx, p.astype(jnp.bfloat16), state_of(tx, (left >> 16 - width).astype(f"int{width}"))


def master(params, state):
    left = state["split_weights"].remainder
    unused = 16 - 8 * left.dtype.itemsize
    return np.asarray(parameters.restore(params.astype(jnp.float32), left.astype(jnp.int32) << unused))


@jax.jit
def stepped(p, r, u):
    """With tx.step, and with the updates added by someone else, as Flax does."""
    tx = gc.split_weights(8 * r.dtype.itemsize)
    state = state_of(tx, r)
    updates, after = tx.update(u, state, p)
    return tx.step(u, state, p), ((p + updates).astype(p.dtype), after)


def steps(p, state, u):
    (p1, s1), (p2, s2) = stepped(p, state["split_weights"].remainder, u)
    np.testing.assert_array_equal(bits(p1), bits(p2))
    np.testing.assert_array_equal(s1["split_weights"].remainder, s2["split_weights"].remainder)
    return p1, s1


def test_nothing_added_changes_nothing():
    """Numbers of every kind stay what they are, except that sums have no denormal numbers."""
    x = X[HELD & (MAGNITUDE >= SMALLEST)]
    _, p, state = held(floats(x))
    again, after = steps(p, state, jnp.zeros(p.shape))
    np.testing.assert_array_equal(bits(again), bits(p))
    np.testing.assert_array_equal(bits(master(again, after)), x)
    _, p, state = held(floats(X[MAGNITUDE < SMALLEST]))
    again, after = steps(p, state, jnp.zeros(p.shape))
    assert np.all(np.abs(master(again, after)) < 2.0**-126) and np.all(np.isfinite(again.astype(jnp.float32)))


@pytest.mark.parametrize("apart", [2.0**-20, 2.0**-8, 1.0, 2.0**10, 2.0**15])
def test_steps_are_those_of_float32(apart):
    """From any number by any step: the bits of float32 addition."""
    rng = np.random.default_rng(1)
    x = (rng.standard_normal(1 << 19) * 2.0 ** rng.uniform(-60, 60, 1 << 19)).astype(np.float32)
    u = (x * rng.standard_normal(x.size) * apart).astype(np.float32)
    _, p, state = held(x)
    after, state = steps(p, state, u)
    expected = x + u
    near = np.abs(np.asarray(p, np.float32)) <= 2.0**16 * np.abs(expected)
    assert near.mean() > 0.99
    np.testing.assert_array_equal(bits(master(after, state))[near], bits(expected)[near])
    consistent(after, state)


def consistent(p, state):
    """The parameters are what their master rounds to."""
    m = master(p, state)
    assert np.all(np.isfinite(m))
    np.testing.assert_array_equal(np.asarray(parameters.nearest(m)), np.asarray(p, np.float32))


def test_a_sum_that_misses_its_target_is_noticed():
    """p + u cannot be every number far below p: what is kept is then the sum, as near as float32 is at p.

    It is rare: x + u has no more bits there than p + u.
    """
    rng = np.random.default_rng(2)
    x = rng.standard_normal(1 << 20).astype(np.float32)
    target = (x * rng.standard_normal(x.size) * 2.0 ** rng.uniform(-60, -10, x.size)).astype(np.float32)
    u = target - x
    _, p, state = held(x)
    after, state = steps(p, state, u)
    expected, m = x + u, master(after, state)
    missed = np.asarray(after, np.float32) != np.asarray(parameters.nearest(expected))
    assert 20 < missed.sum() < 1000
    ratio = np.abs(np.asarray(p, np.float32)) / np.maximum(np.abs(expected), 1e-30)
    assert ratio[missed].min() >= 2.0**15
    assert np.all(np.abs(m - expected) <= 2.0**-23 * np.abs(np.asarray(p, np.float32)))
    consistent(after, state)
    again, state = steps(after, state, u * 0)  # and nothing drifts afterwards
    np.testing.assert_array_equal(bits(again), bits(after))
    np.testing.assert_array_equal(bits(master(again, state)), bits(m))


def test_any_two_numbers():
    """Steps between random bit patterns leave no NaN, no infinity, and parameters that fit their master."""
    rng = np.random.default_rng(3)
    usable = X[HELD & (MAGNITUDE >= SMALLEST)]
    x, y = floats(rng.choice(usable, 1 << 21)), floats(rng.choice(usable, 1 << 21))
    with np.errstate(over="ignore"):
        u = y - x
    keep = np.abs(u) < 2.0**127  # target - p is to be a number too
    _, p, state = held(x[keep])
    after, state = steps(p, state, u[keep])
    consistent(after, state)


def test_the_end_of_the_range_is_not_infinity():
    """A finite sum stays finite: nothing that is added brings a parameter back from infinity."""
    top = float(jnp.finfo(jnp.bfloat16).max)
    x = np.array([top, -top, top, 0.9999 * top], np.float32)
    u = np.array([0.0035 * top, -0.0035 * top, 0.0019 * top, 0.003 * top], np.float32)
    assert np.all(np.isfinite(x + u)) and np.all(np.abs(x + u) > top)
    _, p, state = held(x)
    for _ in range(3):
        p, state = steps(p, state, u)
    np.testing.assert_array_equal(np.abs(np.asarray(p, np.float32)), top)
    p, state = steps(p, state, -x / 2)
    np.testing.assert_allclose(master(p, state), np.sign(x) * top - x / 2, rtol=1e-6)


@pytest.mark.parametrize("width", [8, 16])
def test_infinity_and_nan_stay_what_they_are(width):
    inf, nan = np.inf, np.nan
    x = np.array([inf, -inf, nan, 1.0, 1.0, 1.0, inf], np.float32)
    u = np.array([1.0, 5.0, 1.0, inf, -inf, nan, -inf], np.float32)
    _, p, state = held(x, width)
    for _ in range(2):
        p, state = steps(p, state, u)
        assert not np.any(state["split_weights"].remainder)
    np.testing.assert_array_equal(np.asarray(p, np.float32), [inf, -inf, nan, inf, -inf, nan, nan])


@pytest.mark.parametrize("width", [8, 16])
def test_parameters_set_from_outside(width):
    """The parameter wins; a remainder that is left is less than half of its spacing, zeros stay zeros."""
    _, _, state = held(np.float32([1.001, 1.001, -3.001, 2.999, 0.3, 5.0]), width)
    given = jnp.asarray([0.0, -0.0, 0.0, 100.0, -(2.0**-100), np.inf], jnp.bfloat16)
    assert np.asarray(state["split_weights"].remainder).min() < 0 < state["split_weights"].remainder.max()
    after, state = steps(given, state, jnp.zeros(6))
    np.testing.assert_array_equal(np.asarray(after, np.float32), np.asarray(given, np.float32))
    m, given = master(after, state), np.asarray(given, np.float32)
    assert m[5] == np.inf
    assert np.all(np.abs(m[:5] - given[:5]) <= 2.0**-8 * np.abs(given[:5]))


def test_eight_bits_are_unbiased():
    """A remainder of 8 bits is rounded at random, on average to the number itself; 24 bits are kept."""
    n = 1 << 16
    x = np.repeat(np.float32([1.0, -1.0, 3e-20, 0.7]), n)
    p, state = held(x, 8)[1:]
    u = np.repeat(np.float32([1e-6, -1e-6, 2e-26, 0.0]), n)
    after, state = steps(p, state, u)
    m, expected = master(after, state).astype(np.float64), (floats(bits(master(p, held(x, 8)[2]))) + u)
    spacing = np.spacing(np.abs(x)).astype(np.float64) * 256
    off = (m - expected) / spacing
    assert np.all(np.abs(off) < 1) and np.all(bits(m.astype(np.float32)) % 256 == 0)
    assert np.all(np.abs(off.reshape(4, n).mean(1)) < 5 * 0.5 / np.sqrt(n))
    assert np.ptp(m[:n]) > 0 and np.ptp(m[3 * n :]) == 0  # what fits is kept as it is


@pytest.mark.parametrize("width", [7, 32, 0, True, "16", None])
def test_bits_must_be_eight_or_sixteen(width):
    with pytest.raises(ValueError, match=r"split_weights: bits is .* expected (16, or 8|a whole number)"):
        gc.split_weights(width)


def test_float16_is_refused():
    params = {"layer": {"kernel": jnp.ones((2, 2), jnp.float16)}}
    with pytest.raises(
        ValueError, match=r"split_weights: the parameter 'layer/kernel' is float16.*master_weights"
    ):
        gc.split_weights().init(params)
