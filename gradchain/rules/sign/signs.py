"""Descent along signs: scale_by_sign, sign_sgd, signum."""

from __future__ import annotations

import jax.numpy as jnp

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.transform import optimizer, transform
from gradchain.rules.parts.averaging import ema
from gradchain.rules.parts.basic import scale_by_learning_rate

PAPER = "arXiv:1802.04434"


@transform(paper=PAPER)
def scale_by_sign():
    """Take the sign of each element: u = sign(g), 0 at 0 and x / |x| of a complex x."""
    return leafwise(None, lambda g: jnp.sign(g))


@optimizer(paper=PAPER, example=lambda: {"learning_rate": 0.01})
def sign_sgd(learning_rate: Hyper):
    """Sign descent: p = p - lr * sign(g)."""
    return chain(scale_by_sign(), scale_by_learning_rate(learning_rate))


@optimizer(paper=PAPER, example=lambda: {"learning_rate": 0.01})
def signum(learning_rate: Hyper, beta: Decay = 0.9, accumulator_dtype: DType | None = None):
    """Signum: m = beta m + (1 - beta) g;  p = p - lr * sign(m)."""
    mean = ema(beta, debias=False, accumulator_dtype=accumulator_dtype)
    return chain(mean, scale_by_sign(), scale_by_learning_rate(learning_rate))
