"""accumulate: one step for several microbatches, and nothing in between."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training import BAD, GRADS, PARAMS, batch, finite, inner, mean, moved, near, optax_run, run, same, total

import gradchain as gc


@pytest.mark.parametrize("how", ["mean", "sum"])
def test_is_a_step_on_the_whole_batch(how):
    tx = gc.adamw(0.1, eps=1e-3, weight_decay=0.1)
    found, state = run(gc.accumulate(tx, 4, mean=how == "mean"), GRADS)[-1]
    whole = [mean(GRADS[:4]), mean(GRADS[4:])]
    if how == "sum":
        whole = [jax.tree.map(lambda g: 4 * g, g) for g in whole]
    near((found, inner(state, "accumulate")), run(tx, whole)[-1])
    assert state["accumulate"].gradient_step == 2 and state["accumulate"].mini_step == 0


def test_nothing_moves_in_between():
    tx = gc.accumulate(gc.adamw(0.1, weight_decay=0.5), 3)
    before = (PARAMS, tx.init(PARAMS))
    seen = run(tx, GRADS[:6])
    for i, (params, state) in enumerate(seen):
        assert int(state["scale_by_adam"].count) == (i + 1) // 3
        if i % 3 < 2:
            same((params, inner(state, "accumulate")), (before[0], inner(before[1], "accumulate")))
        before = (params, state)
    assert moved(seen) == [3, 6]


def test_update_gives_zeros_in_between():
    tx = gc.accumulate(gc.sgd(0.1), 2)
    updates, state = tx.update(GRADS[0], tx.init(PARAMS), PARAMS)
    same(updates, jax.tree.map(jnp.zeros_like, PARAMS))
    same(gc.apply_updates(PARAMS, updates), PARAMS)
    updates, _ = tx.update(GRADS[1], state, PARAMS)
    near(updates, jax.tree.map(lambda g: -0.1 * g, mean(GRADS[:2])))


@pytest.mark.parametrize("tx", [gc.sgd(0.1), gc.adam(0.1)], ids=["sgd", "adam"])
def test_step_is_update_and_apply(tx):
    tx = gc.accumulate(tx, 2)
    (_, _), (params, _), (held, state), _ = run(tx, GRADS[:4])
    same(held, params)
    updates, other = jax.jit(tx.update)(GRADS[3], state, params)
    near(run(tx, GRADS[3:4], params, state)[0], (gc.apply_updates(params, updates), other), 1e-6)


def test_a_nan_drops_its_step():
    tx = gc.accumulate(gc.sgd(0.1, momentum=0.9), 2)
    seen = run(tx, [GRADS[0], BAD, GRADS[2], GRADS[3]])
    dropped, state = seen[1]
    same(dropped, PARAMS)
    assert state["accumulate"].skipped == 1 and state["accumulate"].gradient_step == 0
    assert state["accumulate"].mini_step == 0
    found, state = seen[3]
    near(found, run(gc.sgd(0.1, momentum=0.9), [mean(GRADS[2:4])])[-1][0])
    assert state["accumulate"].skipped == 1 and state["accumulate"].gradient_step == 1
    assert finite(state)
    assert gc.metrics(state)["skipped"] == 1


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_nan_microbatch_is_left_out(at):
    """nonfinite="skip": wherever it comes, even as the first, another takes its place."""
    tx = gc.accumulate(gc.sgd(0.1), 2, nonfinite="skip")
    grads = [GRADS[1], GRADS[2]]
    given = [*grads[:at], BAD, *grads[at:]]
    seen = run(tx, [*given, GRADS[3], GRADS[4]])
    near(seen[2][0], run(gc.sgd(0.1), [mean(grads)])[-1][0])
    if at < 2:
        same(seen[1][0], PARAMS)
    params, state = seen[-1]
    near(params, run(gc.sgd(0.1), [mean(grads), mean(GRADS[3:5])])[-1][0])
    assert state["accumulate"].skipped == 1 and state["accumulate"].gradient_step == 2
    assert finite(state)


@pytest.mark.parametrize("nonfinite", ["drop", "skip"])
def test_only_nan_moves_nothing(nonfinite):
    params, state = run(gc.accumulate(gc.adam(0.1), 2, nonfinite=nonfinite), [BAD] * 4)[-1]
    same(params, PARAMS)
    assert state["accumulate"].skipped == (2 if nonfinite == "drop" else 4)
    assert state["scale_by_adam"].count == 0


def test_every_may_be_a_schedule_of_the_steps_taken():
    every = gc.piecewise_constant_schedule(1, {1: 2, 2: 2})  # 1, then 2, then 4
    seen = run(gc.accumulate(gc.sgd(0.1), every), GRADS)
    assert moved(seen) == [1, 3, 7]
    near(seen[6][0], run(gc.sgd(0.1), [GRADS[0], mean(GRADS[1:3]), mean(GRADS[3:7])])[-1][0])
    assert gc.hyperparams(gc.accumulate(gc.sgd(0.1), every), seen[6][1])["accumulate/every"] == 4


def test_every_may_be_set_between_steps():
    tx = gc.accumulate(gc.sgd(0.1), gc.tunable(2))
    step, params, state, seen = jax.jit(tx.step), PARAMS, tx.init(PARAMS), []
    for i, g in enumerate(GRADS[:7]):
        if i == 2:
            state = gc.set_hyperparams(tx, state, every=3)
        if i == 5:
            state = gc.set_hyperparams(tx, state, every=1)
        params, state = step(g, state, params)
        seen.append((params, state))
    assert moved(seen) == [2, 5, 6, 7]
    assert step._cache_size() == 1
    whole = [mean(GRADS[:2]), mean(GRADS[2:5]), GRADS[5], GRADS[6]]
    near(params, run(gc.sgd(0.1), whole)[-1][0])


def test_fewer_while_some_wait():
    """every is set below what is accumulated already: the next microbatch makes the step, nothing hangs."""
    tx = gc.accumulate(gc.sgd(0.1), gc.tunable(5))
    _, _, (params, state) = run(tx, GRADS[:3])
    same(params, PARAMS)
    found, state = run(tx, GRADS[3:4], params, gc.set_hyperparams(tx, state, every=2))[0]
    near(found, run(gc.sgd(0.1), [mean(GRADS[:4])])[-1][0])
    assert state["accumulate"].mini_step == 0


@pytest.mark.parametrize("use_grad_mean", [True, False])
def test_multisteps_is_optax(use_grad_mean):
    optax = pytest.importorskip("optax")
    theirs = optax.MultiSteps(optax.adam(0.1, eps=1e-3), 3, use_grad_mean)
    ours = gc.MultiSteps(gc.adam(0.1, eps=1e-3), 3, use_grad_mean)
    for (found, _), (expected, _) in zip(run(ours, GRADS), optax_run(theirs, GRADS), strict=True):
        near(found, expected)


def test_multisteps_takes_optax_arguments_by_name():
    schedule = gc.linear_schedule(1.0, 3.0, 2)
    named = gc.MultiSteps(opt=gc.sgd(0.1), every_k_schedule=schedule, use_grad_mean=False)
    assert named == gc.MultiSteps(gc.sgd(0.1), schedule, False)
    optax = pytest.importorskip("optax")
    theirs = optax.MultiSteps(optax.sgd(0.1), lambda step: jnp.minimum(step + 1, 3))
    found = run(gc.MultiSteps(gc.sgd(0.1), schedule), GRADS)
    for (params, _), (expected, _) in zip(found, optax_run(theirs, GRADS), strict=True):
        near(params, expected)


def test_apply_every_is_optax():
    optax = pytest.importorskip("optax")
    theirs = optax.chain(optax.scale(-0.1), optax.apply_every(3))
    for (found, _), (expected, _) in zip(
        run(gc.chain(gc.scale(-0.1), gc.apply_every(3)), GRADS), optax_run(theirs, GRADS), strict=True
    ):
        near(found, expected)


def test_clipping_inside_and_outside():
    """Inside it clips the mean; outside, in front, every microbatch."""
    clip = gc.clip_by_global_norm(0.5)
    inside = run(gc.accumulate(gc.chain(clip, gc.sgd(1.0)), 2), GRADS[:2])[-1]
    outside = run(gc.chain(clip, gc.accumulate(gc.sgd(1.0), 2)), GRADS[:2])[-1]

    def clipped(g):
        return jax.tree.map(lambda x: x * min(1.0, 0.5 / float(gc.global_norm(g))), g)

    near(inside[0], jax.tree.map(lambda p, g: p - g, PARAMS, clipped(mean(GRADS[:2]))))
    near(outside[0], jax.tree.map(lambda p, g: p - g, PARAMS, mean([clipped(g) for g in GRADS[:2]])))
    assert (
        inside[1].keys()
        == outside[1].keys()
        == {"accumulate", "clip_by_global_norm", "scale_by_learning_rate"}
    )
    np.testing.assert_allclose(gc.metrics(inside[1])["grad_norm"], gc.global_norm(mean(GRADS[:2])), rtol=1e-6)
    np.testing.assert_allclose(gc.metrics(outside[1])["grad_norm"], gc.global_norm(GRADS[1]), rtol=1e-6)


def test_schedules_inside_count_optimizer_steps():
    tx = gc.accumulate(gc.sgd(gc.linear_schedule(0.4, 0.0, 4)), 2)
    rates = [float(gc.metrics(state)["learning_rate"]) for _, state in run(tx, GRADS)]
    np.testing.assert_allclose(rates[1::2], [0.4, 0.3, 0.2, 0.1], rtol=1e-6)


def test_donated():
    tx = gc.accumulate(gc.adam(0.1), 2)
    step = jax.jit(lambda params, state, g: tx.step(g, state, params), donate_argnums=(0, 1))
    params = jax.tree.map(jnp.copy, PARAMS)
    state = tx.init(params)
    for g in GRADS[:4]:
        old = params, [x for x in jax.tree.leaves(state) if x.size > 1]
        params, state = step(params, state, g)
        assert all(x.is_deleted() for x in jax.tree.leaves(old))
    near(params, run(tx, GRADS[:4])[-1][0])


def test_under_nnx_jit():
    nnx = pytest.importorskip("flax.nnx")
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, gc.accumulate(gc.adam(0.1), gc.tunable(2)), wrt=nnx.Param)
    traces, changed = [], []

    @nnx.jit
    def step(model, optimizer, x):
        traces.append(None)
        optimizer.update(model, nnx.grad(lambda m: jnp.mean(jnp.square(m(x) - 1.0)))(model))

    for i in range(4):
        before = np.asarray(model.kernel[...])
        step(model, optimizer, jnp.full((1, 3), 1.0 + i))
        changed.append(not np.array_equal(before, model.kernel[...]))
    assert changed == [False, True, False, True] and len(traces) == 1
    assert optimizer.opt_state["accumulate"].gradient_step.get_value() == 2


def test_bfloat16_gradients_add_up_in_float32():
    params = {"w": jnp.zeros(2, jnp.bfloat16)}
    tx = gc.accumulate(gc.sgd(1.0), 256)
    state = tx.init(params)
    assert state["accumulate"].acc_grads["w"].dtype == jnp.float32

    def body(carry, _):
        return tx.step({"w": jnp.ones(2, jnp.bfloat16)}, carry[1], carry[0]), None

    (params, state), _ = jax.jit(lambda c: jax.lax.scan(body, c, length=256))((params, state))
    np.testing.assert_array_equal(params["w"].astype(jnp.float32), [-1.0, -1.0])  # 256 + 1 is 256 in bfloat16
    assert params["w"].dtype == jnp.bfloat16


def test_errors():
    with pytest.raises(ValueError, match="nonfinite is 'ignore'"):
        gc.accumulate(gc.sgd(0.1), 2, nonfinite="ignore")
    with pytest.raises(ValueError, match="every is 0"):
        gc.accumulate(gc.sgd(0.1), 0)
    tx = gc.accumulate(gc.sgd(0.1), 2)
    with pytest.raises(ValueError, match="'bias'"):
        tx.update({"kernel": PARAMS["kernel"]}, tx.init(PARAMS), PARAMS)


def reference(tx, params, grads, every):
    """accumulate by lax.cond, for its derivatives: the mean of `every` gradients, then a step."""
    state, total, n = tx.init(params), jax.tree.map(jnp.zeros_like, params), 0
    for g in grads:
        total, n = jax.tree.map(jnp.add, total, g), n + 1
        due = jnp.array(n == every)
        scaled = jax.tree.map(lambda x: x / every, total)
        params, state = jax.lax.cond(
            due, lambda c, g: tx.step(g, c[1], c[0]), lambda c, g: c, (params, state), scaled
        )
        if n == every:
            total, n = jax.tree.map(jnp.zeros_like, params), 0
    return params


def test_derivatives_are_those_of_a_cond():
    adam, target = gc.adam(0.1, eps=0.1), batch(20)

    def end(params, how):
        grads = [jax.tree.map(lambda p, t, k=k: (p - t) * (1 + k), params, target) for k in range(4)]
        if how == "cond":
            after = reference(adam, params, grads, 2)
        else:
            tx = gc.accumulate(adam, 2)
            state, after = tx.init(params), params
            for g in grads:
                after, state = tx.step(g, state, after)
        return total(after)

    found, expected = [
        jax.jit(jax.grad(end), static_argnums=1)(PARAMS, how) for how in ("accumulate", "cond")
    ]
    assert finite(found)
    near(found, expected)
    tangent = jax.jvp(lambda p: end(p, "accumulate"), (PARAMS,), (target,))[1]
    by_hand = sum(
        jnp.vdot(g, t) for g, t in zip(jax.tree.leaves(expected), jax.tree.leaves(target), strict=True)
    )
    np.testing.assert_allclose(tangent, by_hand, rtol=1e-4)


def test_vmap_steps_each_when_it_is_due():
    """Three trainings at once, of which one meets a NaN: each by itself, the derivative of each as well."""
    tx = gc.accumulate(gc.sgd(0.1, momentum=0.9), 2)
    many = jax.tree.map(
        lambda *x: jnp.stack(x), *[[GRADS[0], g, GRADS[2], GRADS[3]] for g in (GRADS[1], BAD, GRADS[4])]
    )

    def train(grads):
        params, state = PARAMS, tx.init(PARAMS)
        for g in grads:
            params, state = tx.step(g, state, params)
        return params, state["accumulate"].skipped

    found, skipped = jax.jit(jax.vmap(train))(many)
    assert skipped.tolist() == [0, 1, 0]
    for i in range(3):
        near(jax.tree.map(lambda x, i=i: x[i], found), train(jax.tree.map(lambda x, i=i: x[i], many))[0])
    slope = jax.jit(jax.vmap(jax.grad(lambda g: jnp.sum(train(g)[0]["bias"]))))(many)
    assert finite(slope)
    np.testing.assert_allclose(slope[0]["bias"][0], [-0.095, -0.095], rtol=1e-5)  # (1 + 0.9) * 0.1 / 2
