"""SinkGD: gradients whose rows and columns are brought to one norm, in turn."""

from __future__ import annotations

import math
from typing import Annotated, Any

import jax.numpy as jnp

from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper
from gradchain.core.kinds import whole
from gradchain.core.leafwise import leafwise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import bounded, norm, real_dtype, safe_divide
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay


def _errors():
    yield ErrorInput({"iterations": 0}, ValueError, ("iterations is 0", "at least 1"))


PAPER: Any = {
    "paper": "arXiv:2502.06742",
    "traits": frozenset({"matrices"}),
    "errors": _errors,
    "near": ("balance", "racs", "sign_sgd", "muon"),
}


@transform(**PAPER)
def scale_by_sinkhorn(*, iterations: Annotated[int, whole(1, 100)] = 5):
    """Give all inputs of a matrix one norm, and nearly all outputs, by dividing by norms in turn.

    iterations times  u = u / rms of each output's weights,  u = u / rms of each input's, from u = g
    The squares of u are then nearly those of a matrix with equal sums of rows and of columns. The length of g
    is lost, the root mean square of u is 1. It keeps no state. Of a vector u = sign(g); zeros stay.
    """

    def step(g, *, leaf):
        rows, cols = leaf.axes.rows, leaf.axes.cols
        g = bounded(g)
        inputs = outputs = jnp.ones((), real_dtype(g))  # factors, soon one for each row and for each column
        for _ in range(iterations):  # g is read again rather than u written
            outputs = safe_divide(1, norm(g * inputs, rows, keepdims=True))
            inputs = safe_divide(1, norm(g * outputs, cols, keepdims=True))
        return g * outputs * (inputs * math.sqrt(math.prod(leaf.shape[i] for i in cols)))

    return leafwise(None, step)


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.1})
def sinkgd(
    learning_rate: Hyper,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    *,
    iterations: Annotated[int, whole(1, 100)] = 5,
):
    """SinkGD: p = p - lr * (u + weight_decay * p), see `scale_by_sinkhorn`; it keeps no state.

    The paper takes Adam for embeddings, heads and vectors: that is a `partition`.
    """
    return chain(
        scale_by_sinkhorn(iterations=iterations),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
