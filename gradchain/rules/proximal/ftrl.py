"""FTRL-Proximal: the leader of all steps so far under an L1 and an L2 penalty, with exact zeros."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import filled, squares, sums
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, bounded, real_dtype, safe_divide, safe_power, soft_threshold

PyTree = Any
FTRL: Any = {
    "paper": "McMahan et al. 2013, Ad click prediction: a view from the trenches",
    "near": ("adagrad", "proximal_l1"),
    "example": lambda: {"learning_rate": 0.1},
}


class ScaleByFtrlState(NamedTuple):
    sum_of_squares: PyTree  # like params, n = the initial value + sum |g|^2
    linear: PyTree  # like params, z = sum of g - sigma p


@transform(record=("learning_rate",), traits=frozenset({"sets"}), **FTRL)
def scale_by_ftrl(
    learning_rate: Hyper,
    l1: Hyper = 0.0,
    l2: Hyper = 0.0,
    beta: Hyper = 0.0,
    initial_accumulator_value: Hyper = 0.1,
    power: Hyper = 0.5,
):
    """Step by FTRL-Proximal; the learning rate is inside, and what comes out is added to the parameters.

    n' = n + |g|^2;  z' = z + g - (n'^power - n^power) / lr * p
    u = w - p,  w = -sign(z') max(|z'| - l1, 0) / ((beta + n'^power) / lr + l2)
    A parameter stays where lr or the denominator is 0. The leader starts at 0, wherever p does: without a
    gradient p becomes 0. keras: l2 is twice l2_regularization_strength, power is -learning_rate_power.
    """

    def step(g, s, p):
        g = bounded(g)
        n, inverse = s.sum_of_squares + abs2(g), safe_divide(1, learning_rate).astype(real_dtype(g))
        root = safe_power(n, power)
        z = s.linear + g - (root - safe_power(s.sum_of_squares, power)) * inverse * p
        below = (beta + root) * inverse + l2
        moved = -safe_divide(soft_threshold(z, l1), below) - p
        return jnp.where((inverse == 0) | (below == 0), 0, moved), ScaleByFtrlState(n, z)

    return leafwise(
        ScaleByFtrlState, step, sum_of_squares=filled(squares, initial_accumulator_value), linear=sums
    )


@optimizer(**FTRL)
def ftrl(
    learning_rate: Hyper,
    l1: Hyper = 0.0,
    l2: Hyper = 0.0,
    beta: Hyper = 0.0,
    initial_accumulator_value: Hyper = 0.1,
    power: Hyper = 0.5,
):
    """FTRL-Proximal: AdaGrad's step lengths with weights that are exactly zero, see `scale_by_ftrl`."""
    return chain(scale_by_ftrl(learning_rate, l1, l2, beta, initial_accumulator_value, power))
