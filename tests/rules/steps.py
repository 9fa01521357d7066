"""What the tests of the rules share: trees to run them on, and the loop."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

SHAPES = {"kernel": (4, 3), "bias": (3,), "scalar": (), "empty": (0, 3)}


class Taken(NamedTuple):
    updates: list[Any]  # one tree for each step
    params: Any  # after the last
    state: Any


def draw(shapes=None, seed: int = 0, dtype="float32"):
    """A dict of normal arrays."""
    rng = np.random.default_rng(seed)
    shapes = SHAPES if shapes is None else shapes
    return {name: jnp.asarray(rng.standard_normal(shape), dtype) for name, shape in shapes.items()}


def problem(shapes=None, steps: int = 3, dtype="float32"):
    """Parameters, and a gradient for each step."""
    return draw(shapes, 0, dtype), [draw(shapes, 1 + i, dtype) for i in range(steps)]


def take(tx, params, grads) -> Taken:
    """Run the steps, applying each."""
    state, updates, step = tx.init(params), [], jax.jit(tx.update)
    for g in grads:
        u, state = step(g, state, params)
        updates.append(u)
        params = jax.tree.map(jnp.add, params, u)
    return Taken(updates, params, state)


def close(found, expected, rtol: float = 1e-5) -> None:
    """Assert that two trees are equal to a relative tolerance of their largest entry; NaN is never equal."""
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(
            x, y, rtol=rtol, atol=rtol * np.max(np.abs(y), initial=0), equal_nan=False
        ),
        found,
        expected,
    )


def layer(tree, i: int):
    """One layer of a tree of stacks."""
    return jax.tree.map(lambda x: x[i], tree)


def stack_is_layers(tx, shape: tuple[int, ...] = (3, 6, 4)) -> None:
    """Assert that a stack of matrices is updated as its layers are one by one."""
    params, grads = problem({"kernel": shape})
    together = take(tx, params, grads).updates
    for i in range(shape[0]):
        alone = take(tx, layer(params, i), [layer(g, i) for g in grads]).updates
        close([layer(u, i) for u in together], alone)
