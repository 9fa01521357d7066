"""The zoom line search: the strong Wolfe conditions on hard functions, and what it does where it fails."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

optax = pytest.importorskip("optax")


def _root(b):
    return jnp.sqrt(1 + b * b) - b


def _yanai(b1, b2):
    return lambda a: _root(b1) * jnp.sqrt((1 - a) ** 2 + b2**2) + _root(b2) * jnp.sqrt(a**2 + b1**2)


def _wavy(a, b=0.01, waves=39):
    bowl = jnp.where(a <= 1 - b, 1 - a, jnp.where(a >= 1 + b, a - 1, (a - 1) ** 2 / (2 * b) + b / 2))
    return bowl + 2 * (1 - b) / (waves * jnp.pi) * jnp.sin(waves * jnp.pi / 2 * a)


# Functions of Moré and Thuente 1994, with their sufficient decrease and curvature, and by how much more
# evaluations than their search takes are allowed: theirs are (6, 3, 1, 4), (12, 8, 8, 11), ...
MORE_THUENTE = [
    (lambda a: -a / (a * a + 2), 1e-3, 1e-1, (6, 3, 1, 4)),
    (lambda a: (a + 0.004) ** 5 - 2 * (a + 0.004) ** 4, 0.1, 0.1, (12, 8, 8, 11)),
    (_wavy, 0.1, 0.1, (12, 12, 10, 13)),
    (_yanai(0.001, 0.001), 1e-3, 1e-3, (4, 1, 3, 4)),
    (_yanai(0.01, 0.001), 1e-3, 1e-3, (6, 3, 7, 8)),
    (_yanai(0.001, 0.01), 1e-3, 1e-3, (13, 11, 8, 11)),
]
FIRST = (1e-3, 1e-1, 1e1, 1e3)


def search(tx, f, first, at=0.0):
    """The state after one search from 0 towards 1, its first trial at `first`."""
    x = jnp.asarray(at)
    state = tx.init(x)
    name = tx.name
    state = {name: state[name]._replace(learning_rate=jnp.asarray(first, state[name].learning_rate.dtype))}
    value, grad = jax.value_and_grad(f)(x)
    updates, state = tx.update(jnp.ones_like(x), state, x, value=value, grad=grad, value_fn=f)
    return updates, state[name]


@pytest.mark.parametrize("index", range(len(MORE_THUENTE)))
def test_strong_wolfe_on_hard_functions(index):
    f, decrease, curvature, theirs = MORE_THUENTE[index]
    tx = gc.scale_by_zoom_linesearch(
        40, slope_rtol=decrease, curv_rtol=curvature, approx_dec_rtol=None, stepsize_precision=0.0
    )
    with jax.enable_x64(True):
        run = jax.jit(lambda first: search(tx, f, first))
        for first, limit in zip(FIRST, theirs, strict=True):
            t, state = run(first)
            slope = jax.grad(f)
            assert float(f(t)) <= float(f(0.0) + decrease * t * slope(0.0))
            assert abs(float(slope(t))) <= curvature * abs(float(slope(0.0)))
            assert state.info.decrease_error == 0 == state.info.curvature_error
            assert 1 <= state.info.num_linesearch_steps <= limit + 6
            np.testing.assert_allclose([state.value, state.grad], [f(t), slope(t)], rtol=1e-12, atol=1e-14)
        assert run._cache_size() == 1


def test_fewer_evaluations_than_optax_on_hard_functions():
    ours = theirs = 0
    with jax.enable_x64(True):
        for f, decrease, curvature, _ in MORE_THUENTE[:2]:
            args = {"slope_rtol": decrease, "curv_rtol": curvature, "approx_dec_rtol": None}
            tx = gc.scale_by_zoom_linesearch(60, stepsize_precision=0.0, **args)
            other = optax.scale_by_zoom_linesearch(60, stepsize_precision=0.0, **args)
            x, value, grad = jnp.asarray(0.0), *jax.value_and_grad(f)(0.0)
            for first in FIRST:
                ours += int(search(tx, f, first)[1].info.num_linesearch_steps)
                state = other.init(x)._replace(learning_rate=jnp.asarray(first))
                _, state = other.update(x + 1, state, x, value=value, grad=grad, value_fn=f)
                theirs += int(state.info.num_linesearch_steps)
    assert ours < theirs


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_where_the_function_is_not_finite_the_step_was_too_long(bad):
    def f(x):
        return jnp.where(x < 0.03, (x - 0.02) ** 2, bad)

    t, state = search(gc.scale_by_zoom_linesearch(20), f, 1.0)
    assert 0 < t < 0.03 and f(t) < f(0.0) and state.info.decrease_error == 0
    assert np.isfinite(state.value) and np.isfinite(state.grad)


def test_nothing_finite_is_no_step():
    def f(x):
        return jnp.where(x > 0, jnp.nan, -x)

    t, state = search(gc.scale_by_zoom_linesearch(5), f, 1.0)
    assert t == 0 and state.value == 0 and state.grad == -1
    assert state.info.num_linesearch_steps == 5 and np.isinf(state.info.decrease_error)


def test_a_direction_that_ascends_is_no_step():
    t, state = search(gc.scale_by_zoom_linesearch(5), lambda x: x**2 + x, 1.0)
    assert t == 0 and state.info.num_linesearch_steps == 0 and state.info.decrease_error > 0


def test_a_search_that_fails_takes_the_best_step_and_says_so():
    f, decrease, curvature, _ = MORE_THUENTE[5]
    t, state = search(gc.scale_by_zoom_linesearch(4, slope_rtol=decrease, curv_rtol=curvature), f, 1e-3)
    assert f(t) < f(0.0) and state.info.curvature_error > 0 and state.info.num_linesearch_steps == 4
    np.testing.assert_allclose(state.value, f(t))


def test_after_no_step_the_search_begins_at_1():
    t, _ = search(gc.scale_by_zoom_linesearch(5), lambda x: (x - 1) ** 2, 0.0)
    assert t == 1


def test_longest_step():
    tx = gc.scale_by_zoom_linesearch(20, max_learning_rate=0.5)
    t, state = search(tx, lambda x: (x - 100.0) ** 2, 1.0)
    assert t == 0.5 and state.info.curvature_error > 0 and state.info.num_linesearch_steps == 1


def test_first_trial():
    for strategy, first in (("keep", 0.25), ("one", 1.0)):
        tx = gc.scale_by_zoom_linesearch(20, curv_rtol=jnp.inf, initial_guess_strategy=strategy)
        assert search(tx, lambda x: (x - 3) ** 2, 0.25)[0] == first


def test_verbose_prints_of_failures_alone(capsys):
    tx = gc.scale_by_zoom_linesearch(3, verbose=True)
    search(tx, lambda x: (x - 1) ** 2, 1.0)
    jax.effects_barrier()
    assert not capsys.readouterr().out
    search(tx, lambda x: x**2 + x, 1.0)
    jax.effects_barrier()
    assert "scale_by_zoom_linesearch: no step fulfils the conditions" in capsys.readouterr().out


def test_arguments_of_the_function():
    """What value_fn takes by name is given to it, and nothing else is."""

    def f(x, y, *, z=0.0):
        return (x - y - z) ** 2

    tx, x = gc.scale_by_zoom_linesearch(10), jnp.asarray(0.0)
    value, grad = jax.value_and_grad(f)(x, 2.0, z=1.0)
    more = {"y": 2.0, "z": 1.0, "other": 5}
    t, _ = tx.update(x - grad, tx.init(x), x, value=value, grad=grad, value_fn=f, **more)
    np.testing.assert_allclose(t, 3.0, rtol=0.5)
    with pytest.raises(TypeError, match="needs 'value_fn'"):
        tx.update(x, tx.init(x), x, value=value, grad=grad)
