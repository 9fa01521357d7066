"""MADGRAD: dual averaging with the cube root of a sum of squares."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Fraction, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import copy, squares, sums
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, real, real_dtype, safe_divide
from gradchain.rules.parts.decay import optional_decay

PyTree = Any


class MadgradState(NamedTuple):
    count: Array  # [] int32, steps taken
    grad_sum_sq: PyTree  # like params, sum of w |g|^2
    s: PyTree  # like params, sum of w g
    x0: PyTree  # like params, where it began


def _cube_root(x: Array) -> Array:
    """The cube root, with derivative 0 at 0."""
    zero = x == 0
    return jnp.where(zero, 0, jnp.cbrt(jnp.where(zero, 1, x)))


@transform(paper="arXiv:2101.11075", example=lambda: {"learning_rate": 0.1})
def scale_by_madgrad(
    learning_rate: Hyper, momentum: Fraction = 0.9, eps: Hyper = 1e-6, *, eps_in_rate: bool = False
):
    """Step by MADGRAD; the learning rate is inside, and what comes out is added to the parameters.

    w = lr * sqrt(t);  s = s + w g;  v = v + w |g|^2;  z = p0 - s / (cbrt(v) + eps)
    u = (1 - momentum) * (z - p), p0 the parameters at the start
    eps_in_rate: lr + eps in the place of lr, but for 0, as in the authors' code and Optax.
    """
    rate = learning_rate
    if eps_in_rate:
        rate = jnp.where(jnp.equal(rate, 0), 0, rate + eps)

    def step(g, s, p):
        w = (rate * jnp.sqrt(real(s.count))).astype(real_dtype(g))
        total, v = s.s + w * g, s.grad_sum_sq + w * abs2(g)
        z = s.x0 - safe_divide(total, _cube_root(v) + eps)
        return (1 - momentum) * (z - p), MadgradState(s.count, v, total, s.x0)

    return leafwise(MadgradState, step, grad_sum_sq=squares, s=sums, x0=copy)


@optimizer(paper="arXiv:2101.11075", example=lambda: {"learning_rate": 0.1})
def madgrad(
    learning_rate: Hyper,
    momentum: Fraction = 0.9,
    weight_decay: Hyper = 0.0,
    eps: Hyper = 1e-6,
    *,
    eps_in_rate: bool = False,
):
    """MADGRAD: see `scale_by_madgrad`; weight_decay * p is added to the gradient before it (L2)."""
    scaled = scale_by_madgrad(learning_rate, momentum, eps, eps_in_rate=eps_in_rate)
    return chain(*optional_decay(weight_decay), scaled)
