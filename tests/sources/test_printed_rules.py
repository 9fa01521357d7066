"""Update rules and schedules as articles on training large models print them, in NumPy float64.

θ, alpha, β, gamma, ε as printed. Each rule is written down here once more, without a look at the library's.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

STEPS, A, EPS = 30, 0.05, 1e-3
B1, B2 = 0.9, 0.99
GRADS = np.random.default_rng(0).normal(size=(STEPS, 7))
THETA = np.random.default_rng(1).normal(size=7)


def descent(theta, g, s):
    """θ ← θ - alpha ∇J(θ)."""
    return theta - A * g, s


def momentum(theta, g, v):
    """v = g + β v;  θ ← θ - alpha v."""
    v = g + B1 * v
    return theta - A * v, v


def adaptive_rate(theta, g, s):
    """rate_t = alpha / sqrt(1 + β Σ v²), v the momentum;  θ ← θ - rate_t v."""
    v, total = s if isinstance(s, tuple) else (0.0, 0.0)
    v = g + B1 * v
    total = total + v**2
    return theta - A / np.sqrt(1 + B2 * total) * v, (v, total)


def adagrad(theta, g, r):
    """r = r + g²;  θ ← θ - alpha g / (sqrt(r) + ε)."""
    r = r + g**2
    return theta - A * g / (np.sqrt(r) + EPS), r


def rmsprop(theta, g, r):
    """r = β r + (1 - β) g²;  θ ← θ - alpha g / (sqrt(r) + ε)."""
    r = B1 * r + (1 - B1) * g**2
    return theta - A * g / (np.sqrt(r) + EPS), r


def adam(theta, g, s, corrected, inside):
    m, v, t = s if isinstance(s, tuple) else (0.0, 0.0, 0)
    m, v, t = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g**2, t + 1
    mean, square = (m / (1 - B1**t), v / (1 - B2**t)) if corrected else (m, v)
    return theta - A * mean / (np.sqrt(square + EPS) if inside else np.sqrt(square) + EPS), (m, v, t)


def l2(theta, g, s):
    """J + λ/2 Σ w²."""
    return theta - A * (g + 0.1 * theta), s


def l1(theta, g, s):
    """J + λ Σ |w|, as a proximal step."""
    z = theta - A * g
    return np.sign(z) * np.maximum(np.abs(z) - A * 0.1, 0), s


def clipped(theta, g, s):
    """g ← g · min(1, 0.5 / |g|)."""
    return theta - A * g * min(1.0, 0.5 / np.linalg.norm(g)), s


RULES = {
    "gradient descent": (descent, gc.sgd(A)),
    "momentum": (momentum, gc.sgd(A, momentum=B1)),
    "adaptive learning rate": (
        adaptive_rate,
        gc.chain(gc.trace(B1), gc.scale_by_rss(1 / B2, eps=0.0), gc.scale_by_learning_rate(A / B2**0.5)),
    ),
    "AdaGrad": (adagrad, gc.adagrad(A, 0.0, EPS, eps_in_sqrt=False)),
    "RMSprop": (rmsprop, gc.rmsprop(A, B1, EPS, eps_in_sqrt=False)),
    "Adam, no correction, epsilon inside": (
        lambda *x: adam(*x, False, True),
        gc.chain(gc.scale_by_adam(B1, B2, 0.0, EPS, bias_correction=False), gc.scale_by_learning_rate(A)),
    ),
    "Adam, no correction, epsilon outside": (
        lambda *x: adam(*x, False, False),
        gc.chain(gc.scale_by_adam(B1, B2, EPS, bias_correction=False), gc.scale_by_learning_rate(A)),
    ),
    "Adam of Kingma and Ba": (lambda *x: adam(*x, True, False), gc.adam(A, B1, B2, EPS)),
    "L2": (l2, gc.chain(gc.add_decayed_weights(0.1), gc.sgd(A))),
    "L1": (l1, gc.chain(gc.sgd(A), gc.proximal_l1(A * 0.1))),
    "global norm 0.5": (clipped, gc.chain(gc.clip_by_global_norm(0.5), gc.sgd(A))),
}


@pytest.mark.parametrize("name", RULES)
def test_rule(name, x64):
    rule, tx = RULES[name]
    theta, s = THETA, 0.0
    params, state = jnp.asarray(THETA), tx.init(jnp.asarray(THETA))
    step = jax.jit(tx.step)
    for g in GRADS:
        theta, s = rule(theta, g, s)
        params, state = step(jnp.asarray(g), state, params)
    np.testing.assert_allclose(params, theta, rtol=1e-12, atol=1e-13)
    assert not np.allclose(theta, THETA, atol=1e-2)


def test_descent_of_all_some_and_one_sample(x64):
    """Full, mini-batch and single-sample gradients differ in the batch alone: means over m samples."""
    x, y = np.random.default_rng(2).normal(size=(12, 3)), np.random.default_rng(3).normal(size=12)
    loss = lambda w, x, y: jnp.mean((x @ w - y) ** 2)  # noqa: E731
    for m in (12, 4, 1):
        tx, w, ours = gc.sgd(A), np.zeros(3), jnp.zeros(3)
        state = tx.init(ours)
        for i in range(0, 12, m):
            part, goal = x[i : i + m], y[i : i + m]
            w = w - A * sum(2 * (a @ w - b) * a for a, b in zip(part, goal, strict=True)) / m
            ours, state = tx.step(jax.grad(loss)(ours, part, goal), state, ours)
        np.testing.assert_allclose(ours, w, rtol=1e-12)


SCHEDULES = {  # rate_t as printed, and here
    "fixed": (lambda t: A, gc.constant_schedule(A)),
    "linear": (lambda t: A + (0.01 - A) * min(t, 20) / 20, gc.linear_schedule(A, 0.01, 20)),
    "exponential": (lambda t: A * 0.9**t, gc.exponential_decay(A, 1, 0.9)),
    "cosine": (
        lambda t: A * (1 + np.cos(np.pi * min(t, 20) / 20)) / 2,
        gc.cosine_decay_schedule(A, 20),
    ),
    "staircase of factors": (
        lambda t: A * 0.5 ** (t // 10),
        gc.exponential_decay(A, 10, 0.5, staircase=True),
    ),
    "steps of Δalpha": (lambda t: A - 0.004 * (t // 10), lambda t: A - 0.004 * (t // 10)),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule(name, x64):
    """The rate of step t, as a run with the schedule takes it: θ falls by rate_t where the gradient is 1."""
    printed, schedule = SCHEDULES[name]
    tx, params = gc.sgd(schedule), jnp.zeros(())
    state = tx.init(params)
    for t in range(STEPS):
        new, state = tx.step(jnp.ones(()), state, params)
        assert float(params - new) == pytest.approx(printed(t), rel=1e-6, abs=1e-9), t
        params = new


def test_batches_that_grow_by_a_constant(x64):
    """b_t = b_{t-1} + Δb: means over 1, 2, 3, ... microbatches, without compiling again."""
    tx = gc.accumulate(gc.sgd(A), lambda step: 1 + step)
    params, state = jnp.asarray(THETA), tx.init(jnp.asarray(THETA))
    step = jax.jit(tx.step)
    theta, i, b = THETA, 0, 1
    while i + b <= STEPS:
        for g in GRADS[i : i + b]:
            params, state = step(jnp.asarray(g), state, params)
        theta, i, b = theta - A * GRADS[i : i + b].mean(0), i + b, b + 1
        np.testing.assert_allclose(params, theta, rtol=1e-12)
    assert b > 6 and step._cache_size() == 1


LOSSES = {
    "mean squared error": (lambda x, y: (x - y) ** 2, gc.losses.squared_error),
    "Huber": (
        lambda x, y: np.where(np.abs(x - y) <= 1, 0.5 * (x - y) ** 2, np.abs(x - y) - 0.5),
        gc.losses.huber_loss,
    ),
    "binary cross-entropy, log loss": (
        lambda x, y: -(y * np.log(1 / (1 + np.exp(-x))) + (1 - y) * np.log(1 - 1 / (1 + np.exp(-x)))),
        gc.losses.sigmoid_binary_cross_entropy,
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_loss(name, x64):
    printed, loss = LOSSES[name]
    x, y = GRADS[0], np.asarray([0, 1, 1, 0, 1, 0, 1.0])
    np.testing.assert_allclose(loss(jnp.asarray(x), jnp.asarray(y)), printed(x, y), rtol=1e-12)


def test_cross_entropy_of_classes(x64):
    """- Σ y log p, of probabilities and of the number of the class ("sparse")."""
    x, right = GRADS[:4], np.asarray([0, 6, 3, 3])
    p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    expected = -np.log(p[np.arange(4), right])
    dense = gc.losses.softmax_cross_entropy(jnp.asarray(x), jnp.asarray(np.eye(7)[right]))
    sparse = gc.losses.softmax_cross_entropy_with_integer_labels(jnp.asarray(x), jnp.asarray(right))
    np.testing.assert_allclose(dense, expected, rtol=1e-12)
    np.testing.assert_allclose(sparse, expected, rtol=1e-12)
