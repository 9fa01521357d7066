"""Aggregated momentum: the mean of several momenta, each with a decay of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from gradchain.core import words
from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import stack, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import real_dtype
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
PAPER = "arXiv:1804.00325"
DECAYS = (0.0, 0.9, 0.99)
NEAR = ("trace", "sgd", "qhm", "ademamix")


class ScaleByAggmoState(NamedTuple):
    traces: PyTree  # like params with an axis of momenta before the others, sum of decay^age g


def _errors():
    yield ErrorInput({"decays": ()}, ValueError, ("decays is ()", "at least one"))
    yield ErrorInput({"decays": (0.9, 1.0)}, ValueError, ("decays is (0.9, 1.0)", "below 1"))


@transform(paper=PAPER, near=NEAR, errors=_errors)
def scale_by_aggmo(decays: Sequence[float] = DECAYS):
    """Take the mean of K momenta: what oscillates under one decay is damped by the others.

    v_i = decay_i v_i + g;  u = (v_1 + ... + v_K) / K
    The paper's decays are 1 - 0.1^i, i from 0. One decay is `trace`. The state has K arrays like each leaf.
    """
    decays = tuple(decays)
    if not decays or not all(0 <= b < 1 for b in decays):
        raise ValueError(
            f"scale_by_aggmo: decays is {words.show(decays)}; expected at least one number, each from 0 to "
            "below 1"
        )

    def step(g, s):
        column = jnp.asarray(decays, real_dtype(g)).reshape(-1, *[1] * g.ndim)
        v = column * s.traces + g[None]
        return jnp.sum(v, 0) / len(decays), ScaleByAggmoState(v)

    return leafwise(ScaleByAggmoState, step, traces=lambda p: stack(len(decays), zeros(p)))


@optimizer(paper=PAPER, near=NEAR, errors=_errors, example=lambda: {"learning_rate": 0.1})
def aggmo(
    learning_rate: Hyper,
    decays: Sequence[float] = DECAYS,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
):
    """Aggregated momentum: p = p - lr * (mean of the momenta + weight_decay * p), see `scale_by_aggmo`."""
    return chain(
        scale_by_aggmo(decays), *optional_decay(weight_decay, mask), scale_by_learning_rate(learning_rate)
    )
