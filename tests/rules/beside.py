"""Steps beside another library's, from the same gradients."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.rules.steps import draw

STEPS = 20
SHAPES = {"kernel": (4, 3), "bias": (3,)}


def gradients(shapes=None, steps: int = STEPS, dtype="float64") -> list[dict[str, Any]]:
    """Gradients of many sizes, some of them zero."""
    found = [draw(shapes or SHAPES, 1 + i, dtype) for i in range(steps)]
    return [
        {k: g * (0 if i == 5 and k == "bias" else 10.0 ** (i % 3)) for k, g in tree.items()}
        for i, tree in enumerate(found)
    ]


def same_steps(tx, other, shapes=None, rtol: float = 1e-10, extras=None, steps: int = STEPS) -> tuple:
    """Assert that both take the same steps; the states of both after the last."""
    params = draw(shapes or SHAPES, dtype="float64")
    state, theirs = tx.init(params), other.init(params)
    one, two = jax.jit(tx.update), jax.jit(other.update)
    for i, g in enumerate(gradients(shapes, steps)):
        extra = {} if extras is None else extras(i)
        u, state = one(g, state, params, **extra)
        v, theirs = two(g, theirs, params, **extra)
        for name in params:
            bound = rtol * max(np.max(np.abs(v[name]), initial=0), 1e-12)
            np.testing.assert_allclose(u[name], v[name], rtol=0, atol=bound, err_msg=f"{name}, step {i}")
        params = jax.tree.map(jnp.add, params, v)
    return state, theirs
