"""loss_scale: float16 gradients neither vanish nor overflow, and a step that did overflow leaves no trace."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.train_state import TrainState

import gradchain as gc

PARAMS = {"kernel": jnp.asarray([[0.5, -1.0], [2.0, 0.25]]), "bias": jnp.asarray([0.1, -0.2])}


def grads_of(seed, dtype="float32", size=1.0):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda p: jnp.asarray(size * rng.standard_normal(p.shape), dtype), PARAMS)


def bad_of(what):
    return {**grads_of(0), "bias": jnp.asarray([1.0, what])}


def same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(x, y)


def inner(state):
    return {k: v for k, v in state.items() if k != "loss_scale"}


class GradScaler:
    """The rule of torch.amp.GradScaler, in plain numbers."""

    def __init__(self, init_scale, growth_factor, backoff_factor, growth_interval):
        self.scale, self.tracker = np.float32(init_scale), 0
        self.growth, self.backoff, self.interval = growth_factor, backoff_factor, growth_interval

    def update(self, found_inf: bool) -> None:
        if found_inf:
            self.scale, self.tracker = np.float32(self.scale * self.backoff), 0
        elif self.tracker + 1 == self.interval:
            self.scale, self.tracker = np.float32(self.scale * self.growth), 0
        else:
            self.tracker += 1


@pytest.mark.parametrize("growth, backoff, interval", [(2.0, 0.5, 3), (1.5, 0.75, 1), (4.0, 0.1, 7)])
def test_is_the_rule_of_grad_scaler(growth, backoff, interval):
    tx = gc.loss_scale(
        gc.sgd(0.1), 1024.0, interval, growth, backoff, minimum_scale=1e-30, maximum_scale=1e30
    )
    oracle = GradScaler(1024.0, growth, backoff, interval)
    state, params, step = tx.init(PARAMS), PARAMS, jax.jit(tx.step)
    overflows = np.random.default_rng(0).random(120) < 0.15
    for i, overflow in enumerate(overflows):
        params, state = step(bad_of(np.inf) if overflow else grads_of(i), state, params)
        oracle.update(overflow)
        held = state["loss_scale"]
        assert held.scale == oracle.scale and held.good_steps == oracle.tracker
    assert state["loss_scale"].skipped == overflows.sum() > 10
    assert step._cache_size() == 1


def test_gradients_are_divided():
    """With a power of two the steps are those of the unscaled gradients, bit for bit; clipping sees them."""
    rule = gc.chain(gc.clip_by_global_norm(1.0), gc.adamw(0.1))
    tx = gc.loss_scale(rule, 2.0**10)
    params = plain = PARAMS
    state, other = tx.init(params), rule.init(plain)
    for i in range(4):
        g = grads_of(i, size=3.0)
        params, state = jax.jit(tx.step)(jax.tree.map(lambda x: x * 2.0**10, g), state, params)
        plain, other = jax.jit(rule.step)(g, other, plain)
    same((params, inner(state)), (plain, other))


@pytest.mark.parametrize("what", [jnp.inf, -jnp.inf, jnp.nan])
def test_what_is_not_finite_leaves_no_trace(what):
    tx = gc.loss_scale(gc.adamw(0.1, weight_decay=0.5), 64.0)
    params, state = tx.step(grads_of(1), tx.init(PARAMS), PARAMS)
    held, after = jax.jit(tx.step)(bad_of(what), state, params)
    same((held, inner(after)), (params, inner(state)))
    assert after["loss_scale"].scale == 32 and after["loss_scale"].skipped == 1
    updates, other = tx.update(bad_of(what), state, params)
    same(updates, jax.tree.map(jnp.zeros_like, PARAMS))
    same(other, after)


def test_division_is_in_float32():
    """A gradient that float16 holds only scaled: 1e-6 / 2^15 would be zero in float16."""
    params = {"w": jnp.zeros(3, jnp.float16)}
    tx = gc.loss_scale(gc.scale(1.0))
    g = {"w": jnp.asarray([1e-6, 1e-3, 1.0], jnp.float16)}
    updates, _ = tx.update(g, tx.init(params), params)
    assert updates["w"].dtype == jnp.float32
    np.testing.assert_array_equal(updates["w"], np.asarray(g["w"], np.float32) / 2**15)


def test_the_largest_gradient_is_finite():
    """Only infinity and NaN are skipped, not a norm beyond float16, or beyond float32."""
    params = {"w": jnp.zeros(4, jnp.float16), "v": jnp.zeros(2, jnp.float32)}
    tx = gc.loss_scale(gc.sgd(0.1))
    g = {"w": jnp.full(4, 65504.0, jnp.float16), "v": jnp.full(2, 3e38)}
    _, state = tx.step(g, tx.init(params), params)
    assert state["loss_scale"].skipped == 0 and state["loss_scale"].good_steps == 1


def test_stays_within_bounds():
    tx = gc.loss_scale(gc.sgd(0.1), 4.0, 1, minimum_scale=2.0, maximum_scale=16.0)
    state, seen = tx.init(PARAMS), []
    for overflow in [0, 0, 0, 0, 1, 1, 1, 1, 1, 0]:
        _, state = tx.step(bad_of(jnp.nan) if overflow else grads_of(1), state, PARAMS)
        seen.append(float(state["loss_scale"].scale))
    assert seen == [8, 16, 16, 16, 8, 4, 2, 2, 2, 4]


def test_scan_is_a_loop():
    tx = gc.loss_scale(gc.adam(0.1), 8.0, 2)
    several = [grads_of(1), bad_of(jnp.inf), grads_of(2), grads_of(3), grads_of(4)]
    params, state = PARAMS, tx.init(PARAMS)
    step = jax.jit(tx.step)
    for g in several:
        params, state = step(g, state, params)
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *several)
    rolled, _ = jax.lax.scan(lambda c, g: (tx.step(g, c[1], c[0]), None), (PARAMS, tx.init(PARAMS)), stacked)
    for x, y in zip(jax.tree.leaves(rolled), jax.tree.leaves((params, state)), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6)
    assert rolled[1]["loss_scale"].scale == 8 and rolled[1]["loss_scale"].skipped == 1


def test_metrics_and_recipe():
    tx = gc.loss_scale(gc.sgd(0.1), 2.0**8)
    _, state = tx.step(bad_of(jnp.nan), tx.init(PARAMS), PARAMS)
    shown = gc.metrics(state)
    assert shown["loss_scale"] == 2**7 and shown["skipped"] == 1
    assert repr(tx) == "loss_scale(sgd(learning_rate=0.1), init_scale=256.0)"
    assert gc.from_config(gc.to_config(tx)) == tx


@pytest.mark.parametrize(
    "wrong, error, words",
    [
        ({"init_scale": 0.5}, ValueError, "minimum_scale <= init_scale"),
        ({"init_scale": 2.0**30}, ValueError, "maximum_scale"),
        ({"minimum_scale": 0.0}, ValueError, "0 < minimum_scale"),
        ({"maximum_scale": float("inf")}, ValueError, "maximum_scale"),
        ({"growth_factor": 1.0}, ValueError, "growth_factor is 1.0"),
        ({"backoff_factor": 1.5}, ValueError, "backoff_factor 1.5"),
        ({"growth_interval": 0}, ValueError, "growth_interval is 0"),
        ({"growth_interval": 2.5}, ValueError, "growth_interval is 2.5"),
        ({"init_scale": "large"}, TypeError, "init_scale is 'large'"),
        ({"init_scale": float("nan")}, ValueError, "init_scale"),
    ],
    ids=lambda x: str(x) if isinstance(x, dict) else "",
)
def test_wrong_arguments(wrong, error, words):
    with pytest.raises(error, match=words):
        gc.loss_scale(gc.sgd(0.1), **wrong)


# The loss --------------------------------------------------------------------------------------------------


def test_scale_loss():
    tx = gc.loss_scale(gc.sgd(0.1), 2.0**12)
    state = tx.init(PARAMS)
    assert gc.scale_loss(jnp.float32(1.5), state) == 1.5 * 2**12
    scaled = gc.scale_loss(jnp.float16(60.0), state)  # in float32: float16 would overflow
    assert scaled == 60 * 2.0**12 and scaled.dtype == jnp.float32
    assert gc.scale_loss(2.0, gc.chain(gc.clip(1.0), tx).init(PARAMS)) == 2.0**13


def test_scale_loss_without_a_scale():
    with pytest.raises(ValueError, match=r"scale_loss: the state has no loss_scale; .*gc.loss_scale\(tx\)"):
        gc.scale_loss(1.0, gc.adam(0.1).init(PARAMS))


def test_scale_loss_with_two_scales():
    one = gc.loss_scale(gc.sgd(0.1))
    tx = gc.partition({"a": one, "b": one}, {"kernel": "a", "bias": "b"})
    with pytest.raises(ValueError, match=r"'a/loss_scale' and 'b/loss_scale'; expected one"):
        gc.scale_loss(1.0, tx.init(PARAMS))


def small_gradients(params, dtype=jnp.float16):
    """A loss in float16 whose gradients float16 cannot hold: they are 1e-8 to 3e-8."""
    w = params["w"].astype(dtype)
    return jnp.mean(jnp.square(w * jnp.asarray(1e-2, dtype))) * jnp.asarray(1e-2, dtype)


def test_gradients_below_float16_are_not_lost():
    """Against the same training without a scale, where every gradient is zero."""
    start = {"w": jnp.linspace(0.3, 0.9, 64)}
    moved = {}
    for scale in (1.0, 2.0**15):
        tx = gc.loss_scale(gc.sgd(1e6), scale)

        @jax.jit
        def step(params, state, tx=tx):
            def scaled(params):
                loss = small_gradients(params)
                return gc.scale_loss(loss, state), loss

            grads, _ = jax.grad(scaled, has_aux=True)(params)
            return tx.step(grads, state, params)

        params, state = start, tx.init(start)
        for _ in range(5):
            params, state = step(params, state)
        moved[scale] = np.abs(np.asarray(params["w"] - start["w"]))
    exact = jax.grad(lambda p: small_gradients(p, jnp.float32))(start)["w"] * 5e6
    assert np.all(moved[1.0] == 0) and np.all(exact > 0)
    np.testing.assert_allclose(moved[2.0**15], exact, rtol=0.1)


def test_starts_too_high_and_finds_its_scale():
    """A float16 backward pass that overflows at first: some steps are skipped, then it trains."""
    tx = gc.loss_scale(gc.chain(gc.sgd(1e-3), gc.master_weights()), 2.0**24)
    params = {"w": jnp.full(8, 2.0, jnp.float16)}

    @jax.jit
    def step(params, state):
        loss = lambda p: gc.scale_loss(jnp.sum(jnp.square(p["w"])), state)  # noqa: E731
        return tx.step(jax.grad(loss)(params), state, params)

    state = tx.init(params)
    for _ in range(40):
        params, state = step(params, state)
    shown = gc.metrics(state)
    assert shown["skipped"] == 11 and shown["loss_scale"] == 2**13  # 2^14 * 4 is beyond 65504
    assert np.all(np.isfinite(np.asarray(params["w"], np.float32)))
    np.testing.assert_allclose(np.asarray(params["w"], np.float32), 2 * 0.998**29, rtol=2e-3)


def test_in_an_nnx_optimizer():
    model = nnx.Linear(4, 1, rngs=nnx.Rngs(0), param_dtype=jnp.float16)
    tx = gc.loss_scale(gc.chain(gc.adam(1e-2), gc.master_weights()), 2.0**20, 50)
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    x = jnp.asarray(np.random.default_rng(0).standard_normal((32, 4)), jnp.float16)

    def loss(model, optimizer):
        value = jnp.mean(jnp.square(model(x).astype(jnp.float32) - x.sum(1, keepdims=True)))
        return gc.scale_loss(value, optimizer), value

    @nnx.jit
    def step(model, optimizer):
        grads, value = nnx.grad(loss, has_aux=True)(model, optimizer)
        optimizer.update(model, grads)
        return value

    seen = [float(step(model, optimizer)) for _ in range(300)]
    shown = gc.metrics(optimizer)
    assert seen[-1] < 0.01 * seen[0] and 0 < shown["skipped"] < 20
    assert all(p.dtype == jnp.float16 for p in jax.tree.leaves(nnx.state(model)))


def test_in_a_train_state():
    tx = gc.loss_scale(gc.sgd(0.1), 2.0**6)
    state = TrainState.create(apply_fn=None, params=PARAMS, tx=tx.optax)
    grads = jax.grad(lambda p: gc.scale_loss(sum(jnp.sum(x) for x in jax.tree.leaves(p)), state))(PARAMS)
    same(grads, jax.tree.map(lambda p: jnp.full_like(p, 64), PARAMS))
    after = state.apply_gradients(grads=grads)
    for x, p in zip(jax.tree.leaves(after.params), jax.tree.leaves(PARAMS), strict=True):
        np.testing.assert_allclose(x, p - 0.1, rtol=1e-6)


def test_around_another_library_and_with_accumulation():
    tx = gc.loss_scale(gc.foreign(optax.sgd(0.1)), 2.0**4)
    params, _ = tx.step(jax.tree.map(lambda p: jnp.full_like(p, 16), PARAMS), tx.init(PARAMS), PARAMS)
    for x, p in zip(jax.tree.leaves(params), jax.tree.leaves(PARAMS), strict=True):
        np.testing.assert_allclose(x, p - 0.1, rtol=1e-6)

    tx = gc.loss_scale(gc.accumulate(gc.sgd(0.1), 2), 2.0**4, 2)
    params, state = PARAMS, tx.init(PARAMS)
    for i, (scale, overflow) in enumerate([(16, False), (16, True), (8, False)]):
        g = jax.tree.map(lambda p, s=scale, i=i: jnp.full_like(p, s * (i + 1)), PARAMS)
        params, state = tx.step(bad_of(jnp.inf) if overflow else g, state, params)
    for x, p in zip(jax.tree.leaves(params), jax.tree.leaves(PARAMS), strict=True):
        np.testing.assert_allclose(x, p - 0.1 * (1 + 3) / 2, rtol=1e-6)
