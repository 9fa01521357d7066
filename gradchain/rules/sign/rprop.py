"""Rprop: a step size for each element, which follows the signs of its gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from gradchain.core.compose import chain
from gradchain.core.hyper import Fraction, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import filled, squares, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.rules.parts.basic import scale

PyTree = Any
RPROP = {
    "paper": "Riedmiller & Braun 1993; Igel & Huesken 2003",
    "traits": frozenset({"real"}),
    "example": lambda: {"learning_rate": 0.1},
}


class ScaleByRpropState(NamedTuple):
    step_sizes: PyTree  # like params
    prev_updates: PyTree  # like params, the last updates; of their signs the next step asks


@transform(**RPROP)
def scale_by_rprop(
    learning_rate: Hyper,
    eta_minus: Fraction = 0.5,
    eta_plus: Hyper = 1.2,
    min_step_size: Hyper = 1e-6,
    max_step_size: Hyper = 50.0,
):
    """Step by Rprop (iRprop-): only the signs of gradients count. `learning_rate` is the first step size.

    same = sign(g) * sign(last update);  step = step * (eta_plus where same > 0, eta_minus where same < 0),
    bounded by min_step_size and max_step_size
    u = step * sign(g), 0 where same < 0
    As in torch, a gradient acts in its own step; in Optax the updates are those of the step before.
    """

    def step(g, s):
        same = jnp.sign(g) * jnp.sign(s.prev_updates)
        factor = jnp.where(same > 0, eta_plus, jnp.where(same < 0, eta_minus, 1))
        sizes = jnp.clip(s.step_sizes * factor.astype(g.dtype), min_step_size, max_step_size)
        u = jnp.where(same < 0, 0, sizes * jnp.sign(g))
        return u, ScaleByRpropState(sizes, u)

    return leafwise(ScaleByRpropState, step, step_sizes=filled(squares, learning_rate), prev_updates=zeros)


@optimizer(**RPROP)
def rprop(
    learning_rate: Hyper,
    eta_minus: Fraction = 0.5,
    eta_plus: Hyper = 1.2,
    min_step_size: Hyper = 1e-6,
    max_step_size: Hyper = 50.0,
):
    """Rprop: p = p - u, see `scale_by_rprop`; for gradients of the whole data, not of batches."""
    return chain(
        scale_by_rprop(learning_rate, eta_minus, eta_plus, min_step_size, max_step_size), scale(-1.0)
    )
