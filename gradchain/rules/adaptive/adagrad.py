"""AdaGrad: steps shrink with all the gradient an element has seen."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import filled, squares
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, over_root
from gradchain.rules.parts.basic import scale_by_learning_rate

PyTree = Any


class ScaleByRssState(NamedTuple):
    sum_of_squares: PyTree  # like params, the initial value + sum |g|^2


@transform(paper="Duchi et al. 2011, JMLR 12")
def scale_by_rss(initial_accumulator_value: Hyper = 0.1, eps: Hyper = 1e-7, *, eps_in_sqrt: bool = True):
    """Divide by the root of the sum of all squares so far.

    n = n + |g|^2;  u = g / sqrt(n + eps), n = initial_accumulator_value at the start; 0 where n + eps is 0.
    eps is inside the root, as in keras and Optax; eps_in_sqrt=False: u = g / (sqrt(n) + eps), as in torch.
    The printed "adaptive learning rate" lr / sqrt(1 + beta * sum v^2) of a momentum v is
    chain(trace(decay), scale_by_rss(1 / beta, eps=0), scale_by_learning_rate(lr / sqrt(beta))).
    """

    def step(g, s):
        n = s.sum_of_squares + abs2(g)
        u = over_root(g, n, 0, eps) if eps_in_sqrt else over_root(g, n, eps)
        return u, ScaleByRssState(n)

    return leafwise(ScaleByRssState, step, sum_of_squares=filled(squares, initial_accumulator_value))


@optimizer(paper="Duchi et al. 2011, JMLR 12", example=lambda: {"learning_rate": 0.1})
def adagrad(
    learning_rate: Hyper,
    initial_accumulator_value: Hyper = 0.1,
    eps: Hyper = 1e-7,
    *,
    eps_in_sqrt: bool = True,
):
    """AdaGrad: p = p - lr * g / sqrt(n + eps), see `scale_by_rss`."""
    return chain(
        scale_by_rss(initial_accumulator_value, eps, eps_in_sqrt=eps_in_sqrt),
        scale_by_learning_rate(learning_rate),
    )
