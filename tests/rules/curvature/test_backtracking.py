"""The backtracking line search: Optax's steps where it succeeds, the best trial or none where it fails."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

optax = pytest.importorskip("optax")
NAME = "scale_by_backtracking_linesearch"


def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def steps(tx, n, read=None):
    """The parameters and the state after each of n steps of gradient descent."""

    @jax.jit
    def step(x, state):
        value, grad = jax.value_and_grad(rosenbrock)(x)
        updates, state = tx.update(-grad, state, x, value=value, grad=grad, value_fn=rosenbrock)
        return x + updates, state

    x, found = jnp.array([-1.2, 1.0, 0.5]), []
    state = tx.init(x)
    for _ in range(n):
        x, state = step(x, state)
        found.append((x, read(state) if read else state))
    return found


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"store_grad": True},
        {"slope_rtol": 0.3, "decrease_factor": 0.5, "increase_factor": 1.2, "max_learning_rate": 0.01},
        {"increase_factor": np.inf, "rtol": 0.01, "atol": 1e-3},
    ],
)
def test_steps_are_optax_s(args):
    with jax.enable_x64(True):
        ours = steps(gc.scale_by_backtracking_linesearch(40, **args), 25, lambda s: s[NAME])
        theirs = steps(optax.scale_by_backtracking_linesearch(40, **args), 25)
        for (x, a), (y, b) in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-12)
            for field in ("learning_rate", "value", *(["grad"] if args.get("store_grad") else [])):
                np.testing.assert_allclose(getattr(a, field), getattr(b, field), rtol=1e-10)
            assert a.info.num_linesearch_steps == b.info.num_linesearch_steps


def failing(f, direction, steps=4):
    tx, x = gc.scale_by_backtracking_linesearch(steps, store_grad=True), jnp.asarray(0.0)
    value, grad = jax.value_and_grad(f)(x)
    t, state = tx.update(x + direction, tx.init(x), x, value=value, grad=grad, value_fn=f)
    return t, state[NAME]


def test_no_decrease_is_no_step():
    t, state = failing(lambda x: x**2 + x, 1.0)
    assert t == 0 and state.value == 0 and state.grad == 1 and 0 < state.info.decrease_error < np.inf
    assert state.info.num_linesearch_steps == 5


def test_not_finite_is_no_step_and_the_next_search_begins_anew():
    def f(x):
        return jnp.where(x > 0, jnp.nan, -x)

    t, state = failing(f, 1.0)
    assert t == 0 and state.value == 0 and state.grad == -1 and np.isinf(state.info.decrease_error)
    tx, x = gc.scale_by_backtracking_linesearch(4, store_grad=True), jnp.asarray(0.0)
    more = {"value": 1.0, "grad": jnp.asarray(-2.0), "value_fn": lambda x: (x - 1) ** 2}
    assert tx.update(x + 1, {NAME: state}, x, **more)[0] == 1


def test_too_little_decrease_is_the_lowest_trial():
    tx, x = gc.scale_by_backtracking_linesearch(3, slope_rtol=0.99, decrease_factor=0.5), jnp.asarray(0.0)
    f = lambda x: (x - 0.7) ** 2 + 10 * x**4  # noqa: E731
    value, grad = jax.value_and_grad(f)(x)
    t, state = tx.update(x + 1, tx.init(x), x, value=value, grad=grad, value_fn=f)
    assert 0 < state[NAME].info.decrease_error < np.inf and f(t) < f(0.0)
    np.testing.assert_allclose(t, 0.25)
