"""Extra arguments reach what is wrapped, whatever their dtype and whatever JAX does around the step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

PARAMS = {"w": jnp.array([1.0, 2.0])}


def shifted():
    """u = g + offset, an extra argument of any dtype."""
    return gc.leafwise(None, lambda g, *, offset: g + offset)


def noisy():
    """u = g + noise of a key, an extra argument."""

    def step(g, *, key):
        return g + jax.random.normal(key, g.shape)

    return gc.leafwise(None, step)


@pytest.fixture(scope="module")
def links():
    """The two as registered transforms, taken out of the registry again: laws run over what is in it."""
    made = gc.transform()(shifted)(), gc.transform()(noisy)()
    yield made
    for tx in made:
        gc.REGISTRY.pop(tx.name)


WRAPPERS = {"skip": gc.skip, "accumulate": lambda tx: gc.accumulate(tx, 1)}
every = pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)


@every
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_derivative_of_a_scan(links, wrap, dtype):
    """An integer that the wrapped step uses is no constant of another trace."""
    tx = wrap(gc.chain(links[0], gc.sgd(0.1)))
    offsets = jnp.array([3, 5], dtype)

    def end(params):
        def body(c, offset):
            return tx.step(c[0], c[1], c[0], offset=offset), None

        (params, _), _ = jax.lax.scan(body, (params, tx.init(params)), offsets)
        return jnp.sum(params["w"]), params["w"]

    slope, found = jax.grad(end, has_aux=True)(PARAMS)
    expected = 0.9 * (0.9 * np.array([1.0, 2.0]) - 0.3) - 0.5
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(slope["w"], [0.81, 0.81], rtol=1e-6)


@every
def test_keys_under_vmap_jit_and_grad(links, wrap):
    tx, plain = wrap(links[1]), links[1]
    keys = jax.random.split(jax.random.key(0), 2)

    def after(params, key, tx):
        return tx.step(params, tx.init(params), params, key=key)[0]["w"]

    for key, found in zip(keys, jax.vmap(lambda k: after(PARAMS, k, tx))(keys), strict=True):
        np.testing.assert_allclose(found, after(PARAMS, key, plain), rtol=1e-6)
    slope = jax.grad(lambda p: jnp.sum(jax.jit(lambda p, k: after(p, k, tx))(p, keys[0])))(PARAMS)
    np.testing.assert_allclose(slope["w"], [2.0, 2.0])


def test_traced_periods_and_rates():
    """Hyperparameters that are tracers of a transformation around the step: integers as well."""

    def after(every, rate):
        tx = gc.skip(gc.accumulate(gc.sgd(rate), every))
        params, state = PARAMS, tx.init(PARAMS)
        for _ in range(2):
            params, state = tx.step(PARAMS, state, params)
        return params["w"][0]

    found = jax.jit(jax.vmap(jax.value_and_grad(after, argnums=1), (0, None)))(jnp.array([1, 2, 3]), 0.1)
    np.testing.assert_allclose(found[0], [0.8, 0.9, 1.0], rtol=1e-6)
    np.testing.assert_allclose(found[1], [-2.0, -1.0, 0.0], rtol=1e-6)
