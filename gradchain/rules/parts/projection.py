"""Updates without their part along the weights, where these seem to be scale-invariant (AdamP, SGDP)."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import Array

from gradchain.core.slots import Leaf
from gradchain.math.numerics import norm


def tangent(u: Array, g: Array, p: Array, leaf: Leaf, delta, eps) -> tuple[Array, Array]:
    """The update without its part along the weights, and in which layers there is such a one, 1 or 0.

    First along each unit, the weights that make one output, if max |cos(g, p)| over the units of a layer is
    below delta / sqrt(n), n weights in each; else along the whole layer by the same measure. Vectors stay.
    """
    if not leaf.axes.rows:
        return u, jnp.zeros((), p.dtype)
    at_units, by_units = _along(leaf.axes.rows, u, g, p, leaf, delta, eps)
    at_layer, by_layer = _along(leaf.axes.matrix, u, g, p, leaf, delta, eps)
    return jnp.where(at_units, by_units, jnp.where(at_layer, by_layer, u)), at_units | at_layer


def _along(axes: tuple[int, ...], u: Array, g: Array, p: Array, leaf: Leaf, delta, eps):
    """Whether the gradient stands on the weights, taken over these axes, and the update without its part."""

    def dot(x: Array) -> Array:
        return jnp.sum((p.conj() * x).real, axes, keepdims=True)

    size = norm(p, axes, keepdims=True) + eps
    cosine = jnp.abs(dot(g)) / ((norm(g, axes, keepdims=True) + eps) * size)
    largest = jnp.max(cosine, leaf.axes.matrix, keepdims=True, initial=0)
    count = math.prod(leaf.shape[axis] for axis in axes)
    return largest < delta / math.sqrt(max(count, 1)), u - p * (dot(u) / (size * size))
