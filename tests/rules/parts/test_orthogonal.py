"""OrthoGrad: nothing along the parameters; PCGrad: nothing against other tasks; centring by axes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

RNG = np.random.default_rng(3)


def draw(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


def test_orthograd_is_orthogonal_in_each_layer_and_keeps_the_norm():
    p, g = {"kernel": draw(3, 4, 5), "bias": draw(3, 5)}, {"kernel": draw(3, 4, 5), "bias": draw(3, 5)}
    tx = gc.orthograd()
    u, _ = tx.update(g, tx.init(p), p)
    for name, axes in (("kernel", (1, 2)), ("bias", 1)):
        np.testing.assert_allclose(jnp.sum(u[name] * p[name], axes), 0, atol=1e-5)
        np.testing.assert_allclose(jnp.sum(u[name] ** 2, axes), jnp.sum(g[name] ** 2, axes), rtol=1e-5)
    plain = gc.orthograd(keep_norm=False)
    v, _ = plain.update(g, plain.init(p), p)
    assert np.all(jnp.sum(v["bias"] ** 2, 1) < jnp.sum(g["bias"] ** 2, 1))


def test_orthograd_of_what_lies_along_the_parameters_is_nothing():
    p = {"a": draw(50), "b": draw(1), "c": jnp.float32(2.0)}
    tx = gc.orthograd()
    u, _ = tx.update(jax.tree.map(lambda x: 3.7 * x, p), tx.init(p), p)
    for x in jax.tree.leaves(u):
        np.testing.assert_array_equal(x, 0)
    masked = gc.orthograd(mask="a")
    u, _ = masked.update(p, masked.init(p), p)
    np.testing.assert_array_equal(u["b"], p["b"])


def projected(grads, orders):
    """The sum of PCGrad's gradients, in NumPy, when task i meets the others in orders[i]."""
    total = 0
    for i, order in enumerate(orders):
        g = grads[i]
        for j in order:
            dot = g @ grads[j]
            if dot < 0:
                g = g - dot / (grads[j] @ grads[j]) * grads[j]
        total = total + g
    return total


@pytest.mark.parametrize("tasks", [1, 2, 3])
def test_pcgrad_is_the_paper_in_some_order(tasks):
    p = {"a": jnp.zeros((2, 2)), "b": jnp.zeros(3)}
    tx, orders = gc.pcgrad(), []
    state, step = tx.init(p), jax.jit(tx.update)
    others = [list(itertools.permutations([j for j in range(tasks) if j != i])) for i in range(tasks)]
    for _ in range(8):
        grads = {"a": draw(tasks, 2, 2), "b": draw(tasks, 3)}
        u, state = step(grads, state, p)
        flat = np.concatenate([np.reshape(grads[k], (tasks, -1)) for k in p], 1).astype(np.float64)
        found = np.concatenate([np.ravel(u[k]) for k in p])
        near = [
            np.allclose(found, projected(flat, choice), rtol=1e-4, atol=1e-5)
            for choice in itertools.product(*others)
        ]
        orders.append(tuple(near))
        assert any(near)
    assert tasks < 3 or len(set(orders)) > 1  # it is not always the same


def test_pcgrad_leaves_nothing_against_another_of_two():
    p, grads = {"a": jnp.zeros(2)}, {"a": jnp.array([[1.0, 0.0], [-1.0, 1.0]])}
    for mean in (False, True):
        tx = gc.pcgrad(mean=mean)
        u, _ = tx.update(grads, tx.init(p), p)
        np.testing.assert_allclose(u["a"], np.array([0.5, 1.5]) / (2 if mean else 1), rtol=1e-6)
    with pytest.raises(ValueError, match=r"pcgrad: the gradient of 'a' has shape \[2, 2\]"):
        tx.update(grads, tx.init(p), {"a": jnp.zeros(3)})


LEAVES = [("kernel", (2, 4, 3), (1,)), ("conv/kernel", (3, 3, 2, 4), (0, 1, 2))]


@pytest.mark.parametrize("path, shape, axes", LEAVES)
def test_centralize_is_the_mean_of_what_makes_one_output(path, shape, axes):
    """arXiv:2004.01461: of a matrix over its inputs, of a convolution over window and inputs too."""
    g = {path: draw(*shape), "bias": draw(4)}
    tx = gc.centralize()
    u, _ = tx.update(g, tx.init(g), g)
    np.testing.assert_allclose(u[path], g[path] - jnp.mean(g[path], axes, keepdims=True), atol=1e-6)
    np.testing.assert_array_equal(u["bias"], g["bias"])
