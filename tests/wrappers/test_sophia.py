"""Sophia beside Optax's, and the estimate of the Hessian's diagonal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

optax = pytest.importorskip("optax")


def given(updates, state, params=None, **extra):
    """Some Hessian of the gradient."""
    del params, extra
    return jax.tree.map(lambda g: 3 * jnp.abs(g) - 0.5, updates), state


@pytest.mark.parametrize("clip_threshold", [1.0, None])
def test_optax_s_numbers(clip_threshold):
    estimate = optax.GradientTransformationExtraArgs(lambda params: (), given)
    args = {"weight_decay": 0.1, "update_interval": 3, "gamma": 0.5, "hessian_diagonal_fn": estimate}
    args |= {"clip_threshold": clip_threshold}
    with jax.enable_x64(True):
        tx = gc.sophia(0.01, bias_correction=True, delayed=True, **args)
        other, rng = optax.contrib.sophia(0.01, **args), np.random.default_rng(0)
        p = q = {"w": jnp.asarray(rng.standard_normal((3, 4))), "b": jnp.asarray(rng.standard_normal(4))}
        state, theirs = tx.init(p), other.init(q)
        for _ in range(20):
            g = jax.tree.map(lambda x: jnp.asarray(rng.standard_normal(x.shape)), p)
            p, state = tx.step(g, state, p)
            updates, theirs = other.update(g, theirs, q)
            q = optax.apply_updates(q, updates)
            jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-12), p, q)


def quadratic(params):
    return jnp.sum(params["w"] ** 2 * jnp.array([1.0, 2.0, 4.0])) + 3 * params["w"][0] * params["b"]


def test_hutchinson_is_exact_without_coupling_and_right_in_the_mean():
    tx = gc.hutchinson_estimator_diag_hessian(3)
    params = {"b": jnp.array(0.5), "w": jnp.array([1.0, -1.0, 2.0])}

    @jax.jit
    def draw(state):
        return tx.update(params, state, params, obj_fn=quadratic)

    state, found = tx.init(params), []
    for _ in range(100):
        h, state = draw(state)
        found.append([*h["w"], h["b"]])
    found = np.array(found)
    np.testing.assert_allclose(found[:, 1:3], [[4.0, 8.0]] * 100, rtol=1e-6)
    assert set(np.unique(found[:, 0].round(4))) == {-1.0, 5.0}  # 2 +- 3
    assert abs(found[:, 0].mean() - 2) < 1 and abs(found[:, 3].mean()) < 1
    again = draw(tx.init(params))[0]
    np.testing.assert_array_equal([*again["w"], again["b"]], found[0])


def test_the_hessian_is_asked_for_when_it_is_due():
    tx, params = gc.scale_by_sophia(update_interval=3), {"b": jnp.array(0.5), "w": jnp.ones(3)}
    state, seen = tx.init(params), []
    for _ in range(6):
        _, state = tx.update(params, state, params, obj_fn=quadratic)
        seen.append(tuple(np.asarray(state["hutchinson_estimator_diag_hessian"].key)))
    assert seen[0] == seen[1] == seen[2] != seen[3] == seen[5]


def test_it_converges_by_the_extra_argument():
    tx, params = (
        gc.sophia(0.1, 0.5, 0.5, update_interval=2, weight_decay=0.0, gamma=1.0),
        {"b": jnp.zeros(()), "w": jnp.ones(3)},
    )
    f = lambda p: quadratic(p) + 4 * p["b"] ** 2  # noqa: E731
    state = tx.init(params)
    step = jax.jit(lambda p, s: tx.step(jax.grad(f)(p), s, p, obj_fn=f))
    for _ in range(60):
        params, state = step(params, state)
    assert f(params) < 0.05 and step._cache_size() == 1
    with pytest.raises(TypeError, match="hutchinson_estimator_diag_hessian needs 'obj_fn'"):
        tx.update(params, state, params)


def test_win_rate_is_printed_when_it_is_asked_for(capsys):
    tx = gc.scale_by_sophia(verbose=True, print_win_rate_every_n_steps=2, hessian_diagonal_fn=gc.scale(2.0))
    params = jnp.array([1.0, -2.0])
    state = tx.init(params)
    for _ in range(4):
        _, state = tx.update(params, state, params)
    jax.effects_barrier()
    assert capsys.readouterr().out.count("scale_by_sophia: win rate") == 2
