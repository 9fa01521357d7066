"""hypergradient: the learning rate of any optimizer, by the inner products of its steps with gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

from jax import Array

from gradchain.core import tree
from gradchain.core.compose import chain
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.slots import counter, filled, scalar, shared, zeros
from gradchain.core.transform import example, optimizer, wrapper
from gradchain.math.numerics import increment, safe_divide
from gradchain.rules.adaptive.adam import adam
from gradchain.rules.momentum.sgd import sgd
from gradchain.rules.rate_free.arrays import closed, each, inner, opened
from gradchain.wrappers.base import wrap

PyTree = Any
PAPER: Any = {"family": "rate_free", "paper": "arXiv:1703.04782"}


class HypergradientState(NamedTuple):
    count: Array  # [] int32, steps taken
    factor: Array  # [] the learning rate of this step
    previous: PyTree  # like params, the last update of the base

    metrics = (("learning_rate", "factor"),)


def _times(u, factor):
    return factor * u


@wrapper(
    near=("hypergradient_sgd", "mechanize", "schedule_free"),
    example=lambda: {"base_optimizer": example("sgd"), "learning_rate": 0.5},
    **PAPER,
)
def hypergradient(
    base_optimizer: Any,
    learning_rate: Hyper,
    hypergradient_rate: Hyper = 1e-6,
    *,
    multiplicative: bool = False,
):
    """Multiply an optimizer's updates u, whose own rate is 1, by a rate that descends the loss as well.

    h = <g, u of the step before>, the derivative of the loss by that step's rate
    rate = rate - hypergradient_rate * h, starting at learning_rate;  p = p + rate * u
    multiplicative: rate = rate * (1 - hypergradient_rate * h / (|g| |u|)), which has no unit and is never
    negative for hypergradient_rate <= 1. Products are of all leaves taken as one vector.
    """

    def step(base, updates, old, state, params):
        made, state = base.updates(updates, state, params)
        g, s, u = opened(updates, old, made, "previous")
        h = inner(g, s.previous)
        if multiplicative:
            size = tree.global_norm(g) * tree.global_norm(s.previous)
            factor = s.factor * (1 - hypergradient_rate * safe_divide(h, size))
        else:
            factor = s.factor - hypergradient_rate * h
        s = s._replace(count=increment(s.count), factor=factor, previous=u)
        out, s = closed(updates, each(_times, u, factor=factor), u, s, old)
        return base.given(out, params), s, state

    return wrap(
        HypergradientState,
        as_transform(base_optimizer, "hypergradient"),
        step,
        fields={
            "count": shared(counter),
            "factor": shared(filled(scalar, learning_rate)),
            "previous": zeros,
        },
    )


@optimizer(near=("sgd", "hypergradient_adam", "dog", "momo"), example=lambda: {"learning_rate": 0.1}, **PAPER)
def hypergradient_sgd(
    learning_rate: Hyper,
    hypergradient_rate: Hyper = 1e-6,
    momentum: Fraction | None = None,
    nesterov: bool = False,
    *,
    multiplicative: bool = False,
):
    """SGD-HD: gradient descent, or momentum, whose learning rate is learned; see `hypergradient`."""
    base = sgd(1.0, momentum, nesterov)
    return chain(hypergradient(base, learning_rate, hypergradient_rate, multiplicative=multiplicative))


@optimizer(
    near=("adam", "hypergradient_sgd", "prodigy", "momo_adam"),
    example=lambda: {"learning_rate": 0.1},
    **PAPER,
)
def hypergradient_adam(
    learning_rate: Hyper,
    hypergradient_rate: Hyper = 1e-8,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    *,
    multiplicative: bool = False,
):
    """Adam-HD: Adam whose learning rate is learned; see `hypergradient`."""
    base = adam(1.0, b1, b2, eps)
    return chain(hypergradient(base, learning_rate, hypergradient_rate, multiplicative=multiplicative))
