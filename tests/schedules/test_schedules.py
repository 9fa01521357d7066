"""Laws of every schedule, its formula in plain NumPy, its precision, its errors, and agreement with Optax."""

import dataclasses
import json
import pickle
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from schedule_cases import CASES, IDS, build, numbers, put, stretched

import gradchain.schedules as gs

every = pytest.mark.parametrize("case", CASES, ids=IDS)
COUNTS = np.arange(80)
ULPS = 4e-7  # the last bits of float32
REPR_SCOPE = {**gs.SCHEDULES, "jnp": jnp}


def strong(value, dtype=jnp.float32):
    return isinstance(value, jax.Array) and value.dtype == dtype and not value.weak_type


def test_every_schedule_has_an_example():
    assert {type(case.schedule).__name__ for case in CASES} == set(gs.SCHEDULES)
    assert all(cls.__name__ == name and getattr(gs, name) is cls for name, cls in gs.SCHEDULES.items())


@every
def test_is_a_value(case):
    s = case.schedule
    twin = type(s)(**{f.name: getattr(s, f.name) for f in dataclasses.fields(s)})
    for other in (twin, eval(repr(s), REPR_SCOPE), pickle.loads(pickle.dumps(s)), dataclasses.replace(s)):
        assert other == s and hash(other) == hash(s) and repr(other) == repr(s) and type(other) is type(s)
    for path, value in numbers(s):
        other = put(s, path, value + (1 if isinstance(value, int) else 1e-3))
        assert other != s and repr(other) != repr(s), path
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(s, dataclasses.fields(s)[0].name, 1)


@every
def test_formula(case, x64):
    counts = np.concatenate([COUNTS, [1000, 10**7]])
    expected = np.broadcast_to(case.formula(counts.astype(float)), counts.shape)
    np.testing.assert_allclose(case.schedule(counts), expected, rtol=1e-12, atol=1e-16)


@every
def test_count_0_is_the_first_update(case):
    assert float(case.schedule(0)) == np.float32(case.formula(np.float64(0)))


@every
def test_end_is_exact_and_held(case):
    if case.last is not None:
        count, value = case.last
        after = case.schedule(np.array([count, count + 1, count + 1000, 2**31 - 1]))
        np.testing.assert_array_equal(after, np.float32(value))


@every
def test_counts_may_be_anything_integer(case):
    whole = case.schedule(COUNTS)
    for n in (0, 1, 3, 9, 17, 29, 36, 52):  # XLA divides one number and many with different last bits
        np.testing.assert_allclose(case.schedule(n), whole[n], rtol=ULPS, atol=0)
    for counts in (COUNTS.astype(np.int8), jnp.asarray(COUNTS, jnp.uint32)):
        np.testing.assert_array_equal(whole, case.schedule(counts))
    np.testing.assert_array_equal(whole.reshape(4, 20), case.schedule(COUNTS.reshape(4, 20)))
    assert case.schedule(np.zeros((0, 2), int)).shape == (0, 2)
    np.testing.assert_array_equal(case.schedule(-5), case.schedule(0))
    for count in (1.0, jnp.ones(3), True):
        with pytest.raises(TypeError, match="expected integers"):
            case.schedule(count)


@every
def test_jit_vmap_and_scan_agree_with_eager(case):
    eager = case.schedule(COUNTS)
    jitted, mapped = jax.jit(case.schedule)(COUNTS), jax.jit(jax.vmap(case.schedule))(COUNTS)
    _, scanned = jax.lax.scan(lambda n, _: (n + 1, case.schedule(n)), jnp.int32(0), None, length=80)
    for other in (jitted, mapped, scanned):
        assert strong(other)
        np.testing.assert_allclose(other, eager, rtol=ULPS, atol=0)


@every
def test_dtype_is_the_default_float_and_strong(case):
    counts = (0, np.int64(3), jnp.int16(3), COUNTS)
    assert strong(case.schedule(0))
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        shapes = [jax.eval_shape(case.schedule, n) for n in counts]
    assert all(s.dtype == jnp.float32 and not s.weak_type for s in shapes)
    with jax.enable_x64(True):
        assert strong(case.schedule(0), jnp.float64)
        shapes = [jax.eval_shape(case.schedule, n) for n in counts]
    assert all(s.dtype == jnp.float64 and not s.weak_type for s in shapes)


@every
def test_stays_within_its_bounds(case):
    values, expected = np.asarray(case.schedule(COUNTS)), case.formula(COUNTS.astype(float))
    assert np.isfinite(case.schedule(np.array([0, 2**31 - 1]))).all()
    assert values.min() >= np.min(expected) * (1 - 1e-6) and values.max() <= np.max(expected) * (1 + 1e-6)


@every
def test_float32_does_not_drift(case):
    """Lengths of millions: float32 against float64, relatively, down to the last step before an end at 0."""
    s = stretched(case.schedule, 200_003)
    points = np.array([n for _, n in numbers(s) if isinstance(n, int)] + [(case.last or [9])[0] * 200_003])
    around = np.resize(np.maximum(points[:, None] + np.arange(-3, 4), 0), 100)
    counts = np.concatenate([np.random.default_rng(0).integers(0, 10**7, 500), around])
    with jax.enable_x64(True):
        expected = np.asarray(s(counts))
    np.testing.assert_allclose(s(counts), expected, rtol=1e-6, atol=0)


def test_a_rate_near_1_keeps_its_digits():
    s = gs.exponential_decay(1.0, 1, 0.999999)
    counts = np.array([1, 1000, 10**6, 10**7])
    expected = 0.999999 ** counts.astype(float)
    np.testing.assert_allclose(s(counts), expected, rtol=2e-6)
    rounded = np.float64(np.float32(0.999999)) ** 1e7  # the control: the rate itself in float32
    assert abs(rounded / expected[-1] - 1) > 0.1


def of_numbers(schedule, kinds=(int, float)):
    """The schedule as a function of its numbers, and the numbers."""
    paths, values = zip(*((p, v) for p, v in numbers(schedule) if isinstance(v, kinds)), strict=True)

    def rebuild(values):
        s = schedule
        for path, value in zip(paths, values, strict=True):
            s = put(s, path, value)
        return s

    return rebuild, values


@every
def test_numbers_may_be_tracers(case):
    rebuild, values = of_numbers(case.schedule)
    at = jax.jit(lambda *values: rebuild(values)(COUNTS))
    traced = at(*values)
    assert strong(traced)
    np.testing.assert_allclose(traced, case.schedule(COUNTS), rtol=2e-6, atol=1e-8)
    many = jax.jit(jax.vmap(at))(*(jnp.stack([v, v]) for v in map(jnp.asarray, values)))
    np.testing.assert_allclose(many, jnp.stack([traced, traced]), rtol=ULPS, atol=1e-8)
    s = rebuild([jnp.asarray(v) for v in values])
    assert eval(repr(s), REPR_SCOPE) == s and pickle.loads(pickle.dumps(s)) == s
    np.testing.assert_allclose(s(7), traced[7], rtol=2e-6, atol=1e-8)


@every
def test_gradients_are_finite_and_right(case, x64):
    if any(isinstance(value, float) for _, value in numbers(case.schedule)):
        rebuild, values = of_numbers(case.schedule, float)
        at = jax.jit(lambda v: rebuild(tuple(v))(COUNTS))
        slopes = np.asarray(jax.jit(jax.jacrev(at))(jnp.array(values)))  # [counts, numbers]
        assert np.isfinite(slopes).all()
        for i, step in enumerate(1e-6 * np.eye(len(values))):
            numeric = (at(values + step) - at(values - step)) / 2e-6
            np.testing.assert_allclose(
                slopes[:, i], numeric, rtol=1e-5, atol=1e-7 * np.abs(slopes[:, i]).max()
            )


def test_gradient_where_a_growing_rate_is_bounded():
    at = jax.grad(lambda rate: gs.exponential_decay(1.0, 1, rate, end_value=10.0)(10**6))
    assert at(2.0) == 0


BEYOND_OPTAX = {
    "batch_ramp_schedule",
    "batch_scaled_schedule",
    "by_samples",
    "cyclic_schedule",
    "inverse_sqrt_schedule",
    "inverse_time_schedule",
    "rex_schedule",
    "sigmoid_schedule",
    "staircase_schedule",
    "wsd_schedule",
}


def to_optax(optax, s):
    def convert(name, value):
        if name == "boundaries_and_scales":
            return dict(value)
        return [to_optax(optax, v) for v in value] if name == "schedules" else value

    if isinstance(s, gs.sgdr_schedule):
        return optax.sgdr_schedule([dataclasses.asdict(cycle) for cycle in s.cosine_kwargs])
    fields = {f.name: convert(f.name, getattr(s, f.name)) for f in dataclasses.fields(s)}
    return getattr(optax, type(s).__name__)(**fields)


@every
def test_optax_agrees(case, x64):
    optax = pytest.importorskip("optax")
    if not hasattr(optax, type(case.schedule).__name__):
        assert type(case.schedule).__name__ in BEYOND_OPTAX
    elif case.schedule == gs.warmup_constant_schedule(0.1, 0.6, 0):
        assert to_optax(optax, case.schedule)(0) == 0.1  # no warmup: Optax stays at init_value
    else:
        theirs = np.broadcast_to(jax.vmap(to_optax(optax, case.schedule))(jnp.arange(80)), (80,))
        np.testing.assert_allclose(case.schedule(COUNTS), theirs, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("name", sorted(gs.SCHEDULES))
def test_optax_has_the_same_signature(name):
    optax = pytest.importorskip("optax")
    if hasattr(optax, name):
        import inspect

        theirs = inspect.signature(getattr(optax, name)).parameters
        ours = inspect.signature(gs.SCHEDULES[name]).parameters
        assert list(ours) == list(theirs)
        for key, p in ours.items():
            default = theirs[key].default
            assert p.default == (() if key == "boundaries_and_scales" else default), key


GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "schedules.npz")
CONFIGS = json.loads(str(GOLDEN["record"]))["configs"]


@pytest.mark.parametrize("name", CONFIGS)
def test_golden(name, x64):
    """Against PyTorch and Transformers; and a change of any number by 10 % must be seen."""
    expected, schedule = GOLDEN[name], build(CONFIGS[name])
    counts = np.arange(len(expected))
    np.testing.assert_allclose(schedule(counts), expected, rtol=1e-10, atol=1e-17)
    for path, value in numbers(schedule):
        if name == "CosineAnnealingWarmRestarts" and path[-1] == "init_value":
            continue  # the start of a warmup of 0 steps
        changed = put(
            schedule, path, value + max(1, value // 10) if isinstance(value, int) else value * 1.1 or 0.01
        )
        difference = np.abs(changed(counts) - expected)
        assert (difference > 1e-8 * np.abs(expected)).any(), path
