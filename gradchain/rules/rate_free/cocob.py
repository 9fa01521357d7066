"""COCOB: step lengths from betting on the sign of the next gradient."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp

from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, copy, filled, squares, sums
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import safe_divide
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any


class COCOBState(NamedTuple):
    init_particles: PyTree  # like params, where training began
    cumulative_gradients: PyTree  # like params, minus the sum of g
    scale: PyTree  # like params, the largest |g|
    subgradients: PyTree  # like params, sum of |g|
    reward: PyTree  # like params, what was won so far, never negative


def _real_sums(p: Leaf) -> Slot:
    return dataclasses.replace(squares(p), positive=False, exact=True)


@transform(paper="arXiv:1705.07795")
def scale_by_cocob(alpha: Hyper = 100.0, eps: Hyper = 1e-8):
    """The step of COCOB-Backprop: each element bets a fraction of its wealth on the next gradient's sign.

    L = max(L, |g|), eps at the start;  A = A + |g|;  C = C - g;  W = max(W - g (p - p0), 0)
    u = p0 + C / (L max(A + L, alpha L)) (L + W) - p
    L is the largest |g| so far, A the sum of |g|, C that of -g, W the wealth won, p0 the parameters at init.
    p + u does not depend on p: this is the last link of a chain.
    """

    def step(g, s, p):
        away = (g.conj() * (p - s.init_particles)).real
        scale, total = jnp.maximum(s.scale, jnp.abs(g)), s.subgradients + jnp.abs(g)
        reward, dual = jnp.maximum(s.reward - away, 0), s.cumulative_gradients - g
        wealth = safe_divide(scale + reward, scale * jnp.maximum(total + scale, alpha * scale))
        return s.init_particles + dual * wealth - p, COCOBState(s.init_particles, dual, scale, total, reward)

    return leafwise(
        COCOBState,
        step,
        init_particles=copy,
        cumulative_gradients=sums,
        scale=filled(squares, eps),
        subgradients=_real_sums,
        reward=_real_sums,
    )


@optimizer(paper="arXiv:1705.07795")
def cocob(
    learning_rate: Hyper = 1.0,
    alpha: Hyper = 100.0,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
):
    """COCOB-Backprop, see `scale_by_cocob`, on lr * (g + weight_decay * p).

    The step hardly depends on the scale of gradients: a constant learning rate only sets how large they are
    beside eps; a falling one makes later gradients count less. Call `init` with the parameters that training
    starts from.
    """
    rate = scale_by_learning_rate(learning_rate, flip_sign=False)
    return chain(*optional_decay(weight_decay, mask), rate, scale_by_cocob(alpha, eps))
