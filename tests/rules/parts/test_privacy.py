"""Private gradients: clipping by example beside Optax and by hand, the noise, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.steps import close, draw

BATCH = {"kernel": (5, 4, 3), "bias": (5, 3)}
WEIGHTS = {"kernel": (4, 3), "bias": (3,)}


def clipped(grads, bound: float):
    """The mean of the clipped gradients, one example at a time."""
    n = len(grads["bias"])
    total = {k: np.zeros(g.shape[1:]) for k, g in grads.items()}
    for i in range(n):
        size = np.sqrt(sum(np.sum(np.abs(g[i]) ** 2) for g in grads.values()))
        for k, g in grads.items():
            total[k] = total[k] + np.asarray(g[i]) * min(1, bound / size) / n
    return total


def test_per_example_clips_are_optax(x64):
    optax = pytest.importorskip("optax")
    grads = list(draw(BATCH, dtype="float64").values())
    grads[0] = grads[0].at[2].set(0)
    grads[1] = grads[1].at[2].set(0)  # an example without gradient
    for bound in (0.0, 1.5, 3.0, np.inf):
        close(gc.per_example_global_norm_clip(grads, bound), optax.per_example_global_norm_clip(grads, bound))
        for uniform in (True, False):
            found = gc.per_example_layer_norm_clip(grads, bound, uniform)
            close(found, optax.per_example_layer_norm_clip(grads, bound, uniform), 1e-12)


def test_without_noise_it_is_the_mean_of_the_clipped(x64):
    optax = pytest.importorskip("optax")
    params, grads = draw(WEIGHTS, dtype="float64"), draw(BATCH, 1, "float64")
    tx = gc.differentially_private_aggregate(2.0, 0.0)
    u, _ = tx.update(grads, tx.init(params), params)
    close(u, clipped(grads, 2.0), 1e-12)
    other = optax.contrib.differentially_private_aggregate(2.0, 0.0, 0)
    close(u, other.update(grads, other.init(params))[0], 1e-12)
    heavy = gc.dpsgd(0.1, 2.0, 0.0, 3, 0.9, True)
    theirs = optax.chain(
        optax.contrib.differentially_private_aggregate(2.0, 0.0, 3), optax.sgd(0.1, 0.9, True)
    )
    state, other = heavy.init(params), theirs.init(params)
    for seed in range(3):
        g = draw(BATCH, seed, "float64")
        u, state = heavy.update(g, state, params)
        v, other = theirs.update(g, other, params)
        close(u, v, 1e-12)


def noise(tx, dtype="float32", steps: int = 2):
    """What comes of zero gradients of four examples."""
    params = {"one": jnp.zeros((64, 128), dtype), "two": jnp.zeros((64, 128), dtype)}
    grads = jax.tree.map(lambda p: jnp.zeros((4, *p.shape), dtype), params)
    state, found, step = tx.init(params), [], jax.jit(tx.update)
    for _ in range(steps):
        u, state = step(grads, state, params)
        found.append(u)
    return found


def test_noise_has_the_size_that_was_asked_for_and_is_new_everywhere():
    first, second = noise(gc.differentially_private_aggregate(2.0, 3.0, seed=1))
    for x in (*first.values(), *second.values()):
        assert float(jnp.std(x)) == pytest.approx(2.0 * 3.0 / 4, rel=0.03)
    for x, y in ((first["one"], first["two"]), (first["one"], second["one"])):
        assert abs(float(jnp.mean(x * y))) < 0.1
    both = noise(gc.differentially_private_aggregate(2.0, 3.0), "complex64", 1)[0]["one"]
    for part in (both.real, both.imag):  # each is a number of its own, with the whole noise
        assert float(jnp.std(part)) == pytest.approx(1.5, rel=0.03)


def test_seeds_and_keys():
    """A key of a seed is that seed; other keys and larger seeds are their own; none is 0."""
    of = lambda **given: noise(gc.differentially_private_aggregate(1.0, 1.0, **given), steps=1)[0]["one"]  # noqa: E731
    five, other = of(seed=5), jax.random.fold_in(jax.random.key(5), 1)
    np.testing.assert_array_equal(five, of(key=jax.random.key(5)))
    np.testing.assert_array_equal(five, of(key=jax.random.PRNGKey(5)))
    np.testing.assert_array_equal(of(), of(seed=0))
    kept = gc.differentially_private_aggregate(1.0, 1.0, other)
    assert kept.args["key"] > 2**32 and eval(repr(kept), vars(gc)) == kept
    for x in (of(key=other), of(seed=5 + 2**32)):
        assert abs(float(jnp.mean(x * five))) < 0.02
    with pytest.raises(TypeError, match="key is 1 and seed is 2; they are one argument"):
        gc.differentially_private_aggregate(1.0, 1.0, 1, seed=2)
    with pytest.raises(TypeError, match=r"dpsgd: seed is .*a whole number.*a JAX key is not a value"):
        gc.dpsgd(0.1, 1.0, 1.0, jax.random.key(0))
    with pytest.raises(TypeError, match="expected a whole number or a JAX key or None"):
        jax.jit(lambda k: gc.add_noise(0.1, 0.5, k).init({}))(jax.random.key(0))


def test_gradients_that_are_not_of_examples():
    params, grads = draw(WEIGHTS), draw(BATCH, 1)
    tx = gc.dpsgd(0.1, 1.0, 0.5, seed=0)
    state = tx.init(params)
    with pytest.raises(ValueError, match=r"'bias' has shape \[5\], its parameter \[3\]; expected \[examples"):
        tx.update({**grads, "bias": grads["bias"][:, 0]}, state, params)
    with pytest.raises(ValueError, match=r"'kernel' has shape \[4, 4, 3\], that of 'bias' \[5, 3\]"):
        tx.update({**grads, "kernel": grads["kernel"][1:]}, state, params)
    with pytest.raises(ValueError, match=r"per_example_global_norm_clip: the gradient of '0'.*jax.vmap"):
        gc.per_example_global_norm_clip([jnp.ones(())], 1.0)
