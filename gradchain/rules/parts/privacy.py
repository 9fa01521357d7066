"""Differential privacy: gradients of single examples, clipped, summed, with noise."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.hyper import Hyper
from gradchain.core.kinds import Key
from gradchain.core.link import treewise
from gradchain.core.transform import transform
from gradchain.math import rounding
from gradchain.math.numerics import normal, real_dtype
from gradchain.rules.parts.clipping import shrink
from gradchain.rules.parts.noise import seed_of

PyTree = Any
CLIP = {"l2_norm_clip": 1.0, "noise_multiplier": 0.5}
PER_EXAMPLE = {"traits": frozenset({"random", "per_example"}), "paper": "arXiv:1607.00133"}


class PrivateAggregateState(NamedTuple):
    count: Array  # [] int32, steps taken


def examples_of(grads: PyTree, who: str) -> int:
    """How many examples the gradients [examples, *shape] are of; an error where leaves disagree."""
    paths, shapes = tree.paths(grads), [jnp.shape(g) for g in jax.tree.leaves(grads)]
    if not paths:
        raise ValueError(f"{who}: there are no gradients; expected a leaf [examples, ...] at least")
    for path, shape in zip(paths, shapes, strict=True):
        if not shape or shape[0] != (shapes[0] or (0,))[0]:
            raise ValueError(
                f"{who}: the gradient of {path!r} has shape {list(shape)}, that of {paths[0]!r} "
                f"{list(shapes[0])}; expected gradients of single examples, [examples, ...] with as many in "
                "each leaf: jax.vmap(jax.grad(loss), (None, 0))(params, batch)"
            )
    return shapes[0][0]


@jax.jit
def weighted_sum(g: Array, factor: Array) -> Array:
    """The sum over examples of factor * g: [examples, ...] and [examples] -> [...]."""
    g = tree.wide(g)
    return jnp.tensordot(factor.astype(g.dtype), g, 1, precision="highest")


def per_example_global_norm_clip(grads: PyTree, l2_norm_clip: Any) -> tuple[PyTree, Array]:
    """Clip the gradient of each example to a global norm, and sum: (sums, how many were clipped).

    sum over i of g_i * min(1, l2_norm_clip / |g_i|); a leaf of `grads` is [examples, *shape], its sum
    [*shape] in float32 at least. `grads` may be any tree. Source: arXiv:1607.00133.
    """
    examples_of(grads, "per_example_global_norm_clip")
    norms = jax.vmap(tree.global_norm)(grads)  # [examples]
    factor = shrink(norms, l2_norm_clip)
    return jax.tree.map(lambda g: weighted_sum(g, factor), grads), jnp.sum(
        norms > l2_norm_clip, dtype=jnp.int32
    )


def per_example_layer_norm_clip(
    grads: PyTree, global_l2_norm_clip: Any, uniform: bool = True
) -> tuple[PyTree, PyTree]:
    """Clip each leaf of each example's gradient by itself, and sum: (sums, how many were clipped) by leaf.

    The norm that a leaf may have is global_l2_norm_clip / sqrt(leaves), with uniform=False
    global_l2_norm_clip * sqrt(its share of all numbers), so that together they have global_l2_norm_clip.
    Shapes as in `per_example_global_norm_clip`. Source: arXiv:1710.06963.
    """
    examples_of(grads, "per_example_layer_norm_clip")
    leaves, treedef = jax.tree.flatten(grads)
    sizes = [1 if uniform else math.prod(jnp.shape(g)[1:]) for g in leaves]
    made = [
        per_example_global_norm_clip(g, global_l2_norm_clip * math.sqrt(n / max(sum(sizes), 1)))
        for g, n in zip(leaves, sizes, strict=True)
    ]
    sums, clipped = zip(*made, strict=True)
    return treedef.unflatten(sums), treedef.unflatten(clipped)


@functools.partial(jax.jit, static_argnums=0)
def _noised(seed: int, total: Array, count: Array, salt: Array, std: Array, examples: Array) -> Array:
    dtype = real_dtype(total)
    spread = std.astype(dtype) * (math.sqrt(2) if jnp.iscomplexobj(total) else 1)  # of each real number
    return (total + spread * normal(seed, count, salt, total)) / examples.astype(dtype)


@transform(**PER_EXAMPLE, example=lambda: CLIP)
def differentially_private_aggregate(
    l2_norm_clip: Hyper, noise_multiplier: Hyper, key: Key | None = None, *, seed: int | None = None
):
    """Make one private gradient of those of n examples, which come as leaves [n, *shape]: the first link.

    u = (sum over i of g_i * min(1, C / |g_i|) + noise_multiplier * C * normal) / n, C = l2_norm_clip
    |g_i| is the norm of all leaves. The noise is a function of (seed, step, path, element), see `add_noise`.
    Gradients that are sums already must not come here: what accumulates microbatches before it
    would break the bound on what one example may change.
    """
    start = seed_of("differentially_private_aggregate", key, seed)

    def update(updates, s, params):
        if not jax.tree.leaves(updates):
            return updates, s
        examples = examples_of(updates, "differentially_private_aggregate")
        if params is not None:
            same_shapes(updates, params, "differentially_private_aggregate")
        total, _ = per_example_global_norm_clip(updates, l2_norm_clip)
        std = jnp.asarray(noise_multiplier * l2_norm_clip)

        def noised(path, x):
            return _noised(start, x, s.count, rounding.word(path), std, jnp.asarray(examples))

        return tree.map_paths(noised, total), s

    return treewise(PrivateAggregateState, update)


def same_shapes(grads: PyTree, params: PyTree, who: str) -> None:
    """Raise, naming a leaf, unless gradients have the parameters' shapes but for a first axis."""
    rows = zip(tree.paths(grads), jax.tree.leaves(grads), jax.tree.leaves(params), strict=True)
    for path, g, p in rows:
        if g.shape[1:] != p.shape:
            raise ValueError(
                f"{who}: the gradient of {path!r} has shape {list(g.shape)}, its "
                f"parameter {list(p.shape)}; expected [examples, *{list(p.shape)}], a gradient for each "
                "example: jax.vmap(jax.grad(loss), (None, 0))(params, batch)"
            )
