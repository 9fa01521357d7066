"""Lion: the sign of an interpolated momentum."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core import words
from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, ema
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any


class ScaleByLionState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]


@transform(
    paper="arXiv:2302.06675",
    errors=lambda: [ErrorInput({"smooth_beta": -1.0}, ValueError, ("smooth_beta=-1.0", "above 0"))],
)
def scale_by_lion(
    b1: Fraction = 0.9,
    b2: Decay = 0.99,
    mu_dtype: DType | None = None,
    *,
    mode: Literal["hard", "smooth", "refined"] = "hard",
    smooth_beta: float = 1.0,
):
    """Scale by Lion.

    u = sign(x), x = b1 m + (1 - b1) g;  m = b2 m + (1 - b2) g;  sign is 0 at 0 and x / |x| of a complex x
    mode: "smooth" has tanh(smooth_beta * x) for the sign, "refined" x itself where |x| < 1.
    """

    if not smooth_beta > 0:
        raise ValueError(f"scale_by_lion: smooth_beta={words.show(smooth_beta)}; expected above 0")

    def sign(x):
        match mode:
            case "smooth":
                return jnp.tanh(smooth_beta * x)
            case "refined":
                return jnp.where(abs2(x) < 1, x, jnp.sign(x))
        return jnp.sign(x)

    def step(g, s):
        return sign(ema(s.mu, g, b1)), ScaleByLionState(s.count, ema(s.mu, g, b2))

    return leafwise(ScaleByLionState, step, ages=False, mu=typed(zeros, mu_dtype))


@optimizer(paper="arXiv:2302.06675", example=lambda: {"learning_rate": 0.01})
def lion(
    learning_rate: Hyper,
    b1: Fraction = 0.9,
    b2: Decay = 0.99,
    mu_dtype: DType | None = None,
    weight_decay: Hyper = 1e-3,
    mask: Selection = None,
):
    """Lion: p = p - lr * (sign(b1 m + (1 - b1) g) + weight_decay * p), see `scale_by_lion`.

    Every element moves by the learning rate: 3 to 10 times less than for Adam, with as much more decay.
    """
    return chain(
        scale_by_lion(b1, b2, mu_dtype),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
