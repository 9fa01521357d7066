"""Parameters in 16 bits: small updates are not lost, and p + u is where it should be."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from narrow import LINKS, every_pair, normal, same, tree_of, wide

import gradchain as gc
from gradchain.math.rounding import round_to
from gradchain.storage import parameters


def train(tx, params, gradient, steps):
    """Many steps in one scan on the gradient of each parameter value."""

    def step(carry, _):
        params, state = carry
        return tx.step(gradient(params), state, params), None

    return jax.jit(lambda *c: jax.lax.scan(step, c, length=steps)[0])(params, tx.init(params))


# Nothing is lost -------------------------------------------------------------------------------------------

STEPS = 20_000
TINY = 1e-5  # of a weight of 1: bfloat16 and float16 have 0.0039 and 0.0005 below it


def decay(last=None):
    links = [gc.add_decayed_weights(1e-2), gc.scale_by_learning_rate(TINY / 1e-2)]
    return gc.chain(*links, *([] if last is None else [last]))


@every_pair
def test_weight_decay_moves_all_weights(link, dtype):
    params = jnp.ones(768, dtype)
    found, _ = train(decay(link), params, jnp.zeros_like, STEPS)
    exact, _ = train(decay(), jnp.ones(768), jnp.zeros_like, STEPS)
    assert found.dtype == dtype and np.all(wide(found) != 1)
    np.testing.assert_allclose(wide(found).mean(), exact.mean(), atol=0.005)  # it moved by 0.181


@every_pair
def test_a_small_learning_rate_moves_all_weights(link, dtype):
    params = jnp.ones(768, dtype)
    found, _ = train(gc.chain(gc.sgd(TINY), link), params, jnp.ones_like, STEPS)
    assert np.all(wide(found) != 1)
    np.testing.assert_allclose(wide(found).mean(), 1 - TINY * STEPS, atol=0.005)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_without_them_nothing_moves(dtype):
    """The control: what the tests above would see if rounding lost the updates."""
    params = jnp.ones(768, dtype)
    for tx, gradient in [(decay(), jnp.zeros_like), (gc.sgd(TINY), jnp.ones_like)]:
        found, _ = train(tx, params, gradient, STEPS)
        assert np.all(wide(found) == 1)


def test_a_compensation_rounded_to_nearest_would_bend_the_updates():
    """Why kahan rounds its compensation stochastically: the same sum with nearest rounding is 10 % off."""

    def step(carry, _):
        p, c = carry
        y = c.astype(jnp.float32) - TINY
        new = round_to(p.astype(jnp.float32) + y, jnp.bfloat16)
        return (new.astype(p.dtype), round_to(y - (new - p), jnp.bfloat16).astype(p.dtype)), None

    start = (jnp.ones(1, jnp.bfloat16), jnp.zeros(1, jnp.bfloat16))
    (p, _), _ = jax.lax.scan(step, start, length=STEPS)
    assert abs(float(p[0]) - (1 - TINY * STEPS)) > 0.01


@pytest.mark.optimized
@pytest.mark.parametrize("name", ["master_weights", "split_weights"])
def test_steps_are_those_of_float32_parameters(name):
    """The gradients being the same, the copy and the split hold the float32 parameters, bit for bit."""
    rule = gc.chain(gc.scale_by_adam(), gc.scale_by_learning_rate(1e-3))
    tx = gc.chain(rule, LINKS[name])
    params = normal(5000)
    exact = params.astype(jnp.float32)
    state, other = tx.init(params), rule.init(exact)
    step, plain = jax.jit(tx.step), jax.jit(rule.step)
    for i in range(10):
        g = normal(5000, seed=i)
        params, state = step(g, state, params)
        exact, other = plain(g, other, exact)
        held = (
            state[name].master
            if name == "master_weights"
            else parameters.restore(params.astype(jnp.float32), state[name].remainder.astype(jnp.int32))
        )
        np.testing.assert_array_equal(held, exact)
    assert np.any(wide(params) != wide(exact))


def test_kahan_stays_near_float32():
    tx, plain = gc.chain(gc.sgd(1e-4), gc.kahan()), gc.sgd(1e-4)
    start = normal(2000)
    found, state = train(tx, start, lambda p: jnp.sign(wide_of(p)), 500)
    exact, _ = train(plain, start.astype(jnp.float32), jnp.sign, 500)
    rounded, _ = train(plain, start, jnp.sign, 500)
    total = wide(found) + wide(state["kahan"].compensation)
    off, control = np.abs(total - exact).mean(), np.abs(wide(rounded) - exact).mean()
    assert off < 2e-4 and control > 50 * off


def wide_of(p):
    return p.astype(jnp.float32)


# The update and where it lands -----------------------------------------------------------------------------


@every_pair
def test_whoever_adds_the_update(link, dtype):
    """tx.step, gradchain's and Optax's apply_updates land on the same parameters."""
    tx = gc.chain(gc.sgd(1e-2), link)
    params, state, update, step = tree_of(dtype), None, jax.jit(tx.update), jax.jit(tx.step)
    for i in range(4):
        state = tx.init(params) if state is None else state
        g = tree_of(dtype, seed=i + 1)
        updates, after = update(g, state, params)
        assert all(u.dtype == jnp.float32 for u in jax.tree.leaves(updates))
        found, other = step(g, state, params)
        same(optax.apply_updates(params, updates), found)
        same(gc.apply_updates(params, updates), found)
        same(after, other)
        params, state = found, after


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_sum_lands_on_the_target(dtype):
    """Every target within 2^16 of p, or 0, or from 0; p stays where it is the target, with its sign."""
    n = 1 << 20
    rng = np.random.default_rng(4)
    apart = 2.0 ** rng.uniform(-16, 16, n)
    with np.errstate(over="ignore"):
        p = jnp.asarray(rng.standard_normal(n) * (1 if dtype == "bfloat16" else 0.05), dtype)
        target = jnp.asarray(wide(p) * apart * rng.choice([-1, 1], n), dtype)
    p, target = p.at[:9].set(0), target.at[9:20].set(0)
    target = target.at[20:100].set(p[20:100])
    p, target = p.at[5].set(-0.0), target.at[5].set(-0.0)
    ratio = np.abs(wide(p)) / np.where(wide(target) == 0, np.inf, np.abs(wide(target)))
    ok = np.isfinite(wide(target)) & (ratio <= 2.0**16)
    u = parameters.towards(wide_of(p), wide_of(target))
    assert ok.mean() > 0.9
    np.testing.assert_array_equal(wide(p + u).astype(dtype)[ok], np.asarray(target)[ok])
    stay = np.asarray(p) == np.asarray(target)
    assert np.asarray(p + u).view(np.uint32)[stay].tolist() == wide(p).view(np.uint32)[stay].tolist()
    np.testing.assert_array_equal(
        wide(parameters.landed(wide_of(p), u, jnp.dtype(dtype))), wide((p + u).astype(dtype))
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_nearest_is_the_cast(dtype):
    """Every number of 16 bits, every middle between two, and what is just beside: rounded as a cast rounds.

    Below 6e-5 float16 has an even grid, which XLA's own reduce_precision does not know.
    """
    finite = np.arange(1 << 16, dtype=np.uint16).view(jnp.dtype(dtype)).astype(np.float32)
    finite = np.sort(np.abs(finite[np.isfinite(finite)]))
    if dtype == "bfloat16":
        finite = finite[finite >= 2.0**-126]  # sums have no denormal numbers
    middle = (finite[1:].astype(np.float64) + finite[:-1]) / 2
    x = np.concatenate([finite, middle, np.nextafter(middle.astype(np.float32), 0), [65519.0, 65520.0, 1e38]])
    x = np.concatenate([x, -x]).astype(np.float32)
    with np.errstate(over="ignore"):
        expected = x.astype(jnp.dtype(dtype)).astype(np.float32)
    for f in (round_to, jax.jit(round_to, static_argnums=1)):
        np.testing.assert_array_equal(f(jnp.asarray(x), jnp.dtype(dtype)), expected)


@every_pair
def test_a_parameter_at_the_end_of_the_range_can_come_back(link, dtype):
    """A finite sum beyond the largest number does not become infinity, which nothing leaves."""
    top = float(jnp.finfo(dtype).max)
    tx = gc.chain(gc.scale(1.0), link)
    params = jnp.full((64,), top, dtype)
    out, back = jnp.full((64,), 0.0035 * top), jnp.full((64,), -0.5 * top)
    state = tx.init(params)
    for _ in range(3):
        params, state = tx.step(out, state, params)
        np.testing.assert_array_equal(wide(params), top)
    params, state = tx.step(back, state, params)
    np.testing.assert_allclose(wide(params), 0.5 * top, rtol=0.01)
    params, state = tx.step(jnp.full((64,), jnp.inf), state, params)
    params, state = tx.step(back, state, params)
    assert np.all(np.isposinf(wide(params)))


# Stochastic rounding ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype, x", [("bfloat16", 1.003), ("bfloat16", -3e-30), ("float16", 0.30001), ("float16", -3.21e-6)]
)
def test_the_mean_is_what_float32_would_hold(dtype, x):
    n = 200_000
    start = jnp.full((n,), x, dtype)
    update = np.float32(x - wide(start)[0])
    tx = gc.round_stochastically()
    found = wide(tx.step(jnp.full((n,), update), tx.init(start), start)[0]).astype(np.float64)
    low, high = found.min(), found.max()
    fine = np.unique(np.asarray(jnp.asarray(found, dtype)).view(np.int16))
    assert len(fine) == 2 and abs(int(fine[1]) - int(fine[0])) == 1 and low < np.float32(x) < high
    assert abs(found.mean() - np.float32(x)) < 5 * found.std() / np.sqrt(n)


def test_noise_comes_from_seed_step_path_and_element():
    n = 512

    def after(seed=0, path="w", step=1):
        tx = gc.round_stochastically(seed)
        params = {path: jnp.ones((n, n), jnp.bfloat16)}
        state = {
            "round_stochastically": tx.init(params)["round_stochastically"]._replace(
                count=jnp.int32(step - 1)
            )
        }
        return wide(tx.step({path: jnp.full((n, n), 1e-3)}, state, params)[0][path])

    first = after()
    np.testing.assert_array_equal(first, after())
    share = 1e-3 / 2**-7
    for other in (after(seed=1), after(path="v"), after(step=2), first.T, np.roll(first, 1, 0), first[::-1]):
        agree = (first == other).mean()  # of independent draws
        assert abs(agree - (share**2 + (1 - share) ** 2)) < 0.01
