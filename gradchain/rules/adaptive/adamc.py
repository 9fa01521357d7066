"""AdamC: AdamW whose decay follows the square of a schedule, so that gradients do not grow at its end."""

from __future__ import annotations

import jax.numpy as jnp

from gradchain.core import words
from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import safe_divide
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.parts.basic import scale_by_learning_rate

PAPER = "arXiv:2506.02285"
RATES = {"learning_rate": 0.1, "max_learning_rate": 0.2}


def _errors():
    yield ErrorInput({"max_learning_rate": 0.0}, ValueError, ("max_learning_rate is 0.0", "above 0"))


@transform(paper=PAPER, near=("add_decayed_weights", "proximal_decay"), example=lambda: RATES, errors=_errors)
def add_corrected_weights(
    learning_rate: Hyper, max_learning_rate: Hyper, weight_decay: Hyper = 0.01, mask: Selection = None
):
    """Add a multiple of the parameters that falls with the learning rate, that of the chain.

    u = g + weight_decay * learning_rate / max_learning_rate * p
    `mask` selects the leaves: the weights that a normalisation follows. Others, such as the output layer,
    take `add_decayed_weights`.
    """
    if isinstance(max_learning_rate, int | float) and max_learning_rate == 0:
        raise ValueError(
            f"add_corrected_weights: max_learning_rate is {words.show(max_learning_rate)}; expected the "
            "largest value of the schedule of learning_rate, above 0"
        )
    return leafwise(
        None,
        lambda g, p: g + weight_decay * safe_divide(learning_rate, jnp.asarray(max_learning_rate)) * p,
        where=mask,
    )


@optimizer(paper=PAPER, near=("adamw", "adam"), example=lambda: RATES)
def adamc(
    learning_rate: Hyper,
    max_learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.01,
    mask: Selection = None,
    mu_dtype: DType | None = None,
):
    """AdamC: p = p - lr * (m' / (sqrt(v') + eps) + weight_decay * lr / max_learning_rate * p).

    max_learning_rate is the largest value of the schedule; with a constant one it is AdamW. Both links read
    the learning rate: where it is tunable, "**/learning_rate" sets it in both. See `add_corrected_weights`.
    """
    return chain(
        scale_by_adam(b1, b2, eps, mu_dtype=mu_dtype),
        add_corrected_weights(learning_rate, max_learning_rate, weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
