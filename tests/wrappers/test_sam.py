"""SAM beside Optax's, plain and in one update; what eval_params reads in between."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain import testing

optax = pytest.importorskip("optax")
PARAMS = {"b": np.array([0.3, -1.0, 2.0]), "w": np.array([1.0, 0.5, -0.7])}


def loss(params, i=0):
    del i
    return jnp.sum(jnp.sin(params["w"]) * params["b"]) + 0.1 * jnp.sum(params["w"] ** 2)


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"sync_period": 3, "reset_state": False},
        {"opaque_mode": True},
        {"opaque_mode": True, "sync_period": 3, "reset_state": False},
    ],
    ids=str,
)
def test_steps_are_optax_s(args):
    with jax.enable_x64(True):
        tx = gc.sam(gc.adam(0.05), gc.sgd(0.1, momentum=0.9), **args)
        other = optax.contrib.sam(optax.adam(0.05), optax.sgd(0.1, momentum=0.9), **args)
        p = q = jax.tree.map(jnp.asarray, PARAMS)
        more = {"grad_fn": jax.grad(loss)} if args.get("opaque_mode") else {}
        state, theirs = tx.init(p), other.init(q)
        step = jax.jit(lambda p, s: tx.step(jax.grad(loss)(p), s, p, **more))
        for _ in range(20):
            p, state = step(p, state)
            updates, theirs = other.update(jax.grad(loss)(q), theirs, q, **more)
            q = optax.apply_updates(q, updates)
            for name in p:
                np.testing.assert_allclose(p[name], q[name], rtol=1e-10)
        assert step._cache_size() == 1


def test_one_update_with_two_gradients_is_two_updates():
    climb = gc.chain(gc.normalize(), gc.sgd(0.2))
    plain, at_once = gc.sam(gc.adam(0.05), climb), gc.sam(gc.adam(0.05), climb, opaque_mode=True)
    p = q = jax.tree.map(jnp.asarray, PARAMS)
    s, t = plain.init(p), at_once.init(q)
    for i in range(6):
        p, s = plain.step(jax.grad(loss)(p), s, p)
        if i % 2:
            q, t = at_once.step(jax.grad(loss)(q), t, q, grad_fn=lambda p: jax.grad(loss)(p))
            jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5), p, q)
        else:
            jax.tree.map(
                lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5), gc.eval_params(plain, s, p), q
            )
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), gc.eval_params(plain, s, p), p)


def test_the_gradient_may_depend_on_the_place_in_the_climb():
    seen = []

    def grad_fn(params, i):
        seen.append(i)
        return jax.grad(loss)(params)

    tx = gc.sam(gc.sgd(0.1), gc.sgd(0.1), sync_period=4, opaque_mode=True)
    params = jax.tree.map(jnp.asarray, PARAMS)
    tx.update(jax.grad(loss)(params), tx.init(params), params, grad_fn=grad_fn)
    assert seen == [0, 1, 2]
    with pytest.raises(TypeError, match="sam needs 'grad_fn'"):
        tx.update(params, tx.init(params), params)


def test_laws_of_one_update_with_two_gradients():
    tx = gc.sam(gc.adam(0.05), gc.sgd(0.1), opaque_mode=True)
    for law in testing.laws_for(tx):
        if not law.law.dear and not law.law.slow:
            law()


def test_a_period_of_one_is_the_optimizer():
    tx, alone = gc.sam(gc.adam(0.05), gc.sgd(0.1), sync_period=1), gc.adam(0.05)
    p = q = jax.tree.map(jnp.asarray, PARAMS)
    s, t = tx.init(p), alone.init(q)
    for _ in range(3):
        p, s = tx.step(jax.grad(loss)(p), s, p)
        q, t = alone.step(jax.grad(loss)(q), t, q)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5), p, q)
