"""Optimistic gradients: the last change is expected to come again."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper, Signed
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import in_kernel
from gradchain.rules.parts.basic import scale_by_learning_rate

PyTree = Any


class OptimisticGradientState(NamedTuple):
    count: Array  # [] int32, steps taken
    previous_gradient: PyTree  # like params


@transform(paper="arXiv:1711.00141; arXiv:1905.11667")
def scale_by_optimistic_gradient(alpha: Signed = 1.0, beta: Signed = 1.0):
    """Add the difference to the last gradient: u = alpha g + beta (g - g of the last step).

    In the first step u = alpha g.
    """

    def step(g, s):
        g = in_kernel(g, s.count > 0, s.previous_gradient)
        last = jnp.where(s.count == 1, g, s.previous_gradient)
        return (alpha + beta) * g - beta * last, OptimisticGradientState(s.count, g)

    return leafwise(OptimisticGradientState, step, previous_gradient=zeros)


@optimizer(paper="arXiv:1711.00141; arXiv:1905.11667", example=lambda: {"learning_rate": 0.1})
def optimistic_gradient_descent(learning_rate: Hyper, alpha: Signed = 1.0, beta: Signed = 1.0):
    """Optimistic gradient descent: p = p - lr * (alpha g + beta (g - g of the last step)), for games."""
    return chain(scale_by_optimistic_gradient(alpha, beta), scale_by_learning_rate(learning_rate))
