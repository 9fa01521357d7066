"""What laws run a transform on: trees of parameters, a gradient for each step, and extra arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.core import tree

STEPS = 3
LARGE = 1e4  # float16 ends at 6.5e4; its square is none of float16's numbers
DTYPES = ("float64", "float32", "bfloat16", "float16")


def array(*shape: int) -> jax.ShapeDtypeStruct:
    """A leaf of a tree of shapes."""
    return jax.ShapeDtypeStruct(shape, np.float32)


SHAPES = {"dense": {"kernel": array(8, 6), "bias": array(6)}}  # two kernels to compile, not more


def random(shapes, dtype: Any = "float32", seed: int = 0, size: float = 1.0):
    """A tree of normal numbers, one array per shape; real values also where the dtype is complex."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda s: jnp.asarray(size * rng.standard_normal(s.shape), jnp.dtype(dtype)), shapes)


def problem(shapes=None, dtype: Any = "float32", steps: int = STEPS, size: float = 1.0):
    """Parameters, and a gradient for each step."""
    shapes = SHAPES if shapes is None else shapes
    return random(shapes, dtype), [random(shapes, dtype, 1 + i, size) for i in range(steps)]


def mixed(shapes, dtypes, seed: int = 0, size: float = 1.0) -> dict[str, Any]:
    """A tree for each of several dtypes, in one: {"of0": ..., "of1": ...}, so that one program serves all."""
    return {f"of{i}": random(shapes, d, seed + i, size) for i, d in enumerate(dtypes)}


def loss(params) -> jax.Array:
    """A convex function of any tree, in float32 at least."""
    wide = [tree.wide(x) for x in jax.tree.leaves(params)]
    return sum((jnp.sum(jnp.square(jnp.abs(x - 0.5))) for x in wide), jnp.float32(0))


# An extra argument of update is known by its name, whichever transform asks for it.
EXTRAS: dict[str, Callable[[Any, Any], Any]] = {
    "value": lambda params, grads: jnp.float32(1.5),
    "grad": lambda params, grads: grads,
    "value_fn": lambda params, grads: loss,
    "key": lambda params, grads: jax.random.key(0),
    "hessian_diagonal": lambda params, grads: jax.tree.map(jnp.square, grads),
}
