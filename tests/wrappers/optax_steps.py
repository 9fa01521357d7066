"""What tests against Optax share: float64 parameters, gradients, and steps of both libraries."""

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc

RNG = np.random.default_rng(0)
SHAPES = {"enc": {"kernel": (3, 2), "bias": (2,)}, "dec": (2, 2)}


def draw(scale=1.0):
    return jax.tree.map(
        lambda s: np.asarray(scale * RNG.standard_normal(s)), SHAPES, is_leaf=lambda s: isinstance(s, tuple)
    )


PARAMS, GRADS = draw(), [draw() for _ in range(24)]
NAN = jax.tree.map(lambda x: x * np.nan, GRADS[0])


def steps(tx, grads=GRADS, **extra):
    """Parameters and state after each step, of one compilation."""
    params = jax.tree.map(jnp.asarray, PARAMS)
    state, seen = tx.init(params), []
    update = jax.jit(lambda g, s, p, extra: tx.update(g, s, p, **extra))
    for i, g in enumerate(grads):
        updates, state = update(g, state, params, {k: v[i] for k, v in extra.items()})
        params = gc.apply_updates(params, updates)
        seen.append((params, state))
    assert update._cache_size() == 1 or not isinstance(tx, gc.Transform)
    return seen


def close(x, y, rtol=1e-12):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-13), x, y)


def alike(ours, theirs, grads=GRADS, **extra):
    """The same parameters after each step; the last states."""
    pairs = list(zip(steps(ours, grads, **extra), steps(theirs, grads, **extra), strict=True))
    for (params, _), (expected, _) in pairs:
        close(params, expected)
    return pairs[-1][0][1], pairs[-1][1][1]
