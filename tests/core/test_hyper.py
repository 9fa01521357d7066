"""Hyperparameters: what is refused, in words that name the link and the argument, and what is kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.core import hyper


@pytest.mark.parametrize(
    "value", [float("nan"), -1.0, -1e-9, np.float32(-1), gc.tunable(-1.0), gc.tunable(float("nan"))]
)
def test_out_of_range(value):
    with pytest.raises(ValueError, match=r"^adam: eps is .*; expected at least 0"):
        gc.adam(0.1, eps=value)


@pytest.mark.parametrize("value", [-0.1, 1.0, 1.1, float("inf"), float("nan")])
def test_decay(value):
    with pytest.raises(ValueError, match=r"^scale_by_adam: b1 is .*; expected at least 0 and less than 1"):
        gc.scale_by_adam(value)


def test_signed():
    assert gc.scale(-2.0).args == {"step_size": -2.0}
    with pytest.raises(ValueError, match="scale: step_size is nan; expected a number, not NaN"):
        gc.scale(float("nan"))


@pytest.mark.parametrize("value", ["0.1", True, [0.1], 1j, np.bool_(True)])
def test_not_a_number(value):
    with pytest.raises(
        TypeError, match=r"^adam: learning_rate is .*; expected a number, an array, a schedule or"
    ):
        gc.adam(value)


@pytest.mark.parametrize("value", [jnp.ones(3), np.ones((1, 2))])
def test_array_of_another_shape(value):
    with pytest.raises(
        ValueError, match=r"^adam: learning_rate has shape \(.*\); expected a scalar.*jax.vmap"
    ):
        gc.adam(value)


def test_array_of_another_kind():
    with pytest.raises(TypeError, match=r"^adam: learning_rate is an array of bool"):
        gc.adam(jnp.asarray(True))


def test_whole_numbers():
    who = "lookahead"
    allowed = hyper.Range(1, float("inf"), integer=True)
    assert hyper.check(who, "sync_period", 5, allowed) == 5
    assert hyper.check(who, "sync_period", 5.0, allowed) == 5
    for bad in (0, 2.5):
        with pytest.raises(ValueError, match=r"^lookahead: sync_period is "):
            hyper.check(who, "sync_period", bad, allowed)


@pytest.mark.parametrize("value", ["0.1", None, True, jnp.ones(())])
def test_tunable_takes_a_number(value):
    with pytest.raises(TypeError, match=r"^tunable\(.*\): expected the number to start with"):
        gc.tunable(value)


@pytest.mark.parametrize("value", [0.1, 1, np.float32(0.1), np.int64(1), jnp.float32(0.1), np.float64(0.1)])
def test_numbers_of_any_kind(value):
    params = {"a": jnp.ones(2)}
    tx = gc.scale_by_learning_rate(value)
    updates, _ = tx.update(params, tx.init(params))
    np.testing.assert_allclose(updates["a"], [-float(value)] * 2, rtol=1e-6)


def test_operands_are_float32_whatever_the_parameters():
    """In bfloat16 a decay of 0.999 would be 1, and Adam 0/0."""
    params = {"a": jnp.ones(2, jnp.bfloat16)}
    tx = gc.scale_by_adam(b2=gc.tunable(0.999))
    state = tx.init(params)
    assert state["scale_by_adam"].hyperparams["b2"].dtype == jnp.float32
    updates, state = tx.update(params, state)
    np.testing.assert_allclose(updates["a"], [1, 1], rtol=1e-4)
    assert state["scale_by_adam"].hyperparams["b2"].dtype == jnp.float32


def test_bfloat16_operand_is_used_in_float32():
    tx = gc.scale(jnp.asarray(0.5, jnp.bfloat16))
    updates, _ = tx.update({"a": jnp.ones(2, jnp.bfloat16)}, {})
    assert updates["a"].dtype == jnp.float32


def test_schedule_starts_at_zero():
    seen = gc.scale_by_learning_rate(lambda count: 10.0 + count)
    params = {"a": jnp.ones(())}
    state = seen.init(params)
    for expected in (10, 11, 12):
        updates, state = seen.update(params, state)
        assert updates["a"] == -expected
        assert state["scale_by_learning_rate"].hyperparams["learning_rate"] == expected


def test_state_holds_what_is_not_constant():
    params = {"a": jnp.ones(())}
    names = lambda tx: set(tx.init(params)["scale_by_adam"].hyperparams)  # noqa: E731
    assert names(gc.scale_by_adam(b1=gc.tunable(0.9), eps=lambda count: 1e-8)) == {"b1", "eps"}
    assert "hyperparams" not in gc.scale_by_adam(b1=jnp.float32(0.9)).init(params)["scale_by_adam"]._fields
    kept = gc.scale_by_learning_rate(0.1).init(params)["scale_by_learning_rate"].hyperparams
    assert kept["learning_rate"] == jnp.float32(0.1)  # recorded for metrics


def test_tunable_is_read_from_the_state():
    tx = gc.scale(gc.tunable(2.0))
    params = {"a": jnp.ones(())}
    state = tx.init(params)
    edited = {"scale": state["scale"]._replace(hyperparams={"step_size": jnp.float32(5)})}
    step = jax.jit(tx.update)
    assert step(params, state)[0]["a"] == 2
    assert step(params, edited)[0]["a"] == 5
    assert step._cache_size() == 1


def test_a_whole_number_that_no_int32_holds():
    """Ten billion examples, say: as an operand of a kernel it would overflow."""
    tx = gc.ivon(0.1, ess=10**10)
    params = {"w": jnp.ones(3)}
    assert np.isfinite(tx.update(params, tx.init(params), params)[0]["w"]).all()
    assert gc.ivon(0.1, ess=1e10) == tx and gc.ivon(0.1, ess=2**31 - 1).recipe.args["ess"] == 2**31 - 1
