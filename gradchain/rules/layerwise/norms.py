"""Norms and means taken out of the updates, or put in: normalize, centralize, scale_by_param_block_norm."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.hyper import Hyper, Signed
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import scalar, shared
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import norm, safe_divide

MATRICES = frozenset({"matrices"})


class UpdateNormState(NamedTuple):
    norm: Array  # [] of the last updates

    metrics = (("grad_norm", "norm"),)


@transform()
def normalize_by_update_norm(scale_factor: Signed = 1.0, eps: Hyper = 1e-6):
    """Bring all updates, taken as one vector, to one length: u = scale_factor * g / (|g| + eps).

    The state holds the norm of the last step. Of no gradient with eps=0 the update is 0.
    """

    def before(updates, s):
        return s._replace(norm=tree.global_norm(updates))

    def step(g, s):
        return g * safe_divide(scale_factor, s.norm + eps).astype(jnp.finfo(g.dtype).dtype), s

    return leafwise(UpdateNormState, step, before=before, norm=shared(scalar))


@optimizer()
def normalize():
    """Bring all updates, taken as one vector, to length 1: u = g / |g|, and 0 where there is no gradient."""
    return normalize_by_update_norm(1.0, 0.0)


@transform(paper="arXiv:2004.01461", traits=MATRICES)
def centralize(*, units: Literal["columns", "leading"] = "columns"):
    """Subtract from the gradient of each unit its mean, of matrices and stacks of them; vectors stay.

    u = g - mean over the rows of g: a unit is a column, the weights that make one output, as the leaf's axes
    say. units="leading": the mean is over all axes but the first of a leaf, as in Optax; that is the paper's
    for arrays [out, in].
    """

    def step(g, *, leaf):
        axes = leaf.axes.rows if units == "columns" else tuple(range(1, g.ndim))
        count = math.prod(g.shape[i] for i in axes)
        return g - jnp.sum(g, axes, keepdims=True) / max(count, 1) if axes else g

    return leafwise(None, step)


@transform(traits=MATRICES)
def scale_by_param_block_norm(min_scale: Hyper = 1e-3):
    """Scale a leaf, or each layer of a stack, by the norm of its weights: u = g * max(|p|, min_scale)."""

    def step(g, p, *, leaf):
        return g * jnp.maximum(norm(p, leaf.axes.matrix, keepdims=True), min_scale)

    return leafwise(None, step)
