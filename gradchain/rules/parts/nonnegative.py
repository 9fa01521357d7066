"""keep_params_nonnegative: parameters that stay at zero or above."""

from __future__ import annotations

import jax.numpy as jnp

from gradchain.core.leafwise import leafwise
from gradchain.core.transform import transform
from gradchain.types import EmptyState

NonNegativeParamsState = EmptyState  # in Optax's form of a state


@transform(traits=frozenset({"real", "sets"}))
def keep_params_nonnegative():
    """Let no parameter fall below zero: u = max(g, -p), so that p + u >= 0. The last link of a chain.

    A parameter that is negative already goes to zero.
    """
    return leafwise(None, lambda g, p: jnp.maximum(g, -p))
