"""Adai: gradient descent whose momentum, not its step length, adapts to each element."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, scalar, shared, squares, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, bias, bounded, debias, ema, safe_divide
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
PAPER = "arXiv:2006.15815"


class ScaleByAdaiState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]
    nu: PyTree  # like params, E[|g|^2]
    missing: PyTree  # like params, what mu lacks to be a mean: the product of all its decays
    mean_square: Array  # [] the mean of v' over all elements of all leaves


def _ones(p: Leaf) -> Slot:
    return dataclasses.replace(squares(p), fill=1, exact=True)  # 1 - missing is a divisor


@transform(paper=PAPER, near=("scale_by_adam", "ema", "scale_by_belief"))
def scale_by_adai(b0: Hyper = 0.1, b2: Decay = 0.99, eps: Hyper = 1e-3):
    """Average gradients for longer where their second moment is small (adaptive inertia).

    v = b2 v + (1 - b2) |g|^2;  v' = v / (1 - b2^t);  w the mean of v' over all elements of all leaves
    b = clip(1 - b0 v' / w, 0, 1 - eps);  m = b m + (1 - b) g;  u = m / (1 - the product of all b so far)
    b0 is what the momentum lacks to 1 where v' is average, 0.1 for one of 0.9.
    """

    def before(updates, s):
        size = max(sum(x.size for x in jax.tree.leaves(updates)), 1)
        square = jnp.square(tree.global_norm(jax.tree.map(bounded, updates))) / size
        # The mean of averages is the average of means.
        weight = (1 - b2) / bias(b2, s.count)
        return s._replace(mean_square=s.mean_square + weight * (square - s.mean_square))

    def step(g, s):
        g = bounded(g)
        nu = ema(s.nu, abs2(g), b2)
        share = safe_divide(debias(nu, b2, s.count), s.mean_square)
        decay = jnp.clip(1 - b0 * share, 0, 1 - eps)
        mu, missing = ema(s.mu, g, decay), s.missing * decay
        return mu / (1 - missing), s._replace(mu=mu, nu=nu, missing=missing)

    fields: Any = {"mu": zeros, "nu": squares, "missing": _ones}
    return leafwise(ScaleByAdaiState, step, before=before, mean_square=shared(scalar), **fields)


@optimizer(paper=PAPER, near=("sgd", "adam", "adabelief"), example=lambda: {"learning_rate": 0.1})
def adai(
    learning_rate: Hyper,
    b0: Hyper = 0.1,
    b2: Decay = 0.99,
    eps: Hyper = 1e-3,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
):
    """Adai: p = p - lr * (m' + weight_decay * p), see `scale_by_adai`.

    The learning rate is one of gradient descent, 10 times that of `sgd` with momentum 0.9, which is a sum.
    """
    return chain(
        scale_by_adai(b0, b2, eps), *optional_decay(weight_decay, mask), scale_by_learning_rate(learning_rate)
    )
