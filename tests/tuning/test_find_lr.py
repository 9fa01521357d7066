"""find_lr: a good rate on a problem whose best is known, schedules, several rates, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

RNG = np.random.default_rng(1)
X = RNG.normal(size=(40, 32, 6)).astype(np.float32)
Y = (X @ RNG.normal(size=6) + 0.1 * RNG.normal(size=(40, 32))).astype(np.float32)
START = {"w": jnp.zeros(6)}


def loss(params, batch):
    x, y = batch
    return jnp.mean(jnp.square(x @ params["w"] - y))


def test_rate_of_least_squares(tmp_path):
    """Gradient descent on mean((x w - y)^2) with unit inputs diverges beyond 1 / largest eigenvalue."""
    found = gc.find_lr(loss, START, (X, Y), gc.sgd(0.1), progress=False)
    assert 0.03 < found.suggestion < 0.6
    assert found.losses[found.chosen] < 0.05 * found.start
    assert found.optimizer.args["learning_rate"] == pytest.approx(found.suggestion)
    assert "suggestion" in str(found) and "worse" in str(found) and "<table>" in found._repr_html_()
    assert max(map(len, str(found).splitlines())) <= 100 and len(found.rows()) == len(found.rates)
    assert found.plot(path=tmp_path / "f.png").axes[0].get_xlabel() == "learning rate"


def test_schedule_is_scaled_as_a_whole_and_ratios_stay():
    schedule = gc.warmup_cosine_decay_schedule(0.01, 0.2, warmup_steps=5, decay_steps=40, end_value=0.001)
    rates = [0.001, 0.1, 10.0]
    found = gc.find_lr(
        loss, START, (X, Y), gc.chain(gc.clip_by_global_norm(9.0), gc.sgd(schedule)), rates=rates
    )
    made = found.optimizer.args["links"][1].args["learning_rate"]
    assert found.suggestion == 0.1 and found.given == 0.2
    assert made == gc.warmup_cosine_decay_schedule(0.005, 0.1, 5, 40, 0.0005)
    two = gc.partition({"a": gc.sgd(0.01), "b": gc.sgd(gc.tunable(0.04))}, {"w": "a", "**": "b"})
    start = {"w": jnp.zeros(6), "b": jnp.zeros(())}
    with_b = lambda p, batch: loss(p, batch) + jnp.square(p["b"] - 1)  # noqa: E731
    with pytest.warns(UserWarning, match="the suggestion is the largest rate tried: give larger ones"):
        both = gc.find_lr(with_b, start, (X, Y), two, rates=[0.01, 0.4])
    assert "give larger ones" in str(both)
    assert "others keep" in both.label and both.suggestion == 0.4
    assert "learning_rate=0.1)" in repr(both.optimizer) and "tunable(0.4)" in repr(both.optimizer)


def test_same_losses_as_plain_runs():
    found = gc.find_lr(
        loss, START, (X, Y), gc.adam(gc.constant_schedule(1e-3)), steps=20, rates=[0.01, 0.1, 100.0]
    )
    params, tx, losses = START, gc.adam(0.1), []
    state = tx.init(params)

    @jax.jit
    def step(params, state, batch):
        value, grads = jax.value_and_grad(loss)(params, batch)
        return value, *tx.step(grads, state, params)

    for i in range(20):
        value, params, state = step(params, state, (X[i], Y[i]))
        losses.append(float(value))
    assert found.losses[1] == pytest.approx(np.mean(losses[-5:]), rel=1e-4)


def test_rising_run():
    found = gc.find_lr(loss, START, (X, Y), gc.sgd(0.1), method="rising", rates=[1e-4, 1.0])
    assert len(found.rates) == 40 and found.rates[-1] == pytest.approx(1.0)
    assert 0.01 < found.suggestion < 0.5
    assert found.plot().axes[0].lines


def test_user_schedules_and_whole_batches():
    found = gc.find_lr(
        lambda p: jnp.sum(jnp.square(p - 1)), jnp.zeros(3), None, gc.sgd(lambda step: 0.01 / (1 + step)),
        steps=30, rates=[1e-3, 0.1, 10.0],
    )  # fmt: skip
    assert found.suggestion == 0.1
    assert float(found.optimizer.args["learning_rate"](1)) == pytest.approx(0.05)


def test_what_is_refused():
    nothing = gc.find_lr(lambda p: jnp.sum(0 * p), jnp.zeros(3), None, gc.sgd(0.1), steps=8, rates=[0.1, 1.0])
    with pytest.raises(ValueError, match=r"fell at no rate from 0\.1 to 1"):
        _ = nothing.suggestion
    assert "suggestion" not in str(nothing)
    with pytest.raises(ValueError, match="scale has no learning_rate"):
        gc.find_lr(loss, START, (X, Y), gc.scale(0.1))
    with pytest.raises(ValueError, match="sgd has learning rates of 0"):
        gc.find_lr(loss, START, (X, Y), gc.sgd(0.0))
    with pytest.raises(ValueError, match="2 steps are too few"):
        gc.find_lr(loss, START, (X, Y), gc.sgd(0.1), steps=2)
    with pytest.raises(ValueError, match="method is 'up'"):
        gc.find_lr(loss, START, (X, Y), gc.sgd(0.1), method="up")
    with pytest.raises(ValueError, match="at least two numbers above 0"):
        gc.find_lr(loss, START, (X, Y), gc.sgd(0.1), rates=[0.0, 1.0])
    with pytest.raises(TypeError, match="tx is a function"):
        gc.find_lr(gc.sgd(0.1), loss, START, loss)
    with pytest.raises(TypeError, match=r"expected one optimizer\. For several"):
        gc.find_lr(loss, START, (X, Y), [gc.sgd(0.1), gc.adam(0.1)])
