"""Fromage: steps in proportion to a layer's norm, which does not grow by them."""

from __future__ import annotations

import jax.numpy as jnp

from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.transform import optimizer, transform
from gradchain.rules.layerwise.trust import scale_by_trust_ratio
from gradchain.rules.parts.basic import ScaleByLearningRateState

FROMAGE = {"paper": "arXiv:2002.03432", "example": lambda: {"learning_rate": 0.1}}


@transform(**FROMAGE, record=("learning_rate",))
def step_and_shrink(learning_rate: Hyper):
    """Descend and shrink, so that steps as long as the learning rate times the weights do not let them grow.

    p + u = (p - learning_rate * g) / sqrt(1 + learning_rate^2): the last link of a chain.
    """

    def step(g, s, p):
        root = jnp.sqrt(1 + jnp.square(learning_rate))
        shrunk = jnp.square(learning_rate) / (root * (1 + root))  # 1 - 1 / root, without cancellation
        return (-(learning_rate / root) * g - shrunk * p), s

    return leafwise(ScaleByLearningRateState, step)


@optimizer(**FROMAGE, traits=frozenset({"matrices"}))
def fromage(learning_rate: Hyper, min_norm: Hyper = 1e-6):
    """Fromage: p = (p - lr * |p| / |g| * g) / sqrt(1 + lr^2), norms per layer and at least min_norm."""
    return chain(scale_by_trust_ratio(min_norm), step_and_shrink(learning_rate))
