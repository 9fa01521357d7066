"""Gradient noise: its size, that it fades, and that its bits depend on seed, step, path and element alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.steps import close, draw, take

SHAPES = {"kernel": (128, 64), "twin": (128, 64)}


def noise(tx, steps: int = 3):
    params = draw(SHAPES)
    return take(tx, params, [jax.tree.map(jnp.zeros_like, params)] * steps).updates


def test_variance():
    for t, u in enumerate(noise(gc.add_noise(eta=0.09, gamma=2.0))):
        for x in u.values():
            assert float(jnp.std(x)) == pytest.approx(0.3 / (1 + t), rel=0.05)
            assert abs(float(jnp.mean(x))) < 0.02 / (1 + t)


def test_leaves_steps_and_seeds_differ():
    one, two = noise(gc.add_noise(1.0, 0.0), 2)
    other = noise(gc.add_noise(1.0, 0.0, key=1), 1)[0]
    correlation = lambda x, y: abs(float(jnp.mean(x * y)))  # noqa: E731
    assert correlation(one["kernel"], one["twin"]) < 0.05
    assert correlation(one["kernel"], two["kernel"]) < 0.05
    assert correlation(one["kernel"], other["kernel"]) < 0.05


def test_bits_do_not_depend_on_how_it_runs():
    tx, params = gc.add_noise(0.1, 0.55, seed=3), draw(SHAPES)
    zeros = jax.tree.map(jnp.zeros_like, params)
    eager = tx.update(zeros, tx.init(params))[0]
    jitted = jax.jit(tx.update)(zeros, tx.init(params))[0]
    scanned = jax.lax.scan(lambda s, _: tx.update(zeros, s)[::-1], tx.init(params), length=1)[1]
    mesh = jax.make_mesh((4,), ("x",), devices=jax.devices()[:4], axis_types=(jax.sharding.AxisType.Auto,))
    split = jax.device_put(zeros, jax.NamedSharding(mesh, jax.P(None, "x")))
    sharded = jax.jit(tx.update)(split, tx.init(split))[0]
    alone = tx.update({"twin": zeros["twin"]}, tx.init({"twin": params["twin"]}))[0]
    for name, x in eager.items():
        np.testing.assert_array_equal(x, jitted[name])
        np.testing.assert_array_equal(x, scanned[name][0])
        np.testing.assert_array_equal(x, sharded[name])
    np.testing.assert_array_equal(eager["twin"], alone["twin"])


def test_noisy_sgd():
    params, zero = draw(SHAPES), jax.tree.map(jnp.zeros_like, draw(SHAPES))
    found = take(gc.noisy_sgd(0.5, eta=0.2, gamma=0.3, seed=5), params, [zero]).updates
    close(found, [{k: -0.5 * x for k, x in noise(gc.add_noise(0.2, 0.3, 5), 1)[0].items()}])
