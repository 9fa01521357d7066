"""Momentum in other words: AggMo, QHM, AccSGD, Grokfast, averaged SGD and what each reduces to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

SHAPES = {"kernel": (2, 3, 4), "bias": (4,)}  # a stack of two matrices


def problem(steps: int = 4):
    rng = np.random.default_rng(0)
    draw = lambda: {k: jnp.asarray(rng.standard_normal(s), jnp.float32) for k, s in SHAPES.items()}  # noqa: E731
    return draw(), [draw() for _ in range(steps)]


def run(tx: gc.Transform, steps: int = 4):
    params, grads = problem(steps)
    state, step = tx.init(params), jax.jit(tx.step)
    for g in grads:
        params, state = step(g, state, params)
    return params, state


def same(tx: gc.Transform, other: gc.Transform, rtol: float = 1e-5):
    for x, y in zip(*map(jax.tree.leaves, (run(tx)[0], run(other)[0])), strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-6)


@pytest.mark.parametrize(
    ("tx", "other"),
    [
        (gc.qhm(0.1, 0.8, nu=1.0), gc.sgd(0.1 * 0.2, 0.8)),
        (gc.qhm(0.1, 0.8, nu=0.8), gc.sgd(0.1 * 0.2, 0.8, nesterov=True)),
        (gc.qhm(0.1, 0.8, nu=0.0), gc.sgd(0.1)),
        (gc.aggmo(0.1, (0.8,)), gc.sgd(0.1, 0.8)),
        (gc.aggmo(0.1, (0.7, 0.7)), gc.sgd(0.1, 0.7)),
        (gc.grokfast_ema(0.5, lamb=0.0), gc.identity()),
        (gc.grokfast_ma(1, lamb=2.0), gc.scale(3.0)),
        (gc.tiger(0.1, 0.8, weight_decay=0.0), gc.signum(0.1, 0.8)),
        (gc.accsgd(0.1, kappa=4.0, xi=2.0, small_const=1e-7), gc.sgd(0.1)),
    ],
    ids=lambda tx: tx.name,
)
def test_it_reduces_to(tx, other):
    same(tx, other)


def test_accsgd_is_the_paper_s_pair_of_steps():
    """w = (1 - beta) w + beta (p - kappa lr / c g) is not kept, but m = (p - w) / lr."""
    lr, kappa, xi, c = 0.1, 20.0, 3.0, 0.7
    beta = c * c * xi / kappa
    zeta = c / (c + beta)
    params, grads = problem()
    p = w = np.asarray(params["bias"], np.float64)
    for g in grads:
        g = np.asarray(g["bias"])
        w = (1 - beta) * w + beta * (p - kappa * lr / c * g)
        p = zeta * (p - lr * g) + (1 - zeta) * w
    found, state = run(gc.accsgd(lr, kappa, xi, c))
    np.testing.assert_allclose(found["bias"], p, rtol=1e-5, atol=1e-6)
    mu = state["scale_by_accsgd"].mu["bias"]
    np.testing.assert_allclose(found["bias"] - lr * mu, w, rtol=1e-5, atol=1e-5)


def test_sgd_sai_keeps_the_ratio_of_the_first_gradient_for_each_layer():
    _, state = run(gc.sgd_sai(0.1, eps=0.1))
    first = problem()[1][0]
    for i in range(2):
        g = np.asarray(first["kernel"][i])
        expected = np.linalg.norm(g) / (np.std(g, ddof=1) + 0.1)
        np.testing.assert_allclose(state["scale_by_sgd_sai"].snr["kernel"][i], expected, rtol=1e-5)


def test_sgd_sai_of_one_element_or_equal_ones_is_its_size():
    tx = gc.scale_by_sgd_sai()
    for g in (jnp.float32(-3.0), jnp.full(4, 1.5)):
        found, _ = tx.update(g, tx.init(g))
        np.testing.assert_allclose(found, 3 * g)


def test_sgd_sai_waits_for_the_first_gradient_that_is_not_zero():
    """That of LoRA's A is 0 in the first step: a ratio of 0 would hold it there for ever."""
    tx, g = gc.scale_by_sgd_sai(), jnp.stack([jnp.arange(4.0).reshape(2, 2), jnp.ones((2, 2))])
    late = g.at[0].set(0.0)
    with_axes = gc.with_axes(tx, {"**": "brc"})
    _, state = with_axes.update(late, with_axes.init(g))
    assert float(state["scale_by_sgd_sai"].snr[0]) == 0
    found, state = with_axes.update(g, state)
    first, fresh = with_axes.update(g, with_axes.init(g))
    np.testing.assert_allclose(found[0], first[0])
    np.testing.assert_allclose(state["scale_by_sgd_sai"].snr, fresh["scale_by_sgd_sai"].snr)


def test_the_window_keeps_the_last_gradients():
    params, grads = problem(5)
    tx = gc.grokfast_ma(3, lamb=2.0)
    state, update = tx.init(params), jax.jit(tx.update)
    for i, g in enumerate(grads):
        u, state = update(g, state)
        mean = sum(x["bias"] for x in grads[i - 2 : i + 1]) / 3 if i >= 2 else 0.0
        np.testing.assert_allclose(u["bias"], g["bias"] + 2 * mean, rtol=1e-5, atol=1e-6)


def test_asgd_without_decay_is_sgd_and_averages_at_last():
    tx = gc.asgd(0.1, lambd=0.0, t0=1)
    same(tx, gc.sgd(0.1))
    params, seen = problem()[0], []
    state, step = tx.init(params), jax.jit(tx.step)
    for g in problem()[1]:
        params, state = step(g, state, params)
        seen.append(params["bias"])
    mean = gc.eval_params(tx, state, params)["bias"]
    np.testing.assert_allclose(mean, sum(seen[2:]) / 2, rtol=1e-5)
