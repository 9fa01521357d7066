"""Grokfast: links that amplify what changes slowly in the gradients, before any optimizer."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType, whole
from gradchain.core.leafwise import leafwise
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import stack, typed, zeros
from gradchain.core.transform import transform
from gradchain.math.numerics import ema

PyTree = Any
PAPER: Any = {"paper": "arXiv:2405.20233"}


class GrokfastEmaState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g], starting at the first gradient


@transform(near=("grokfast_ma", "simplified_ademamix"), **PAPER)
def grokfast_ema(decay: Decay = 0.98, lamb: Hyper = 2.0, mu_dtype: DType | None = None):
    """Add the running mean to the gradient; the first link of a chain.

    m = decay m + (1 - decay) g, m = g at first;  u = g + lamb m
    Before an optimizer that does not care for the scale of gradients, as Adam:
    chain(grokfast_ema(), adamw(1e-3)).
    """

    def step(g, s):
        m = jnp.where(s.count == 1, g, ema(s.mu, g, decay))
        return g + lamb * m, GrokfastEmaState(s.count, m)

    return leafwise(GrokfastEmaState, step, mu=typed(zeros, mu_dtype))


class GrokfastMaState(NamedTuple):
    count: Array  # [] int32, steps taken
    history: PyTree  # [window_size, *shape] for each leaf, the last gradients, in turn


@transform(
    near=("grokfast_ema",),
    example=lambda: {"window_size": 2},
    errors=lambda: [
        ErrorInput({"window_size": 0}, ValueError, ("window_size is 0", "at least 1")),
        ErrorInput({"window_size": 2**31}, ValueError, ("window_size is 2147483648", "at most 2147483647")),
    ],
    **PAPER,
)
def grokfast_ma(window_size: Annotated[int, whole(1)] = 100, lamb: Hyper = 5.0):
    """Add the mean of the last window_size gradients to the gradient; the first link of a chain.

    u = g + lamb * mean of the window, this gradient included;  u = g until the window is full
    The state has window_size arrays like each leaf: `grokfast_ema` has one.
    """

    def step(g, s):
        history = lax.dynamic_update_index_in_dim(s.history, g, (s.count - 1) % window_size, 0)
        mean = jnp.sum(history, 0) / window_size
        return g + jnp.where(s.count >= window_size, lamb, 0) * mean, GrokfastMaState(s.count, history)

    return leafwise(GrokfastMaState, step, history=lambda p: stack(window_size, zeros(p)))
