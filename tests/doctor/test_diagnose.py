"""diagnose: each finding on a small real run that has it, and none on a healthy one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(256, 8)).astype(np.float32)
Y = np.sin(X @ RNG.normal(size=8) / 3).astype(np.float32)[:, None]
START = {
    "one": {"w": jnp.asarray(RNG.normal(size=(8, 16)) / 3, jnp.float32), "b": jnp.zeros(16)},
    "two": jnp.asarray(RNG.normal(size=(16, 1)) / 4, jnp.float32),
}
HEALTHY = gc.chain(gc.clip_by_global_norm(5.0), gc.adamw(0.005, b2=0.95, weight_decay=0.01))


def loss_of(params, scale=1.0):
    hidden = jnp.tanh(X @ params["one"]["w"] + params["one"]["b"])
    return scale * jnp.mean(jnp.square(hidden @ params["two"] - Y).astype(jnp.float32))


@functools.cache
def trained(tx, steps=60, loss=loss_of, dtype="float32"):
    """A run: parameters, state, gradients and a history of its metrics."""
    params = jax.tree.map(lambda x: x.astype(dtype), START)

    def step(carry, _):
        params, state = carry
        value, grads = jax.value_and_grad(loss)(params)
        params, state = tx.step(grads, state, params)
        return (params, state), {"loss": value, **{f"opt/{k}": v for k, v in gc.metrics(state).items()}}

    def run(params):
        (params, state), rows = jax.lax.scan(step, (params, tx.init(params)), length=steps)
        return params, state, jax.grad(loss)(params), rows

    params, state, grads, rows = jax.device_get(jax.jit(run)(params))
    history = [{name: x[i] for name, x in rows.items()} for i in range(steps)]
    return {"state": state, "params": params, "grads": grads, "history": history}


def looked_at(tx, **kwargs):
    run = trained(tx, **kwargs)
    return gc.diagnose(run["state"], run["params"], tx=tx, grads=run["grads"], history=run["history"])


def only(name, severity, found, advice, result):
    """That a finding is there, with a part of what was found and of what to try."""
    assert [f.name for f in result.findings] == [name], result
    (finding,) = result.findings
    assert finding.severity == severity and found in finding.found and advice in finding.advice, result
    return finding


def test_healthy_runs_have_nothing():
    result = looked_at(HEALTHY)
    assert not result and result.findings == (), result
    assert "Nothing looks wrong" in str(result) and "skipped steps: have gc.skip(tx)" in str(result)
    assert {"update size", "loss", "epsilon", "always clipping"} <= set(result.looked)
    stored = gc.monitored(gc.stored(gc.skip(gc.adamw(0.005, b2=0.95)), "log8", min_size=0))
    assert not (found := looked_at(stored)) and "saturated codes" in found.looked, found
    assert max(map(len, str(found).splitlines())) <= 100


def test_update_size():
    tx = gc.adamw(0.3, b2=0.95)
    run = trained(tx, steps=3)
    result = gc.diagnose(run["state"], run["params"], tx=tx, grads=run["grads"])
    finding = only("update size", "warning", "%", "times smaller", result)
    assert "w" in finding.where and max(map(len, str(result).splitlines())) <= 100
    watched = gc.monitored(gc.sgd(20.0))
    run = trained(watched, steps=30, loss=lambda p: sum(jnp.sum(jnp.sin(x)) for x in jax.tree.leaves(p)))
    assert gc.diagnose(run["state"], run["params"]).names == ("update size",)


def test_lost_updates():
    assert "lost updates" in looked_at(gc.sgd(1e-3), steps=5, dtype="bfloat16").names
    kahan = gc.chain(gc.sgd(1e-3), gc.kahan())
    assert "lost updates" not in looked_at(kahan, steps=5, dtype="bfloat16").names


def test_always_clipping():
    tx = gc.chain(gc.clip_by_global_norm(1e-3), gc.adamw(0.005, b2=0.95))
    run = trained(tx)
    only("always clipping", "warning", "100 % of 60 steps", "max_norm", gc.diagnose(run["history"]))
    only("always clipping", "warning", "was cut from", "max_norm", gc.diagnose(run["state"]))


def test_dead_layers():
    def loss(params):
        return loss_of({**params, "one": jax.lax.stop_gradient(params["one"])})

    tx = gc.adamw(0.005, b2=0.95)
    result = looked_at(tx, loss=loss)
    assert only("dead layers", "warning", "every step", "stop_gradient", result).where == "one/b, one/w"
    run = trained(gc.stored(tx, "log8", min_size=0), loss=loss)
    assert gc.diagnose(run["state"]).names == ("dead layers",)  # codes of zero are zero
    healthy = trained(HEALTHY)
    zero = jax.tree.map(jnp.zeros_like, healthy["grads"])
    only("dead layers", "warning", "zero now", "stop_gradient", gc.diagnose(grads=zero))


def test_skipped_steps():
    tx = gc.skip(gc.adamw(0.005, b2=0.95))
    run = trained(tx, loss=lambda p: loss_of(p) + jnp.sqrt(jnp.sum(p["one"]["b"] ** 2)))  # no slope at 0
    only("skipped steps", "warning", "60 of 60", "log of 0", gc.diagnose(run["state"]))
    rows = [{"skipped": float(i // 4), "step": float(i - i // 4)} for i in range(40)]
    only("skipped steps", "warning", "9 of 39", "log of 0", gc.diagnose(rows))


def test_decay():
    tx = gc.adamw(0.005, b2=0.95, weight_decay=30.0)
    result = looked_at(tx, steps=2)
    assert set(result.names) >= {"decay size", "decay rate"}, result
    only("decay rate", "warning", "15 %", "smaller weight decay", gc.diagnose(tx=tx))
    assert not gc.diagnose(tx=gc.adamw(0.005, weight_decay=0.1))


def test_epsilon():
    result = looked_at(gc.adam(0.05, b2=0.95, eps=1e-2), loss=functools.partial(loss_of, scale=1e-2))
    assert "epsilon" in result.names, result


def test_saturated_codes():
    tx = gc.stored(gc.adamw(0.005, b2=0.95), "log8", min_size=0)
    large = trained(tx, loss=functools.partial(loss_of, scale=1e5))
    assert only("saturated codes", "warning", "largest", "int8", gc.diagnose(large["state"])).where
    small = trained(tx, loss=functools.partial(loss_of, scale=1e-9))
    only("saturated codes", "warning", "least", "low=-30", gc.diagnose(small["state"]))


def test_long_average():
    tx = gc.adamw(0.005)
    only("long average", "note", "1000 steps, and the run has 60", "b2 = 0.9", gc.diagnose(tx=tx, steps=60))
    assert not gc.diagnose(tx=tx, steps=5000)


@pytest.mark.parametrize(
    ("rate", "found"),
    [
        (0.0, "the learning rate is 0"),
        (gc.warmup_cosine_decay_schedule(0.0, 0.1, 10**6, 2 * 10**6), "still rises at the end"),
        (gc.linear_schedule(0.1, 0.0, 50), "0 from step 50 of 200"),
        (gc.constant_schedule(0.0), "0 in all 200 steps"),
    ],
)
def test_learning_rate(rate, found):
    (finding,) = gc.diagnose(tx=gc.adamw(rate, b2=0.9), steps=200).findings
    assert finding.name == "learning rate" and found in finding.found
    state = trained(gc.sgd(0.0), steps=12)
    only("learning rate", "error", "is 0", "schedule", gc.diagnose(state["state"]))
    assert not gc.diagnose(tx=gc.sgd(gc.warmup_cosine_decay_schedule(0.0, 0.1, 20, 200)), steps=200)


def test_not_finite():
    run = trained(gc.sgd(1e6), steps=40, loss=lambda p: loss_of(p) ** 3)
    result = gc.diagnose(run["state"], run["params"], grads=run["grads"], history=run["history"])
    assert result.findings[0].severity == "error" and result.names.count("not finite") >= 3, result
    assert "of the history, the first of" in str(result)


def test_history_alone():
    rows = trained(HEALTHY)["history"]
    assert not gc.diagnose(rows) and not gc.diagnose(history=rows)
    still = [{"loss": 1.0} for _ in range(20)]
    only("loss", "warning", "moved by 0", "find_lr", gc.diagnose(still))
    only(
        "loss", "warning", "rose from", "smaller learning rate", gc.diagnose([{"loss": i} for i in range(20)])
    )
    growing = [{"opt/grad_norm": 1.1**i, "loss": 1 / (1 + i)} for i in range(60)]
    only("gradient norm", "warning", "grew", "clip_by_global_norm", gc.diagnose(growing))
    ratios = [{"opt/update_ratio/w": 0.4, "opt/update_ratio/v": 0.01} for _ in range(30)]
    assert only("update size", "warning", "40 %", "100 times smaller", gc.diagnose(ratios)).where == "w"


def test_a_loss_that_jumps_and_updates_that_were_large_at_first():
    """The parameters that they made are large, so that later ratios are small."""
    rows = [{"loss": 2.4, "opt/update_ratio/w": 0.2} for _ in range(12)]
    rows += [{"loss": 300.0 if i == 3 else 2.3, "opt/update_ratio/w": 1e-4} for i in range(28)]
    found = gc.diagnose(history=rows, params={"w": jnp.ones((4, 4))})
    assert {finding.name for finding in found.findings} == {"loss", "update size"}
    assert "from 2.4 to 300 in row 15" in str(found)


def test_a_file_is_a_history(tmp_path):
    """NaN stays NaN, and a cell that is empty is no number."""
    (tmp_path / "run.csv").write_text("step,loss,opt/grad_norm\n1,2.5,\n2,nan,1.0\n")
    found = gc.diagnose(tmp_path / "run.csv")
    assert [finding.name for finding in found.findings if finding.severity == "error"]
    assert str(gc.diagnose(history=str(tmp_path / "run.csv"))) == str(found)


def test_holders_and_html():
    from flax.training.train_state import TrainState

    tx = gc.adamw(0.0, b2=0.9)
    held = TrainState.create(apply_fn=None, params=START, tx=tx)
    result = gc.diagnose(held)
    assert result.names == ("learning rate",) and "<table>" in result._repr_html_()
    assert "<li>" in gc.diagnose(trained(HEALTHY)["history"])._repr_html_()


def test_what_is_refused():
    with pytest.raises(ValueError, match="nothing to look at"):
        gc.diagnose()
    with pytest.raises(TypeError, match="the first argument is an optimizer"):
        gc.diagnose(HEALTHY)
    with pytest.raises(TypeError, match="history is 3"):
        gc.diagnose(history=3)
    with pytest.raises(ValueError, match="steps is 0"):
        gc.diagnose(tx=HEALTHY, steps=0)
