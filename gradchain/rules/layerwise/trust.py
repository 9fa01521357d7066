"""Trust ratios: steps in proportion to the norm of a layer's weights. scale_by_trust_ratio, lamb, lars."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import select, values
from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.masks import partition
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf
from gradchain.core.transform import Transform, optimizer, transform
from gradchain.math.numerics import norm, safe_divide
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.momentum.sgd import trace
from gradchain.rules.parts.basic import identity, scale_by_learning_rate
from gradchain.rules.parts.decay import add_decayed_weights, optional_decay

MATRICES = frozenset({"matrices"})


def _norms(leaf: Leaf, per_leaf: bool, *arrays: Array) -> Iterator[Array]:
    """The norm of each array, of a leaf or of its layers."""
    axes = None if per_leaf else leaf.axes.matrix
    return (norm(x, axes, keepdims=True) for x in arrays)


def _ratio(p_norm: Array, u_norm: Array, coefficient, eps) -> Array:
    """coefficient * |p| / (|u| + eps), 1 where either norm is 0: such a layer would never move."""
    ratio = safe_divide(coefficient * p_norm, u_norm + eps)
    return jnp.where((p_norm == 0) | (u_norm == 0), 1, ratio)


@transform(paper="arXiv:1904.00962", traits=MATRICES)
def scale_by_trust_ratio(
    min_norm: Hyper = 0.0, trust_coefficient: Hyper = 1.0, eps: Hyper = 0.0, *, per_leaf: bool = False
):
    """Scale a leaf, or each layer of a stack, to the norm of its weights.

    u = g * trust_coefficient * |p| / (|g| + eps), u = g where |p| or |g| is 0
    Norms count as min_norm at least.
    """

    def step(g, p, *, leaf):
        p_norm, g_norm = (jnp.maximum(n, min_norm) for n in _norms(leaf, per_leaf, p, g))
        return g * _ratio(p_norm, g_norm, trust_coefficient, eps)

    return leafwise(None, step)


@optimizer(paper="arXiv:1904.00962", example=lambda: {"learning_rate": 0.1}, traits=MATRICES)
def lamb(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-6,
    eps_root: Hyper = 0.0,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    *,
    per_leaf: bool = False,
):
    """LAMB: p = p - lr * |p| / |u| * u, u = m' / (sqrt(v') + eps) + weight_decay * p; norms per layer.

    See `scale_by_adam` and `scale_by_trust_ratio`.
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root),
        *optional_decay(weight_decay, mask),
        scale_by_trust_ratio(per_leaf=per_leaf),
        scale_by_learning_rate(learning_rate),
    )


@transform(paper="arXiv:1708.03888", traits=MATRICES)
def scale_by_lars(
    weight_decay: Hyper = 0.0,
    trust_coefficient: Hyper = 0.001,
    eps: Hyper = 0.0,
    mask: Selection = None,
    *,
    norm_of_sum: bool = False,
    per_leaf: bool = False,
):
    """Decay and scale by the local rate of LARS, per layer.

    u = trust_coefficient * |p| / (|g| + weight_decay * |p| + eps) * (g + weight_decay * p)
    The factor is 1 where |p| or |g| + weight_decay * |p| is 0. The denominator is the paper's.
    norm_of_sum: it has |g + weight_decay * p|, as in Optax.
    """

    def step(g, p, *, leaf):
        if norm_of_sum:
            u = g + weight_decay * p
            p_norm, u_norm = _norms(leaf, per_leaf, p, u)
            return _ratio(p_norm, u_norm, trust_coefficient, eps) * u
        p_norm, g_norm = _norms(leaf, per_leaf, p, g)
        u_norm = g_norm + weight_decay * p_norm
        return _ratio(p_norm, u_norm, trust_coefficient, eps) * (g + weight_decay * p)

    return leafwise(None, step, where=mask)


@dataclasses.dataclass(frozen=True)
class _Groups:
    """Labels for the leaves that decay, that have a trust ratio, both or neither."""

    decay: Selection
    ratio: Selection

    def __call__(self, params) -> Any:
        picked = zip(
            select.chosen(self.decay, params, "lars"), select.chosen(self.ratio, params, "lars"), strict=True
        )
        names = {
            (True, True): "both",
            (True, False): "decay",
            (False, True): "ratio",
            (False, False): "neither",
        }
        return jax.tree.structure(params).unflatten([names[pair] for pair in picked])


def _local_rate(weight_decay, mask, trust_coefficient, eps, trust_ratio_mask, **norms) -> Transform:
    if not optional_decay(weight_decay) or values.key(mask) == values.key(trust_ratio_mask):
        return scale_by_lars(weight_decay, trust_coefficient, eps, trust_ratio_mask, **norms)
    groups = {
        "both": scale_by_lars(weight_decay, trust_coefficient, eps, **norms),
        "decay": add_decayed_weights(weight_decay),
        "ratio": scale_by_lars(0.0, trust_coefficient, eps, **norms),
        "neither": identity(),
    }
    return partition(groups, _Groups(mask, trust_ratio_mask))


@optimizer(
    paper="arXiv:1708.03888",
    renamed={"weight_decay_mask": "mask"},
    example=lambda: {"learning_rate": 0.1},
    traits=MATRICES,
    errors=lambda: [
        ErrorInput(
            {"mask": "*", "weight_decay_mask": "*"}, TypeError, ("mask and weight_decay_mask", "give mask")
        )
    ],
)
def lars(
    learning_rate: Hyper,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    trust_coefficient: Hyper = 0.001,
    eps: Hyper = 0.0,
    trust_ratio_mask: Selection = None,
    momentum: Fraction = 0.9,
    nesterov: bool = False,
    *,
    norm_of_sum: bool = False,
    per_leaf: bool = False,
):
    """LARS: v = momentum v + lr * u;  p = p - v, u from `scale_by_lars`.

    `mask` says which leaves decay, `trust_ratio_mask` which have a trust ratio; the others' is 1. Biases and
    normalisation scales are commonly left out of both.
    """
    norms = {"norm_of_sum": norm_of_sum, "per_leaf": per_leaf}
    return chain(
        _local_rate(weight_decay, mask, trust_coefficient, eps, trust_ratio_mask, **norms),
        scale_by_learning_rate(learning_rate),
        trace(momentum, nesterov),
    )
