"""What laws run a transform on: trees of parameters, a gradient for each step, and extra arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.core import tree
from gradchain.math import numerics

STEPS = 3
LARGE = 1e4  # float16 ends at 6.5e4; its square is none of float16's numbers
DTYPES = ("float64", "float32", "bfloat16", "float16")


def array(*shape: int) -> jax.ShapeDtypeStruct:
    """A leaf of a tree of shapes."""
    return jax.ShapeDtypeStruct(shape, np.float32)


SHAPES = {"dense": {"kernel": array(8, 6), "bias": array(6)}}  # two kernels to compile, not more
SQUARE = {"dense": {"kernel": array(8, 8), "bias": array(8)}}  # of which no side's factor is singular


def random(shapes, dtype: Any = "float32", seed: int = 0, size: float = 1.0):
    """A tree of normal numbers, one array per shape; real values also where the dtype is complex."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda s: jnp.asarray(size * rng.standard_normal(s.shape), jnp.dtype(dtype)), shapes)


def problem(shapes=None, dtype: Any = "float32", steps: int = STEPS, size: float = 1.0):
    """Parameters, and a gradient for each step."""
    shapes = SHAPES if shapes is None else shapes
    return random(shapes, dtype), [random(shapes, dtype, 1 + i, size) for i in range(steps)]


def firm(grads, size: float = 1.0):
    """Gradients with 6 more on the diagonal of their matrices: no singular value of 8 x 8 is small."""
    more = lambda g: g + 6 * size * jnp.eye(*g.shape, dtype=g.dtype) if g.ndim == 2 else g  # noqa: E731
    return jax.tree.map(more, grads)


def mixed(shapes, dtypes, seed: int = 0, size: float = 1.0) -> dict[str, Any]:
    """A tree for each of several dtypes, in one: {"of0": ..., "of1": ...}, so that one program serves all."""
    return {f"of{i}": random(shapes, d, seed + i, size) for i, d in enumerate(dtypes)}


def loss(params) -> jax.Array:
    """A convex function of any tree, in float32 at least."""
    wide = [tree.wide(x) for x in jax.tree.leaves(params)]
    return sum((jnp.sum(jnp.square(jnp.abs(x - 0.5))) for x in wide), jnp.float32(0))


VALUE = 1.5


@jax.jit
def _bowl(x: jax.Array, p: jax.Array, g: jax.Array) -> jax.Array:
    wide = numerics.compute_dtype(p, g)
    d = x.astype(wide) - p.astype(wide)
    return jnp.sum((g.astype(wide) * d).real) + 2 * jnp.sum(numerics.abs2(d))


def objective(params, grads) -> Callable[[Any], jax.Array]:
    """A convex function of the parameters whose value at `params` is VALUE, and its gradient `grads`.

    f(x) = VALUE + <grads, x - params> + 2 |x - params|^2: a step of 1 along -grads is four times too long.
    """
    rows = list(zip(jax.tree.leaves(params), jax.tree.leaves(grads), strict=True))

    def f(x):
        parts = [_bowl(a, p, g) for a, (p, g) in zip(jax.tree.leaves(x), rows, strict=True)]
        dtype = numerics.wide_dtype(*(part.dtype for part in parts))
        return functools.reduce(jnp.add, [part.astype(dtype) for part in parts], jnp.asarray(VALUE, dtype))

    return f


# An extra argument of update is known by its name, whichever transform asks for it. Those that go together
# are of one function.
EXTRAS: dict[str, Callable[[Any, Any], Any]] = {
    "value": lambda params, grads: jnp.float32(VALUE),
    "grad": lambda params, grads: grads,
    "previous_grads": lambda params, grads: jax.tree.map(lambda g: g / 2, grads),
    "value_fn": objective,
    "obj_fn": objective,
    "grad_fn": lambda params, grads: jax.grad(objective(params, grads)),
    "key": lambda params, grads: jax.random.key(0),
    "max_logits": lambda params, grads: jnp.float32(VALUE),
    "hessian_diagonal": lambda params, grads: jax.tree.map(jnp.square, grads),
}
