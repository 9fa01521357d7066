"""Schedules of consumed samples: exact far beyond 2^31, whatever the batches are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.schedules.samples import MOST, units_of

LINE = gc.linear_schedule(0.0, 1.0, 10**7)


@pytest.mark.parametrize(
    ("size", "unit"),
    [(3, 7), (4_194_304, 10**6), (999_983, 2**30), (7, 1), (MOST, 2**30 - 35), (10**6 + 3, 10**6 + 1)],
)
def test_units_are_exact(size, unit):
    """Against Python's integers, for constants and for operands."""
    t = np.concatenate([np.random.default_rng(0).integers(0, MOST, 100), [0, 1, MOST]])
    expected = [min(int(x) * size // unit, MOST) for x in t]
    counts = jnp.asarray(t, jnp.int32)
    np.testing.assert_array_equal(units_of(counts, size, unit), expected)
    traced = jax.jit(units_of)(counts, jnp.int32(size), jnp.int32(unit))
    np.testing.assert_array_equal(traced, expected)


def test_ten_million_million_tokens():
    """Update 2,384,186 of batches of 2^22 tokens is at 10^13 of them; in int32 it would be negative."""
    schedule = gc.by_samples(LINE, 2**22, unit=10**6)
    count = 10**13 // 2**22
    assert float(schedule(count)) == float(LINE(count * 2**22 // 10**6)) == pytest.approx(1.0, abs=1e-6)
    assert float(schedule(count // 2)) == pytest.approx(0.5, abs=1e-6)


def test_counted_samples_carry_exactly():
    schedule = gc.by_counted_samples(LINE, 4_194_303, unit=10**6)
    total = 9_999_995 * 10**6 + 999_999
    state = schedule.init()._replace(units=jnp.int32(9_999_995), samples=jnp.int32(999_999))
    update = jax.jit(schedule.update)
    for _ in range(5):
        state, total = update(state), total + 4_194_303
        assert (int(state.units), int(state.samples)) == divmod(total, 10**6)
    assert float(schedule(state)) == 1.0


def test_counted_samples_stop_at_the_largest_number():
    schedule = gc.by_counted_samples(LINE, 1000)
    state = schedule.update(schedule.init()._replace(units=jnp.int32(MOST - 10)))
    assert int(state.units) == MOST


def test_counted_samples_follow_a_ramp():
    """Microbatches of 2048 x 512 tokens: their number is a schedule, and what they hold is counted."""
    ramp = gc.batch_ramp_schedule(4, 16, 6)
    schedule = gc.by_counted_samples(LINE, ramp, unit=1024, each=2048 * 512)
    state, total = schedule.init(), 0
    for t in range(8):
        total += int(ramp(t)) * 2048 * 512
        state = schedule.update(state)
    assert (int(state.units), int(state.samples)) == divmod(total, 1024)


def test_fed_by_the_update():
    tx = gc.inject_hyperparams(gc.sgd)(learning_rate=gc.by_counted_samples(gc.linear_schedule(1.0, 0.0, 100)))
    params = {"w": jnp.zeros(2)}
    state, rates = tx.init(params), []
    for samples in (10, 30, 5):
        updates, state = tx.update({"w": jnp.ones(2)}, state, params, samples=samples)
        rates.append(-float(updates["w"][0]))
    np.testing.assert_allclose(rates, [1.0, 0.9, 0.6], rtol=1e-6)
    with pytest.raises(TypeError, match="needs samples"):
        tx.update({"w": jnp.ones(2)}, state, params)


def test_a_ramp_of_microbatches_is_data():
    """One program for all sizes of the batch, and the mean over those microbatches that ran."""
    ramp = gc.batch_ramp_schedule(1, 4, 3)
    batch = jnp.arange(8.0).reshape(8, 1)
    grad = jax.jit(gc.microbatch_grad(lambda p, x: jnp.mean(p["w"] * x), 4))
    for t, n in enumerate((1, 2, 3, 4, 4)):
        found = grad({"w": jnp.ones(())}, batch, steps=ramp(t).astype(int))
        np.testing.assert_allclose(found["w"], batch[: 2 * n].mean(), rtol=1e-6)
    assert grad._cache_size() == 1


def test_errors():
    with pytest.raises(ValueError, match="unit is 0, expected an integer from 1"):
        gc.by_counted_samples(LINE, unit=0)
    with pytest.raises(ValueError, match="unit is 1073741825, expected at most 2"):
        gc.by_samples(LINE, 5, 2**30 + 1)
    with pytest.raises(ValueError, match="end is 3, expected at least start = 4"):
        gc.batch_ramp_schedule(4, 3, 10)
    with pytest.raises(ValueError, match="rule is 'root', expected one of 'sqrt', 'linear'"):
        gc.batch_scaled_schedule(LINE, LINE, 4.0, "root")
