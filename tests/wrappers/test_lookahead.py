"""lookahead: Optax's trajectory with one set of parameters, its slow weights behind eval_params."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training import GRADS, PARAMS, batch, finite, near, optax_run, run, same, total

import gradchain as gc

FAST = {"sgd": {"learning_rate": 0.1, "momentum": 0.9}, "adam": {"learning_rate": 0.1, "eps": 1e-3}}


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("fast", FAST)
def test_is_optax(fast, reset):
    optax = pytest.importorskip("optax")
    theirs = optax.lookahead(getattr(optax, fast)(**FAST[fast]), 3, 0.4, reset)
    tx = gc.lookahead(getattr(gc, fast)(**FAST[fast]), 3, 0.4, reset)
    expected = optax_run(theirs, GRADS, optax.LookaheadParams.init_synced(PARAMS))
    for (params, state), (both, _) in zip(run(tx, GRADS), expected, strict=True):
        near(params, both.fast)
        near(gc.eval_params(tx, state, params), both.slow)


def test_is_the_paper_by_hand():
    """Two fast steps of SGD, then both weights halfway."""
    tx = gc.lookahead(gc.sgd(0.1), 2, 0.5)
    seen = run(tx, GRADS[:4])
    slow = p = np.asarray(PARAMS["bias"], np.float64)
    for i, g in enumerate(GRADS[:4]):
        p = p - 0.1 * np.asarray(g["bias"], np.float64)
        if i % 2 == 1:
            slow = p = slow + 0.5 * (p - slow)
        np.testing.assert_allclose(seen[i][0]["bias"], p, rtol=1e-5)
        np.testing.assert_allclose(seen[i][1]["lookahead_sync"].slow["bias"], slow, rtol=1e-5)


def test_synchronised_weights_are_one():
    tx = gc.lookahead(gc.adam(0.1), 2, 0.3)
    for i, (params, state) in enumerate(run(tx, GRADS[:6])):
        if i % 2 == 1:
            near(params, state["lookahead_sync"].slow, 1e-6)


def test_reset_state_starts_the_fast_optimizer_afresh():
    tx = gc.lookahead(gc.adam(0.1), 3, 0.5, reset_state=True)
    counts = []
    for i, (_, state) in enumerate(run(tx, GRADS)):
        counts.append(int(state["scale_by_adam"].count))
        if i % 3 == 2:
            fresh = gc.adam(0.1).init(PARAMS)
            same(
                {k: state[k] for k in fresh if k == "scale_by_adam"},
                {"scale_by_adam": fresh["scale_by_adam"]},
            )
    assert counts == [1, 2, 0, 1, 2, 0, 1, 2]
    kept = run(gc.lookahead(gc.adam(0.1), 3, 0.5), GRADS)[-1][1]
    assert kept["scale_by_adam"].count == 8


def test_reset_every_makes_tunables_start_again():
    """A fresh state is a fresh state: a hyperparameter that was set goes back to what it was built with."""
    tx = gc.reset_every(gc.sgd(gc.tunable(0.1), momentum=0.9), 2)
    state = gc.set_hyperparams(tx, tx.init(PARAMS), learning_rate=0.5)
    (_, first), (_, second) = run(tx, GRADS[:2], PARAMS, state)
    assert gc.metrics(first)["learning_rate"] == 0.5
    np.testing.assert_allclose(gc.metrics(second)["learning_rate"], 0.1, rtol=1e-6)
    same(second["trace"].trace, jax.tree.map(jnp.zeros_like, PARAMS))


def test_arguments_may_be_set_or_scheduled():
    tx = gc.lookahead(gc.sgd(0.1), gc.tunable(2), gc.tunable(0.5))
    step, state, params = jax.jit(tx.step), tx.init(PARAMS), PARAMS
    for g in GRADS[:2]:
        params, state = step(g, state, params)
    same(params, gc.eval_params(tx, state, params))
    state = gc.set_hyperparams(tx, state, sync_period=4, slow_step_size=1.0)
    for g in GRADS[2:4]:
        params, state = step(g, state, params)
    near(params, state["lookahead_sync"].slow)
    assert step._cache_size() == 1


def test_chained_clipped_and_accumulated():
    inner = gc.lookahead(gc.chain(gc.clip_by_global_norm(0.5), gc.sgd(0.1)), 2, 0.5)
    tx = gc.accumulate(inner, 2)
    params, state = run(tx, GRADS)[-1]
    whole = [jax.tree.map(lambda x, y: (x + y) / 2, *GRADS[i : i + 2]) for i in range(0, 8, 2)]
    expected, other = run(inner, whole)[-1]
    near(params, expected)
    near(gc.eval_params(tx, state, params), gc.eval_params(inner, other, expected))


@pytest.mark.parametrize("reset", [False, True])
def test_bfloat16_parameters(reset):
    params = batch(dtype="bfloat16")
    tx = gc.lookahead(gc.adam(0.1), 2, 0.5, reset)
    seen = run(tx, GRADS[:4], params)
    slow = seen[-1][1]["lookahead_sync"].slow
    assert {x.dtype for x in jax.tree.leaves(slow)} == {jnp.dtype("float32")}
    found = gc.eval_params(tx, seen[-1][1], seen[-1][0])
    assert {x.dtype for x in jax.tree.leaves(found)} == {jnp.dtype("bfloat16")}
    same(found, seen[-1][0])  # synchronised in this step


def test_nnx_optimizer():
    nnx = pytest.importorskip("flax.nnx")
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    tx = gc.lookahead(gc.sgd(0.5), 2, 0.5, reset_state=True)
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    start = np.asarray(model.bias[...])

    @nnx.jit
    def step(model, optimizer):
        optimizer.update(model, nnx.grad(lambda m: jnp.mean(jnp.square(m(jnp.ones((1, 3))) - 2.0)))(model))

    step(model, optimizer)
    params = nnx.state(model, nnx.Param)
    np.testing.assert_array_equal(gc.eval_params(tx, optimizer, params)["bias"][...], start)
    step(model, optimizer)
    params = nnx.state(model, nnx.Param)
    found = gc.eval_params(tx, optimizer, params)["bias"][...]
    np.testing.assert_allclose(found, params["bias"][...], atol=1e-6)
    assert not np.array_equal(found, start)


def test_errors():
    with pytest.raises(ValueError, match="sync_period is 0"):
        gc.lookahead(gc.sgd(0.1), 0, 0.5)
    with pytest.raises(ValueError, match=r"sync_period is 1\.5"):
        gc.lookahead(gc.sgd(0.1), 1.5, 0.5)


@pytest.mark.parametrize("reset", [False, True])
def test_derivatives_are_optax_s(reset):
    """Through four steps on gradients of the parameters, with respect to where they started."""
    optax = pytest.importorskip("optax")
    ours = gc.lookahead(gc.sgd(0.3, momentum=0.9), 2, 0.5, reset)
    theirs = optax.lookahead(optax.sgd(0.3, momentum=0.9), 2, 0.5, reset)

    def end(params):
        state = ours.init(params)
        for _ in range(4):
            params, state = ours.step(jax.tree.map(jnp.tanh, params), state, params)
        return total(params)

    def expected(params):
        both = optax.LookaheadParams.init_synced(params)
        state = theirs.init(both)
        for _ in range(4):
            updates, state = theirs.update(jax.tree.map(jnp.tanh, both.fast), state, both)
            both = optax.apply_updates(both, updates)
        return total(both.fast)

    found = jax.jit(jax.grad(end))(PARAMS)
    assert finite(found)
    near(found, jax.jit(jax.grad(expected))(PARAMS), 1e-4)


def test_vmap_over_the_slow_step_size():
    def after(size):
        tx = gc.lookahead(gc.sgd(0.1, momentum=0.9), 2, size, reset_state=True)
        params, state = PARAMS, tx.init(PARAMS)
        for g in GRADS[:2]:
            params, state = tx.step(g, state, params)
        return params

    sizes = jnp.array([0.0, 0.5, 1.0])
    many = jax.jit(jax.vmap(after))(sizes)
    near(jax.tree.map(lambda x: x[0], many), PARAMS)
    near(jax.tree.map(lambda x: x[2], many), run(gc.sgd(0.1, momentum=0.9), GRADS[:2])[-1][0])
    halfway = jax.tree.map(lambda a, b: (a + b) / 2, PARAMS, jax.tree.map(lambda x: x[2], many))
    near(jax.tree.map(lambda x: x[1], many), halfway)
