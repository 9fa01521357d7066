"""average: an EMA or the mean of the parameters, and eval_params, which reads it wherever it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training import GRADS, PARAMS, batch, finite, near, run, same, total

import gradchain as gc


def averages(seen, decay, start=0, every=1):
    """What NumPy makes of a run's parameters, in float64: the average after each step."""
    found, average, n = [], None, 0
    for i, (params, _) in enumerate(seen):
        p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
        if i < start:
            average = p
        elif (i - start) % every == 0:
            weight = 1 / (n + 1) if decay is None else (1 if n == 0 else 1 - decay)
            average = jax.tree.map(lambda a, x, w=weight: a + w * (x - a), average or p, p)
            n += 1
        found.append(average)
    return found


CASES = [
    (0.8, 0, 1),
    (0.8, 3, 1),
    (0.8, 2, 2),
    (None, 0, 1),
    (None, 3, 2),
    (None, 0, 3),
    (0.0, 0, 1),
    (1.0, 1, 1),
]


@pytest.mark.parametrize("decay, start, every", CASES)
def test_is_numpys(decay, start, every):
    tx = gc.average(gc.sgd(0.1, momentum=0.9), decay, start=start, every=every)
    seen = run(tx, GRADS)
    for (params, state), expected in zip(seen, averages(seen, decay, start, every), strict=True):
        near(gc.eval_params(tx, state, params), expected)


def test_training_is_left_alone():
    inner = gc.adamw(0.1, weight_decay=0.1)
    for (found, _), (expected, _) in zip(run(gc.average(inner), GRADS), run(inner, GRADS), strict=True):
        near(found, expected, 1e-6)


def test_before_the_first_step_it_is_the_parameters():
    for tx in (gc.average(gc.sgd(0.1)), gc.average(gc.sgd(0.1), start=5)):
        state = tx.init(PARAMS)
        same(gc.eval_params(tx, state, PARAMS), PARAMS)


def test_decay_may_be_a_schedule_or_tunable():
    warm = gc.piecewise_constant_schedule(0.5, {2: 1.8})  # 0.5, then 0.9
    tx = gc.average(gc.sgd(0.1), warm)
    seen = run(tx, GRADS[:4])
    p = [np.asarray(params["bias"], np.float64) for params, _ in seen]
    expected = p[0]
    for x, decay in zip(p[1:], (0.5, 0.9, 0.9), strict=True):
        expected = decay * expected + (1 - decay) * x
    np.testing.assert_allclose(gc.eval_params(tx, seen[-1][1], seen[-1][0])["bias"], expected, rtol=1e-5)
    tx = gc.average(gc.sgd(0.1), gc.tunable(0.9))
    params, state = run(tx, GRADS[:1])[0]
    params, state = run(tx, GRADS[1:2], params, gc.set_hyperparams(tx, state, decay=0.0))[0]
    near(gc.eval_params(tx, state, params), params)


def test_step_and_update_keep_the_same_average():
    tx = gc.average(gc.adam(0.1), 0.5)
    params, state = PARAMS, tx.init(PARAMS)
    for g in GRADS[:3]:
        updates, state = tx.update(g, state, params)
        params = gc.apply_updates(params, updates)
    near((params, state), run(tx, GRADS[:3])[-1])


@pytest.mark.parametrize("decay", [0.5, None])
def test_bfloat16_parameters_have_a_float32_average(decay):
    params = batch(dtype="bfloat16")
    tx = gc.average(gc.sgd(0.1), decay)
    seen = run(tx, GRADS, params)
    held = [(jax.tree.map(lambda x: x.astype(jnp.float32), p), s) for p, s in seen]
    params, state = seen[-1]
    average = state["average_params"].average
    assert {x.dtype for x in jax.tree.leaves(average)} == {jnp.dtype("float32")}
    for x, y in zip(jax.tree.leaves(average), jax.tree.leaves(averages(held, decay)[-1]), strict=True):
        np.testing.assert_allclose(x, y, atol=2**-7)  # it sees p + u before the rounding to bfloat16
    evaluated = gc.eval_params(tx, state, params)
    assert {x.dtype for x in jax.tree.leaves(evaluated)} == {jnp.dtype("bfloat16")}
    same(evaluated, jax.tree.map(lambda x: x.astype(jnp.bfloat16), average))


def test_small_steps_reach_the_average():
    """Steps that bfloat16 cannot hold: the parameters stay, the average sees them."""
    params = {"w": jnp.ones(2, jnp.bfloat16)}
    tx = gc.average(gc.sgd(1.0), 0.999)
    state = tx.init(params)
    for _ in range(3):
        params, state = tx.step({"w": jnp.full(2, 2.0**-10)}, state, params)
    np.testing.assert_array_equal(params["w"].astype(jnp.float32), [1.0, 1.0])
    np.testing.assert_allclose(state["average_params"].average["w"], [1 - 2.0**-10] * 2, rtol=1e-7)


def test_inner_of_some_leaves_averages_all():
    """The mask says what is trained; the average is of every parameter."""
    tx = gc.average(gc.chain(gc.freeze("kernel"), gc.sgd(0.1)), None)
    seen = run(tx, GRADS[:4])
    params, state = seen[-1]
    found = gc.eval_params(tx, state, params)
    same(found["kernel"], PARAMS["kernel"])
    near(found, averages(seen, None)[-1])
    tx = gc.average(gc.masked(gc.scale_by_adam(), "kernel"), 0.5)
    seen = run(tx, GRADS[:4])
    near(gc.eval_params(tx, seen[-1][1], seen[-1][0]), averages(seen, 0.5)[-1])


def test_an_average_of_some_leaves():
    """Inside a mask or a group only its leaves are averaged; eval_params takes the others as they are."""
    masked = gc.masked(gc.average(gc.sgd(0.1), 0.5), "kernel")
    groups = gc.partition({"a": gc.average(gc.sgd(0.1), 0.5), "b": gc.sgd(0.1)}, {"kernel": "a", "*": "b"})
    for tx in (masked, groups):
        seen = run(tx, GRADS[:4])
        params, state = seen[-1]
        found = gc.eval_params(tx, state, params)
        same(found["bias"], params["bias"])
        near(found["kernel"], averages(seen, 0.5)[-1]["kernel"])


def test_two_groups_with_averages_of_their_own():
    tx = gc.partition(
        {"a": gc.average(gc.sgd(0.1), 0.5), "b": gc.average(gc.adam(0.1), None)}, {"kernel": "a", "*": "b"}
    )
    seen = run(tx, GRADS[:4])
    found = gc.eval_params(tx, seen[-1][1], seen[-1][0])
    near(found["kernel"], averages(seen, 0.5)[-1]["kernel"])
    near(found["bias"], averages(seen, None)[-1]["bias"])


def test_the_outermost_average_counts():
    tx = gc.average(gc.average(gc.sgd(0.1), 0.0), 0.9)
    seen = run(tx, GRADS[:4])
    near(gc.eval_params(tx, seen[-1][1], seen[-1][0]), averages(seen, 0.9)[-1])


def test_with_accumulate_and_skip():
    """Inside, one parameter vector for each step taken; outside, one for each microbatch."""
    inside = gc.skip(gc.accumulate(gc.average(gc.sgd(0.1), None), 2))
    seen = run(inside, GRADS)
    near(gc.eval_params(inside, seen[-1][1], seen[-1][0]), averages(seen[1::2], None)[-1])
    outside = gc.average(gc.accumulate(gc.sgd(0.1), 2), None)
    seen = run(outside, GRADS)
    near(gc.eval_params(outside, seen[-1][1], seen[-1][0]), averages(seen, None)[-1])


def test_without_an_average_the_parameters():
    tx = gc.adam(0.1)
    assert gc.eval_params(tx, tx.init(PARAMS), PARAMS)["bias"] is PARAMS["bias"]


def test_nnx_optimizer():
    nnx = pytest.importorskip("flax.nnx")
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    tx = gc.average(gc.adam(0.1), None)
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer):
        optimizer.update(model, nnx.grad(lambda m: jnp.mean(jnp.square(m(jnp.ones((1, 3))) - 2.0)))(model))

    seen = []
    for _ in range(3):
        step(model, optimizer)
        seen.append(np.asarray(model.bias[...]))
    params = nnx.state(model, nnx.Param)
    found = gc.eval_params(tx, optimizer, params)
    assert jax.tree.structure(found) == jax.tree.structure(params)
    np.testing.assert_allclose(found["bias"][...], np.mean(seen, axis=0), rtol=1e-5)
    nnx.update(model, found)  # and the model evaluates with them
    np.testing.assert_allclose(model.bias[...], np.mean(seen, axis=0), rtol=1e-5)


def test_train_state():
    train_state = pytest.importorskip("flax.training.train_state")
    tx = gc.average(gc.sgd(0.1), 0.5)
    state = train_state.TrainState.create(apply_fn=None, params=PARAMS, tx=tx)
    for g in GRADS[:4]:
        state = state.apply_gradients(grads=g)
    params, ours = run(tx, GRADS[:4])[-1]
    near(gc.eval_params(tx, state, state.params), gc.eval_params(tx, ours, params))


def test_donated():
    tx = gc.average(gc.adam(0.1), 0.5)
    step = jax.jit(lambda params, state, g: tx.step(g, state, params), donate_argnums=(0, 1))
    params = jax.tree.map(jnp.copy, PARAMS)
    state = tx.init(params)
    for g in GRADS[:3]:
        old = state["average_params"].average
        params, state = step(params, state, g)
        assert all(x.is_deleted() for x in jax.tree.leaves(old))
    near((params, state), run(tx, GRADS[:3])[-1])


def test_errors():
    for bad in ({"start": -1}, {"every": 0}):
        with pytest.raises(ValueError, match="average_params: start="):
            gc.average(gc.sgd(0.1), **bad)
    with pytest.raises(ValueError, match="needs the parameters"):
        tx = gc.average(gc.sgd(0.1))
        tx.update(GRADS[0], tx.init(PARAMS))


def test_derivative_and_vmap_over_the_decay():
    def found(decay):
        tx = gc.average(gc.sgd(0.1), decay)
        params, state = PARAMS, tx.init(PARAMS)
        for g in GRADS[:3]:
            params, state = tx.step(g, state, params)
        return total(gc.eval_params(tx, state, params))

    def expected(decay):
        p, average = PARAMS, None
        for i, g in enumerate(GRADS[:3]):
            p = jax.tree.map(lambda x, y: x - 0.1 * y, p, g)
            average = p if i == 0 else jax.tree.map(lambda a, x: decay * a + (1 - decay) * x, average, p)
        return total(average)

    decays = jnp.array([0.5, 0.9])
    slopes = [jax.jit(jax.vmap(jax.value_and_grad(f)))(decays) for f in (found, expected)]
    assert finite(slopes[0])
    near(*slopes, 1e-4)
