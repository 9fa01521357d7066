"""What the tests of wrappers share: a small problem, steps of it under one jit, and comparisons."""

import jax
import jax.numpy as jnp
import numpy as np


def batch(seed=0, scale=1.0, dtype="float32"):
    """A tree of two leaves of normal numbers."""
    rng = np.random.default_rng(seed)
    draw = lambda *shape: jnp.asarray(scale * rng.standard_normal(shape), jnp.dtype(dtype))  # noqa: E731
    return {"kernel": draw(3, 2), "bias": draw(2)}


PARAMS, GRADS = batch(), [batch(i) for i in range(1, 9)]
BAD = {**GRADS[0], "bias": jnp.array([1.0, jnp.nan])}


def run(tx, grads, params=PARAMS, state=None, **extra):
    """Params and state after each of some steps, compiled once; extra arguments are lists."""
    state, step, seen = tx.init(params) if state is None else state, jax.jit(tx.step), []
    for i, g in enumerate(grads):
        params, state = step(g, state, params, **{k: v[i] for k, v in extra.items()})
        seen.append((params, state))
    assert step._cache_size() == 1
    return seen


def optax_run(tx, grads, params=PARAMS):
    """The same with an Optax transformation: what is trained and the state, after each step."""
    import optax

    state, step, seen = tx.init(params), jax.jit(tx.update), []
    for g in grads:
        updates, state = step(g, state, params)
        params = optax.apply_updates(params, updates)
        seen.append((params, state))
    return seen


def mean(grads):
    return jax.tree.map(lambda *g: sum(g) / len(g), *grads)


def inner(state, *wrappers):
    """The state without the wrappers' own entries."""
    return {k: v for k, v in state.items() if k not in wrappers}


def same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(x, y)


def near(found, expected, rtol=2e-5):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-6)


def moved(seen, params=PARAMS) -> list[int]:
    """In which steps, from 1, the parameters moved."""
    each = [params, *(p for p, _ in seen)]
    return [i for i in range(1, len(each)) if not np.array_equal(each[i]["bias"], each[i - 1]["bias"])]


def finite(tree) -> bool:
    return all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves(tree))


def total(params):
    """A smooth function of where a training ends, to differentiate."""
    return sum(jnp.sum(jnp.sin(x)) for x in jax.tree.leaves(params))
