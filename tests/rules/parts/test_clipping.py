"""Clipping: by element, by global norm, by layer and by unit; what zeros, infinities and NaN do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.types import init_empty_state
from tests.rules.steps import close, draw, problem, stack_is_layers, take


def first(tx, grads, params=None):
    return take(tx, grads if params is None else params, [grads])


def test_clip():
    g = {"bias": jnp.array([-2.0, 0.3, jnp.inf])}
    assert first(gc.clip(0.5), g).updates[0]["bias"].tolist() == pytest.approx([-0.5, 0.3, 0.5])
    g = {"bias": jnp.array([3 + 4j, 0.1j, 0], jnp.complex64)}
    close(first(gc.clip(1.0), g).updates[0]["bias"], np.array([0.6 + 0.8j, 0.1j, 0]))


def test_global_norm():
    g = draw()
    norm = float(gc.global_norm(g))
    clipped, free = gc.clip_by_global_norm(norm / 4), gc.clip_by_global_norm(norm * 4)
    found = first(clipped, g)
    close(found.updates[0], jax.tree.map(lambda x: x / 4, g))
    s = found.state["clip_by_global_norm"]
    assert (float(s.norm), float(s.clipped_norm)) == pytest.approx((norm, norm / 4))
    assert gc.metrics(found.state).keys() >= {"grad_norm", "clipped_norm"}
    jax.tree.map(np.testing.assert_array_equal, first(free, g).updates[0], g)  # to the last bit


def test_global_norm_of_zero_and_not_finite():
    tx = gc.clip_by_global_norm(1.0)
    values = lambda *x: first(tx, {"bias": jnp.array(x)}).updates[0]["bias"].tolist()  # noqa: E731
    assert values(0.0, 0.0) == [0.0, 0.0]
    assert np.all(np.isnan(values(jnp.nan, 1.0)))
    assert np.isnan(values(jnp.inf, 1.0)[0]) and values(jnp.inf, 1.0)[1] == 0.0
    slope = jax.grad(lambda g: jnp.sum(tx.update(g, tx.init(g))[0]))(jnp.zeros(3))
    assert np.all(np.isfinite(slope))


def test_global_norm_of_large_float16():
    g = {"kernel": jnp.full((8, 8), 6e4, jnp.float16)}  # its squares overflow float16
    found = first(gc.clip_by_global_norm(8.0), g)
    close(found.updates[0]["kernel"], np.ones((8, 8)), rtol=1e-3)


def test_limit_by_schedule_keeps_its_state():
    params, grads = problem()
    tx = gc.clip_by_global_norm(lambda t: 1.0 / (1 + t))
    found = take(tx, params, grads)
    assert [float(gc.global_norm(u)) for u in found.updates] == pytest.approx([1, 1 / 2, 1 / 3], rel=1e-5)
    assert jax.tree.structure(found.state) == jax.tree.structure(tx.init(params))


def test_norm_has_the_dtype_of_its_slot(x64):
    params, grads = problem(dtype="float32")
    tx = gc.clip_by_global_norm(1.0)
    found, start = take(tx, params, grads).state, tx.init(params)
    assert jax.tree.map(lambda x: x.dtype, found) == jax.tree.map(lambda x: x.dtype, start)


def test_block_rms():
    g = {
        "kernel": jnp.full((4, 3), 2.0),
        "bias": jnp.full(3, 0.1),
        "zero": jnp.zeros(3),
        "empty": jnp.zeros((0, 3)),
    }
    (found,) = first(gc.clip_by_block_rms(0.5), g).updates
    close(found, {**g, "kernel": jnp.full((4, 3), 0.5)})


def test_adaptive_by_unit():
    params, (g, *_) = problem({"kernel": (4, 3), "bias": (3,), "scalar": (), "empty": (0, 3)})
    (found,) = first(gc.adaptive_grad_clip(0.3, eps=0.01), g, params).updates
    for name in params:
        axes = (0,) if name == "kernel" else None
        size = lambda x: np.sqrt(np.sum(np.square(x), axis=axes, keepdims=True))  # noqa: E731, B023
        limit = 0.3 * np.maximum(size(params[name]), 0.01)
        close(found[name], g[name] * np.minimum(1, limit / np.maximum(size(g[name]), 1e-30)).reshape(
            (1, 3) if name == "kernel" else (1,) * g[name].ndim
        ))  # fmt: skip


def test_adaptive_by_unit_of_a_convolution():
    params, (g, *_) = problem({"conv": (3, 3, 2, 4)})
    params, g = ({"conv": {"kernel": x["conv"]}} for x in (params, g))
    (found,) = first(gc.adaptive_grad_clip(0.1), g, params).updates
    size = lambda x: np.sqrt(np.sum(np.square(x["conv"]["kernel"]), axis=(0, 1, 2)))  # noqa: E731
    close(size(found), np.minimum(size(g), 0.1 * size(params)))


def test_adaptive_starts_from_zero_weights():
    g = {"bias": jnp.array([3.0, 4.0])}
    (found,) = first(gc.adaptive_grad_clip(0.5, eps=0.1), g, {"bias": jnp.zeros(2)}).updates
    close(found["bias"], np.array([0.03, 0.04]))


@pytest.mark.parametrize("tx", [gc.clip_by_block_rms(0.5), gc.adaptive_grad_clip(0.2)], ids=str)
def test_a_stack_is_its_layers(tx):
    stack_is_layers(tx)


UNITS = [(), (1, 5, 1), (2, 4, 3), (2, 3, 4, 5)]


def test_units_by_hand_are_optax():
    optax = pytest.importorskip("optax")
    for shape in UNITS:
        x, g = draw({"x": shape}, 0)["x"], draw({"x": shape}, 1)["x"]
        norms = gc.unitwise_norm(x)
        close(norms, optax.transforms.unitwise_norm(x), 1e-6)
        args = (gc.unitwise_norm(g), 0.5 * norms, g)
        close(gc.unitwise_clip(*args), optax.transforms.unitwise_clip(*args), 1e-6)
    x, g = draw({"x": (4, 3)})["x"], draw({"x": (4, 3)}, 1)["x"]
    for axis in (0, 1, (0, 1)):
        close(gc.unitwise_norm(x, axis), optax.transforms.unitwise_norm(x, axis), 1e-6)
        tx, other = gc.adaptive_grad_clip(0.1, 1e-3, axis), optax.adaptive_grad_clip(0.1, 1e-3, axis)
        close(tx.update(g, tx.init(x), x)[0], other.update(g, other.init(x), x)[0], 1e-5)
    assert float(gc.unitwise_clip(jnp.zeros(()), jnp.zeros(()), jnp.zeros(()))) == 0


def test_keep_params_nonnegative():
    p, g = jnp.array([1.0, 1.0, 0.0, -2.0]), jnp.array([-0.5, -3.0, -1.0, 1.0])
    tx = gc.chain(gc.identity(), gc.keep_params_nonnegative())
    assert tx.step(g, tx.init(p), p)[0].tolist() == [0.5, 0.0, 0.0, 0.0]
    optax = pytest.importorskip("optax")
    other = optax.keep_params_nonnegative()
    close(tx.update(g, tx.init(p), p)[0], other.update(g, other.init(p), p)[0])


def test_states_of_what_keeps_none():
    states = [gc.AdaptiveGradClipState(), gc.NonNegativeParamsState(), init_empty_state({"w": jnp.ones(2)})]
    assert states == [(), (), ()]
