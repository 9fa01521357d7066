"""AdaDelta: the units of the parameters, restored by a running square of the updates."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import squares
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, ema, in_kernel, over_root, safe_sqrt
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any


class ScaleByAdaDeltaState(NamedTuple):
    e_g: PyTree  # like params, E[|g|^2]
    e_x: PyTree  # like params, E[|u|^2]


@transform(paper="arXiv:1212.5701")
def scale_by_adadelta(rho: Decay = 0.9, eps: Hyper = 1e-6):
    """Scale by AdaDelta.

    v = rho v + (1 - rho) |g|^2;  u = g * sqrt(x + eps) / sqrt(v + eps);  x = rho x + (1 - rho) |u|^2
    """

    def step(g, s):
        v = ema(s.e_g, abs2(g), rho)
        u = over_root(g * safe_sqrt(s.e_x + eps), v, 0, eps)
        x = ema(s.e_x, abs2(u), rho)
        return in_kernel(u, x == x, x), ScaleByAdaDeltaState(v, x)

    return leafwise(ScaleByAdaDeltaState, step, e_g=squares, e_x=squares)


@optimizer(paper="arXiv:1212.5701", renamed={"weight_decay_mask": "mask"})
def adadelta(
    learning_rate: Hyper | None = 1.0,
    rho: Decay = 0.9,
    eps: Hyper = 1e-6,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
):
    """AdaDelta: p = p - lr * u, u from `scale_by_adadelta` of g + weight_decay * p.

    The paper's learning rate is 1, which None is too. (Optax takes None for no last link, and its updates go
    up the gradient.)
    """
    return chain(
        *optional_decay(weight_decay, mask),
        scale_by_adadelta(rho, eps),
        scale_by_learning_rate(1.0 if learning_rate is None else learning_rate),
    )
