"""Without tuning, rate-free optimizers end near the best of a grid of learning rates for SGD and Adam."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

RATES = 10.0 ** np.arange(-4, 1.01, 0.5)


def quadratic():
    """(x - 1)' H (x - 1) / 2 from 0, H turned against the axes, of condition 1000."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 20)))[0]
    h = jnp.asarray(turn * np.logspace(-3, 0, 20) @ turn.T, jnp.float32)

    def loss(p, key=None):
        return (p["x"] - 1.0) @ h @ (p["x"] - 1.0) / 2

    return loss, {"x": jnp.zeros(20)}


def logistic():
    """Two noisy classes in 10 features of other sizes, 20 of 200 examples at a time; l2, so that one is best.

    The loss is that above the smallest, which Newton's method finds.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 10)) * np.logspace(-1, 0.5, 10)
    y = np.sign(x @ rng.normal(size=10) + rng.normal(size=200))
    x, p = x * y[:, None], np.zeros(10)

    def value(p):
        return np.mean(np.logaddexp(0, -x @ p)) + 5e-3 * p @ p

    for _ in range(30):
        s = 1 / (1 + np.exp(x @ p))
        slope = -x.T @ s / 200 + 1e-2 * p
        p = p - np.linalg.solve((x.T * (s * (1 - s))) @ x / 200 + 1e-2 * np.eye(10), slope)
    best = float(value(p))
    examples = jnp.asarray(x, jnp.float32)

    def loss(p, key=None):
        rows = examples if key is None else examples[jax.random.randint(key, (20,), 0, 200)]
        return jnp.mean(jax.nn.softplus(-rows @ p["w"])) + 5e-3 * p["w"] @ p["w"] - best

    return loss, {"w": jnp.zeros(10)}


PROBLEMS = {"quadratic": quadratic, "logistic": logistic}
STEPS = 300


def end(tx, problem: str):
    """The loss after the steps over the loss before them."""
    loss, params = PROBLEMS[problem]()

    def step(carry, key):
        params, state = carry
        value, grads = jax.value_and_grad(loss)(params, key)
        return tx.step(grads, state, params, **({"value": value} if "value" in tx.body.needs else {})), None

    keys = jax.random.split(jax.random.key(1), STEPS)
    (after, _), _ = jax.lax.scan(step, (params, tx.init(params)), keys)
    return loss(after) / loss(params)


@functools.cache
def tuned(problem: str, *makes) -> float:
    """The best of the grids of learning rates; neither end of a grid is its best."""
    found = []
    for make in makes:
        ends = np.asarray(jax.jit(jax.vmap(lambda rate, make=make: end(make(rate), problem)))(RATES))
        assert 0 < np.nanargmin(ends) < len(RATES) - 1
        found.append(float(np.nanmin(ends)))
    return min(found)


def reached(name: str, problem: str) -> float:
    """The end in units of the tuned one: of gradient descent, with noise of Adam as well."""
    rivals = (gc.sgd, gc.adam) if problem == "logistic" else (gc.sgd,)
    return float(jax.jit(lambda: end(UNTUNED[name], problem))()) / tuned(problem, *rivals)


DOWN = gc.linear_schedule(1.0, 0.0, STEPS)
UNTUNED = {
    "prodigy": gc.prodigy(DOWN),
    "dadapt_adamw": gc.dadapt_adamw(DOWN),
    "dog": gc.dog(),
    "dowg": gc.dowg(),
    "cocob": gc.cocob(),
    "momo": gc.momo(),
    "momo_adam": gc.momo_adam(1.0),
    "mechanize": gc.mechanize(gc.adam(DOWN)),
    "sgd": gc.sgd(1e-3),  # what a rate that is not tuned does
}
WITHIN = {"quadratic": 30, "logistic": 5}


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", UNTUNED)
def test_near_the_tuned_one(name, problem):
    assert (reached(name, problem) < WITHIN[problem]) == (name != "sgd")
