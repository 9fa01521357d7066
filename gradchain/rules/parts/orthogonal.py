"""Gradients without a part of them: what lies along the parameters, or against other tasks."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.hyper import Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.link import treewise
from gradchain.core.select import Selection
from gradchain.core.transform import transform
from gradchain.math import rounding
from gradchain.math.numerics import abs2, norm, real_dtype, safe_divide
from gradchain.rules.parts.privacy import examples_of, same_shapes, weighted_sum


@transform(
    paper="arXiv:2501.04697", traits=frozenset({"matrices"}), near=("centralize", "pcgrad", "normalize")
)
def orthograd(eps: Hyper = 1e-30, mask: Selection = None, *, keep_norm: bool = True):
    """Take the part of the gradient along the parameters out of it: such steps change only the scale.

    u = g - p <p, g> / (|p|^2 + eps);  with keep_norm, as in the authors' code, u = u |g| / (|u| + eps)
    Over a leaf, of a stack over each layer. Of a gradient along p to the precision of its dtype the update
    is 0, and so it is of a single number: `mask` selects leaves, the first link of a chain.
    """

    def step(g, p, *, leaf):
        axes = leaf.axes.matrix
        along = jnp.sum((p.conj() * g).real, axes, keepdims=True)
        u = g - p * safe_divide(along, jnp.sum(abs2(p), axes, keepdims=True) + eps)
        before, after = (norm(x, axes, keepdims=True) for x in (g, u))
        nothing = after <= 4 * jnp.finfo(g.dtype).eps * before
        factor = safe_divide(before, after + eps) if keep_norm else 1
        return u * jnp.where(nothing, 0, factor).astype(real_dtype(u))

    return leafwise(None, step, where=mask)


class PCGradState(NamedTuple):
    count: Array  # [] int32, steps taken


@jax.jit
def _products(g: Array) -> Array:
    """The inner products of a leaf's gradients with each other, [tasks, tasks]."""
    g = tree.wide(g)
    return jnp.sum((g.conj()[:, None] * g[None]).real, tuple(range(2, g.ndim + 1)))


@functools.partial(jax.jit, static_argnums=0)
def _weights(seed: int, count: Array, products: Array) -> Array:
    """What each task's gradient counts in the sum of those that were projected, [tasks]."""
    n = products.shape[0]
    key = jax.random.key(rounding.fold(seed, count))
    orders = jax.vmap(lambda k: jax.random.permutation(k, n))(jax.random.split(key, n))  # [tasks, tasks]
    each, rows = jnp.eye(n, dtype=products.dtype), jnp.arange(n)  # g_i = sum over k of each[i, k] g_k
    for other in orders.T:
        against = jnp.sum(each * products[:, other].T, 1)  # <g_i, g_other>
        conflict = (other != rows) & (against < 0)
        share = jnp.where(conflict, safe_divide(against, products[other, other]), 0)
        each = each.at[rows, other].add(-share)
    return jnp.sum(each, 0)


@transform(paper="arXiv:2001.06782", traits=frozenset({"per_example", "matrices"}), near=("orthograd",))
def pcgrad(*, seed: int = 0, mean: bool = False):
    """Make one gradient of those of n tasks, which come as leaves [n, *shape]: the first link of a chain.

    for each task i, over the others j in random order: where <g_i, g_j> < 0, with the g_j that came in,
    g_i = g_i - g_j <g_i, g_j> / |g_j|^2;  u = sum over i of g_i, or with mean=True their mean
    Inner products are those of all leaves together, and computed once. The order is a function of
    (seed, step, task). Gradients: jax.vmap(jax.grad(loss), (None, 0))(params, tasks).
    """

    def update(updates, s, params):
        leaves, treedef = jax.tree.flatten(updates)
        if not leaves:
            return updates, s
        n = examples_of(updates, "pcgrad")
        if params is not None:
            same_shapes(updates, params, "pcgrad")
        products = functools.reduce(jnp.add, map(_products, leaves))
        weights = _weights(seed, s.count, products) / (n if mean else 1)
        return treedef.unflatten([weighted_sum(g, weights) for g in leaves]), s

    return treewise(PCGradState, update)
