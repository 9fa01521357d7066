"""schedule_free: y is trained, x is read; Optax's numbers, the paper's weights, and within other wrappers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training import GRADS, PARAMS, batch, mean, near, optax_run, run, same

import gradchain as gc


def exact(found, expected):
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-14)


@pytest.fixture
def wide(x64):
    return batch(0, dtype="float64"), [batch(i % 4 + 1, dtype="float64") for i in range(20)]


def falling(count):
    """A schedule that grows and falls, in float64."""
    t = jnp.asarray(count, float)
    return 0.3 * jnp.minimum((t + 1) / 4, 0.9**t)


def averaging(primal: bool, params, grads):
    """Descent at z with the gradient g + (where it is taken): there, and the mean of all z so far."""
    z = x = params
    for t, g in enumerate(grads, 1):
        z = jax.tree.map(lambda z, g, at: z - 0.1 * (g + at), z, g, x if primal else z)
        x = jax.tree.map(lambda x, z, t=t: x + (z - x) / t, x, z)
    return (x if primal else z), x


@pytest.mark.parametrize("b1", [1e-6, 0.5, 1 - 1e-9])
def test_the_ends_of_b1_are_the_two_averagings(b1, wide):
    """At 0 Polyak's, descent whose points are averaged; at 1 primal averaging, gradients at the mean."""
    params, grads = wide
    tx, p = gc.schedule_free(gc.sgd(0.1), 0.1, b1), params
    state, step = tx.init(p), jax.jit(tx.step)
    for g in grads:
        p, state = step(jax.tree.map(jnp.add, g, p), state, p)
    found = p, gc.eval_params(tx, state, p)
    for primal, end in ((False, 1e-6), (True, 1 - 1e-9)):
        apart = jax.tree.map(lambda x, y: jnp.max(jnp.abs(x - y)), found, averaging(primal, params, grads))
        assert (max(map(float, jax.tree.leaves(apart))) < 1e-5) == (b1 == end)


OPTAX = {"first_count": 1, "weight_by_max": True}


@pytest.mark.parametrize("given", [{}, {"b1": 0.7, "weight_lr_power": 1.5}], ids=["defaults", "others"])
@pytest.mark.parametrize("base", ["sgd", "adam"])
def test_is_optax(base, given, wide):
    optax = pytest.importorskip("optax")
    params, grads = wide
    theirs = optax.contrib.schedule_free(getattr(optax, base)(falling), falling, **given)
    tx = gc.schedule_free(getattr(gc, base)(falling), falling, **given, **OPTAX)
    for (p, state), (q, other) in zip(run(tx, grads, params), optax_run(theirs, grads, params), strict=True):
        exact(p, q)
        ours, x = state["schedule_free"], optax.contrib.schedule_free_eval_params(other, q)
        for field in set(other._fields) - {"base_optimizer_state"}:
            exact(getattr(ours, field), getattr(other, field))
        exact(gc.eval_params(tx, state, p), x)
        exact(gc.schedule_free_eval_params(state, p), x)
        exact(gc.schedule_free_eval_params(other, q), x)


@pytest.mark.parametrize("name", ["schedule_free_sgd", "schedule_free_adamw"])
def test_ready_made_is_optax(name, wide):
    optax = pytest.importorskip("optax")
    params, grads = wide
    given = {"learning_rate": 0.1, "b1": 0.8, "weight_decay": 0.05}
    theirs, tx = getattr(optax.contrib, name)(**given), getattr(gc, name)(**given, **OPTAX)
    for (p, _), (q, _) in zip(run(tx, grads, params), optax_run(theirs, grads, params), strict=True):
        exact(p, q)


def test_warm_up_of_optax():
    """Its schedules are in float32."""
    optax = pytest.importorskip("optax")
    theirs = optax.contrib.schedule_free_sgd(0.1, 4)
    tx = gc.schedule_free_sgd(0.1, 4, **OPTAX)
    for (p, _), (q, _) in zip(run(tx, GRADS), optax_run(theirs, GRADS), strict=True):
        near(p, q)


def paper(params, grads, b1, rate):
    """x, y, z of the algorithm, each a list of steps: weights by the square of the rate of the step."""
    x = z = np.asarray(params["bias"], np.float64)
    total, found = 0.0, []
    for t, g in enumerate(grads):
        lr = float(rate(t))
        z = z - lr * np.asarray(g["bias"], np.float64)
        total += lr**2
        c = lr**2 / total
        x = (1 - c) * x + c * z
        found.append((x, (1 - b1) * z + b1 * x))
    return found


def test_is_the_paper_with_a_schedule_that_falls(wide):
    params, grads = wide
    tx = gc.schedule_free(gc.sgd(falling), falling, 0.8)
    seen = run(tx, grads, params)
    for (p, state), (x, y) in zip(seen, paper(params, grads, 0.8, falling), strict=True):
        np.testing.assert_allclose(p["bias"], y, rtol=1e-12)
        np.testing.assert_allclose(gc.eval_params(tx, state, p)["bias"], x, rtol=1e-12)
    other = run(gc.schedule_free(gc.sgd(falling), falling, 0.8, weight_by_max=True), grads, params)
    assert np.max(np.abs(other[-1][0]["bias"] - seen[-1][0]["bias"])) > 1e-4  # the largest rate is another


def test_a_rate_of_zero_moves_nothing():
    rate = gc.linear_schedule(0.0, 0.1, 4)
    params, state = run(gc.schedule_free(gc.sgd(rate), rate), GRADS[:1])[0]
    same(params, PARAMS)
    assert float(state["schedule_free"].weight_sum) == 0


@pytest.mark.parametrize("steps", [1, 5])
def test_warm_up_reaches_the_rate(steps):
    tx = gc.schedule_free_sgd(0.2, steps)
    rates = [float(gc.metrics(s)["scale_by_learning_rate/learning_rate"]) for _, s in run(tx, GRADS[:6])]
    np.testing.assert_allclose(rates, [0.2 * min((t + 1) / steps, 1) for t in range(6)], rtol=1e-6)


def test_b1_may_change():
    """x is read with the b1 that made y; the change moves y along to the new one."""
    b1 = lambda count: jnp.where(count < 3, 0.9, 0.5)  # noqa: E731
    tx = gc.schedule_free(gc.sgd(0.1), 0.1, b1)
    fixed = gc.schedule_free(gc.sgd(0.1), 0.1, 0.9)
    for (p, s), (q, t) in zip(run(tx, GRADS), run(fixed, GRADS), strict=True):
        near(gc.eval_params(tx, s, p), gc.eval_params(fixed, t, q))
        near(s["schedule_free"].z, t["schedule_free"].z)


def test_accumulated_it_averages_steps():
    inner = gc.schedule_free_adamw(0.1, weight_decay=0.1)
    tx = gc.MultiSteps(inner, 2)
    params, state = run(tx, GRADS)[-1]
    expected, other = run(inner, [mean(GRADS[i : i + 2]) for i in range(0, 8, 2)])[-1]
    near(params, expected)
    near(gc.eval_params(tx, state, params), gc.eval_params(inner, other, expected))
    near(gc.schedule_free_eval_params(state, params), gc.eval_params(inner, other, expected))


def test_in_groups_and_under_a_mask():
    free = lambda: gc.schedule_free_sgd(0.1)  # noqa: E731
    params, state = run(tx := gc.partition({"a": free(), "b": gc.sgd(0.1)}, {"bias": "b", "**": "a"}), GRADS)[
        -1
    ]
    alone, other = run(free(), [{"kernel": g["kernel"]} for g in GRADS], {"kernel": PARAMS["kernel"]})[-1]
    x = gc.eval_params(free(), other, alone)
    for found in (gc.eval_params(tx, state, params), gc.schedule_free_eval_params(state, params)):
        near(found, {**params, **x})
    masked = gc.masked(free(), "kernel")
    params, state = run(gc.chain(masked), [{**g, "bias": 0 * g["bias"]} for g in GRADS])[-1]
    near(gc.schedule_free_eval_params(state, params), {"bias": PARAMS["bias"], **x})


def test_donated_in_place_and_scanned():
    tx = gc.schedule_free_adamw(0.1)
    step = jax.jit(lambda p, s, g: tx.step(g, s, p), donate_argnums=(0, 1))
    params = jax.tree.map(jnp.copy, PARAMS)
    state = tx.init(params)
    for g in GRADS:
        old = state["schedule_free"].z
        params, state = step(params, state, g)
        assert all(x.is_deleted() for x in jax.tree.leaves(old))
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *GRADS)
    scanned, _ = jax.lax.scan(lambda c, g: (tx.step(g, c[1], c[0]), None), (PARAMS, tx.init(PARAMS)), stacked)
    near((params, state), scanned)


def test_kept_in_16_bits():
    tx = gc.schedule_free_sgd(0.1, state_dtype="bfloat16")
    params, state = run(tx, GRADS)[-1]
    assert state["schedule_free"].z["bias"].dtype == jnp.bfloat16
    assert gc.eval_params(tx, state, params)["bias"].dtype == jnp.float32
    assert tx.slots(PARAMS)["schedule_free"].z["bias"].exact  # no codec takes z, unless it is named


def test_a_base_of_another_library():
    optax = pytest.importorskip("optax")
    ours, _ = run(gc.schedule_free(gc.sgd(0.1), 0.1), GRADS)[-1]
    theirs, _ = run(gc.schedule_free(optax.sgd(0.1), 0.1), GRADS)[-1]
    near(ours, theirs)


def test_evaluation_without_its_state():
    with pytest.raises(ValueError, match="schedule_free_eval_params: the state has no z and b1"):
        gc.schedule_free_eval_params(gc.adam(0.1).init(PARAMS), PARAMS)
