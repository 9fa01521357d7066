"""Polyak's step: from how far the loss is above its least value. scale_by_polyak, polyak_sgd."""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper, Limit, Signed
from gradchain.core.link import treewise
from gradchain.core.slots import scalar, shared
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import safe_divide
from gradchain.rules.parts.basic import loss_of, scale_by_learning_rate, scaled

PAPER = {"paper": "arXiv:2002.10542"}


class PolyakState(NamedTuple):
    step_size: Array  # [] of the last step

    metrics = (("polyak_step_size", "step_size"),)


@transform(**PAPER)
def scale_by_polyak(
    f_min: Signed = 0.0,
    max_learning_rate: Limit = 1.0,
    eps: Hyper = 0.0,
    variant: Literal["sps", "sps+"] = "sps",
):
    """Scale by the stochastic Polyak step; `update` takes the loss as the extra argument `value`.

    u = min((value - f_min) / (|g|^2 + eps), max_learning_rate) * g, |g| the norm of all leaves
    variant="sps+": max(value - f_min, 0) in the place of value - f_min (arXiv:2307.14528).
    The state holds the step size of the last step; it is 0 where there is no gradient and eps is 0.
    """

    def update(updates, s, params, *, value):
        del params
        gap = loss_of(value, s.step_size.dtype, "scale_by_polyak") - f_min
        gap = jnp.maximum(gap, 0) if variant == "sps+" else gap
        square = jnp.square(tree.global_norm(updates)) + eps
        size = jnp.minimum(safe_divide(gap, square), max_learning_rate).astype(s.step_size.dtype)
        return jax.tree.map(lambda g: scaled(g, size), updates), s._replace(step_size=size)

    return treewise(PolyakState, update, step_size=shared(scalar))


@optimizer(**PAPER)
def polyak_sgd(
    max_learning_rate: Limit = 1.0,
    scaling: Hyper = 1.0,
    f_min: Signed = 0.0,
    eps: Hyper = 0.0,
    variant: Literal["sps", "sps+"] = "sps",
    *,
    scaling_first: bool = False,
):
    """Gradient descent with Polyak's step: p = p - scaling * u, see `scale_by_polyak`.

    scaling_first: the gradient is multiplied by scaling first, as in Optax. Its square is in the denominator,
    so that the step is divided by scaling where max_learning_rate does not bound it.
    """
    polyak, scaled = scale_by_polyak(f_min, max_learning_rate, eps, variant), scale_by_learning_rate(scaling)
    return chain(scaled, polyak) if scaling_first else chain(polyak, scaled)
