"""What the schedules take: forms of arguments, special cases, and errors that say what was expected."""

import json
import math
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from schedule_cases import build

import gradchain.schedules as gs

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "schedules.npz")
CYCLE = {"init_value": 0.1, "peak_value": 0.3, "warmup_steps": 4, "decay_steps": 30}


def joined(schedules, boundaries):
    return lambda: gs.join_schedules(schedules, boundaries)


line, constant = gs.linear_schedule(0.0, 1.0, 5), gs.constant_schedule(0.5)

ERRORS = (
    (lambda: gs.constant_schedule(math.nan), "constant_schedule: value is nan, expected a finite number"),
    (lambda: gs.constant_schedule(True), "constant_schedule: value is True, expected a finite number"),
    (lambda: gs.constant_schedule("0.1"), "constant_schedule: value is '0.1', expected a finite number"),
    (lambda: gs.constant_schedule(None), "constant_schedule: value is None, expected a finite number"),
    (lambda: gs.linear_schedule(1, math.inf, 5), "linear_schedule: end_value is inf, expected a finite"),
    (
        lambda: gs.linear_schedule(1, 0, -1),
        "linear_schedule: transition_steps is -1, expected an integer of at least 0",
    ),
    (lambda: gs.linear_schedule(1, 0, 2.5), "transition_steps is 2.5, expected an integer"),
    (lambda: gs.linear_schedule(1, 0, 2**31), "transition_steps is 2147483648, expected .* less than 2**31"),
    (
        lambda: gs.linear_schedule(1, 0, 5, -1),
        "linear_schedule: transition_begin is -1, expected an integer of at least 0",
    ),
    (lambda: gs.linear_schedule(1, 0, jnp.ones(())), "transition_steps is Array(1.* expected an integer"),
    (
        lambda: gs.polynomial_schedule(1, 0, 0, 5),
        "polynomial_schedule: power is 0, expected a finite number above 0",
    ),
    (lambda: gs.exponential_decay(1, -3, 0.5), "exponential_decay: transition_steps is -3, expected"),
    (
        lambda: gs.exponential_decay(1, 3, 0.0),
        "exponential_decay: decay_rate is 0.0, expected a finite number above 0",
    ),
    (
        lambda: gs.exponential_decay(1, 3, 0.5, 0, 1),
        "exponential_decay: staircase is 1, expected True or False",
    ),
    (lambda: gs.cosine_decay_schedule(1, 0), "cosine_decay_schedule: decay_steps is 0, expected"),
    (lambda: gs.cosine_decay_schedule(1, 5, exponent=-1), "cosine_decay_schedule: exponent is -1, expected"),
    (
        lambda: gs.staircase_schedule(8, 2, end_value=4),
        "end_value is 4.0, expected a bound above init_value = 8.0",
    ),
    (
        lambda: gs.staircase_schedule(8, -2, end_value=9),
        "end_value is 9.0, expected a bound below init_value = 8.0",
    ),
    (lambda: gs.warmup_constant_schedule(0, 1, -1), "warmup_constant_schedule: warmup_steps is -1, expected"),
    (
        lambda: gs.warmup_cosine_decay_schedule(0, 1, 10, 10),
        "warmup_cosine_decay_schedule: decay_steps is 10, expected more than warmup_steps = 10",
    ),
    (lambda: gs.warmup_exponential_decay_schedule(0, 1, 3, -1, 0.5), "transition_steps is -1, expected"),
    (lambda: gs.wsd_schedule(0, 1, 5, 5, -1), "wsd_schedule: cooldown_steps is -1, expected"),
    (
        lambda: gs.wsd_schedule(0, 1, 5, 5, 5, 0, "sqrt"),
        "wsd_schedule: cooldown is 'sqrt', expected one of 'linear', 'cosine', '1-sqrt'",
    ),
    (
        lambda: gs.inverse_sqrt_schedule(0, 1, 0),
        "inverse_sqrt_schedule: timescale is None, expected a number of steps",
    ),
    (lambda: gs.sgdr_schedule([]), "sgdr_schedule: cosine_kwargs is (), expected at least one cycle"),
    (lambda: gs.sgdr_schedule([3]), "sgdr_schedule: cosine_kwargs[0] is 3, expected a mapping"),
    (lambda: gs.sgdr_schedule(CYCLE), "sgdr_schedule: cosine_kwargs is {.*}, expected a sequence"),
    (
        lambda: gs.sgdr_schedule([CYCLE, {**CYCLE, "steps": 3}]),
        "cosine_kwargs[1]: .* no argument 'steps'; did you mean decay_steps",
    ),
    (
        lambda: gs.sgdr_schedule([{**CYCLE, "decay_steps": 2}]),
        "cosine_kwargs[0]: .* decay_steps is 2, expected more",
    ),
    (
        lambda: gs.piecewise_constant_schedule(1, {5: -1}),
        "boundaries_and_scales[5] is -1, expected a finite number of at",
    ),
    (
        lambda: gs.piecewise_constant_schedule(1, {5.5: 1}),
        "boundaries_and_scales[0] is 5.5, expected an integer",
    ),
    (
        lambda: gs.piecewise_constant_schedule(1, ((9, 1), (5, 1))),
        "is (9, 5), expected steps that increase strictly",
    ),
    (lambda: gs.piecewise_constant_schedule(1, ((9,),)), "is [(9,)], expected a mapping or pairs"),
    (
        lambda: gs.piecewise_interpolate_schedule("cubic", 1, {5: 1}),
        "interpolate_type is 'cubic', expected one of 'linear', 'cosine'",
    ),
    (joined([], []), "join_schedules: schedules is (), expected at least one schedule"),
    (joined([line, constant], []), "join_schedules: boundaries is (), expected 1 of them for 2 schedules"),
    (
        joined([line] * 3, [9, 9]),
        "join_schedules: boundaries is (9, 9), expected steps that increase strictly",
    ),
    (joined([line, constant], [-2]), "join_schedules: boundaries[0] is -2, expected"),
    (joined([line, 0.5], [3]), "join_schedules: schedules[1] is 0.5, expected a schedule"),
    (lambda: gs.linear_onecycle_schedule(0, 1), "linear_onecycle_schedule: transition_steps is 0, expected"),
    (
        lambda: gs.linear_onecycle_schedule(9, 1, 0.5, 0.4),
        "pct_final is 0.4, expected at least pct_start = 0.5",
    ),
    (lambda: gs.cosine_onecycle_schedule(9, 1, 1.5), "pct_start is 1.5, expected a number from 0 to 1"),
    (
        lambda: gs.cosine_onecycle_schedule(9, 1, div_factor=0),
        "div_factor is 0, expected a finite number above 0",
    ),
)


@pytest.mark.parametrize("build, message", ERRORS, ids=[m for _, m in ERRORS])
def test_errors(build, message):
    pattern = ".*".join(re.escape(part) for part in message.split(".*"))
    with pytest.raises(ValueError, match=pattern):
        build()


STILL = {
    "linear": lambda steps: gs.linear_schedule(0.5, 0.1, steps),
    "begun": lambda steps: gs.linear_schedule(0.5, 0.1, steps, 3),
    "polynomial": lambda steps: gs.polynomial_schedule(0.5, 0.1, 2, steps),
    "exponential": lambda steps: gs.exponential_decay(0.5, steps, 0.9),
    "staircase": lambda steps: gs.exponential_decay(0.5, steps, 0.9, staircase=True, end_value=0.1),
    "warmup": lambda steps: gs.warmup_exponential_decay_schedule(0.1, 0.5, 0, steps, 0.9),
}


@pytest.mark.parametrize("name", STILL)
@pytest.mark.parametrize("steps", [0, jnp.int32(0)], ids=["number", "array"])
def test_no_transition_steps_stay_at_the_start(name, steps):
    """As Optax has it: a run of no steps configures the schedule all the same."""
    schedule = STILL[name](steps)
    np.testing.assert_array_equal(schedule(np.arange(8)), np.full(8, np.float32(0.5)))
    assert float(STILL[name](4)(7)) != 0.5


def test_no_cooldown_ends_at_once():
    schedule = gs.wsd_schedule(0.0, 0.5, 2, 3, 0, 0.1)
    np.testing.assert_allclose(schedule(np.arange(3, 7)), [0.5, 0.5, 0.1, 0.1], rtol=1e-6)


def test_numbers_are_kept_as_python_numbers():
    s = gs.linear_schedule(np.float64(1), 0, np.int32(5), np.array(2))
    assert s == gs.linear_schedule(1.0, 0.0, 5, 2) and hash(s) == hash(gs.linear_schedule(1, 0, 5, 2))
    assert repr(s) == "linear_schedule(init_value=1.0, end_value=0.0, transition_steps=5, transition_begin=2)"


def test_boundaries_may_be_a_mapping_or_pairs():
    kept = gs.piecewise_constant_schedule(1.0, ((10, 0.5), (100, 0.25)))
    for given in (
        {100: 0.25, 10: 0.5},
        {"100": 0.25, "10": 0.5},
        [[10, 0.5], [100, 0.25]],
        {np.int64(10): 0.5, 100: 0.25},
    ):
        assert gs.piecewise_constant_schedule(1.0, given) == kept
    assert gs.piecewise_constant_schedule(1.0, None) == gs.piecewise_constant_schedule(1.0)


def test_cycles_may_be_mappings_or_schedules():
    assert gs.sgdr_schedule([CYCLE]) == gs.sgdr_schedule((gs.warmup_cosine_decay_schedule(**CYCLE),))


def test_join_takes_any_function_and_never_gives_it_a_negative_count():
    root = lambda n: jnp.sqrt(n.astype(jnp.float32))  # noqa: E731
    s = gs.join_schedules([constant, root], [4])
    np.testing.assert_allclose(s(np.arange(8)), [0.5] * 4 + [0, 1, 2**0.5, 3**0.5], rtol=1e-6)
    assert np.isfinite(s(0)) and s == gs.join_schedules((constant, root), (4,))


def test_a_part_may_hold_a_tracer():
    def value(slope):
        return gs.join_schedules([constant, lambda n: slope * n], [4])(7)

    with jax.check_tracer_leaks():
        assert jax.grad(value)(2.0) == 3


def test_a_peak_of_0_is_no_exception():
    s = gs.warmup_cosine_decay_schedule(1.0, 0.0, 2, 4, 0.5)
    np.testing.assert_allclose(s(np.arange(6)), [1, 0.5, 0, 0.25, 0.5, 0.5], rtol=1e-6)


@pytest.mark.parametrize("name", ["linear_onecycle_schedule", "cosine_onecycle_schedule"])
def test_onecycle_rounds_to_the_step_that_is_meant(name):
    assert int(0.29 * 100) == 28
    assert int(jnp.argmax(gs.SCHEDULES[name](100, 1.0, 0.29)(np.arange(100)))) == 29
    peak = jax.jit(lambda p, n: gs.SCHEDULES[name](n, 1.0, p)(29))(0.29, 100)
    assert peak == 1


@pytest.mark.parametrize("name", ["linear_onecycle_schedule", "cosine_onecycle_schedule"])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_onecycle_of_few_steps(name, length):
    values = gs.SCHEDULES[name](length, 1.0)(np.arange(length + 2))
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(values[length:], np.float32(1 / 25 / 1e4))


@pytest.mark.parametrize("kind", ["cos", "linear, three_phase"])
def test_torch_onecycle_ends_an_update_earlier(kind):
    values = GOLDEN[f"OneCycleLR({kind})"]  # of 60 updates
    (name, fields), = json.loads(str(GOLDEN["record"]))["configs"][f"OneCycleLR({kind})"].items()  # fmt: skip
    low = fields["peak_value"] / fields["div_factor"] / fields["final_div_factor"]
    assert values[59] == pytest.approx(low, rel=1e-12) and values[17] == fields["peak_value"]
    same_arguments = build({name: fields | {"transition_steps": 60, "pct_start": 0.3}})
    assert int(jnp.argmax(same_arguments(np.arange(60)))) == 18 and same_arguments(59) > 2 * low
    assert float(same_arguments(60)) == pytest.approx(low, rel=1e-6)


def test_staircase_counts_in_exact_integers():
    s = gs.staircase_schedule(32, 16, 100, end_value=4096)
    values = np.asarray(s(np.arange(30_000)))
    np.testing.assert_array_equal(values, np.minimum(32 + 16 * (np.arange(30_000) // 100), 4096))


def test_golden_versions_are_recorded():
    versions = json.loads(str(GOLDEN["record"]))["versions"]
    assert versions["torch"].startswith("2.13.0") and {"transformers", "numpy"} <= set(versions)
