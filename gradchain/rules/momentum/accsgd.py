"""Accelerated SGD: a long and a short step, coupled so that noise does not add up."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradchain.core import words
from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import ema
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
PAPER: Any = {
    "paper": "arXiv:1803.05591; arXiv:1704.08227",
    "near": ("sgd", "qhm", "aggmo"),
    "errors": lambda: [
        ErrorInput({"kappa": 0}, ValueError, ("kappa is 0", "above 0")),
        ErrorInput({"small_const": 0.0}, ValueError, ("small_const is 0.0", "above 0")),
    ],
}


class ScaleByAccsgdState(NamedTuple):
    mu: PyTree  # like params, (p - w) / lr, w the average that the long steps make


@transform(**PAPER)
def scale_by_accsgd(kappa: Hyper = 1000.0, xi: Hyper = 10.0, small_const: Hyper = 0.7):
    """Scale by accelerated SGD, written as momentum.

    c = small_const;  beta = c^2 xi / kappa;  zeta = c / (c + beta)
    d = (1 - beta) m + c xi g;  u = zeta g + (1 - zeta) d;  m = zeta (d - g)
    The paper keeps w = p - lr m: w = (1 - beta) w + beta (p - kappa lr / c g), p = zeta (p - lr g) +
    (1 - zeta) w, the same at a constant rate. kappa: how much longer the long step is; xi <= sqrt(kappa):
    how much statistical advantage is assumed.
    """
    for name, value in (("kappa", kappa), ("small_const", small_const)):
        if isinstance(value, int | float) and value == 0:
            raise ValueError(f"scale_by_accsgd: {name} is {words.show(value)}; expected a number above 0")
    beta = small_const * small_const * xi / kappa
    zeta = small_const / (small_const + beta)

    def step(g, s):
        d = (1 - beta) * s.mu + small_const * xi * g
        return ema(g, d, zeta), ScaleByAccsgdState(zeta * (d - g))

    return leafwise(ScaleByAccsgdState, step, mu=zeros)


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.1})
def accsgd(
    learning_rate: Hyper,
    kappa: Hyper = 1000.0,
    xi: Hyper = 10.0,
    small_const: Hyper = 0.7,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
):
    """Accelerated SGD, see `scale_by_accsgd`; weight_decay * p is added to the gradient before it (L2)."""
    return chain(
        *optional_decay(weight_decay, mask),
        scale_by_accsgd(kappa, xi, small_const),
        scale_by_learning_rate(learning_rate),
    )
