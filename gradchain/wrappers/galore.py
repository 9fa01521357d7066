"""GaLore: any transformation run on gradients projected to few rows or columns."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from jax import Array

from gradchain.core.compose import chain
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Hyper, Period
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.transform import optimizer, wrapper
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay
from gradchain.wrappers.projected import Numbers, Projected

PyTree = Any


class ScaleByGaLoreState(NamedTuple):
    count: Array  # [] int32, steps taken
    projector: PyTree  # [k, m, rank], orthonormal columns of each matrix's projected side; else a scalar


def _errors():
    yield ErrorInput({"rank": 0}, ValueError, ("rank is 0", "at least 1"))
    yield ErrorInput({"rank": 2.5}, TypeError, ("rank is 2.5", "a whole number"))
    yield ErrorInput({"side": "left"}, ValueError, ("side is 'left'", "'short' or 'long'"))


PAPER: Any = {
    "family": "factored",
    "paper": "arXiv:2403.03507",
    "traits": frozenset({"matrices"}),
    "errors": _errors,
}


@wrapper(**PAPER, example=lambda: {"rank": 3, "update_proj_gap": 2})
def scale_by_galore(
    rank: int = 128,
    update_proj_gap: Period = 200,
    scale: Hyper = 1.0,
    base_optimizer: Any = None,
    weight_dimension_numbers: Numbers = None,
    *,
    side: Literal["short", "long"] = "short",
):
    """Run a transformation (None: scale_by_adam) on gradients projected to `rank` rows or columns.

    every update_proj_gap steps U S V^T = g;  P = U[:, :rank] where rows <= cols, else V[:, :rank]
    u = scale * P base(P^T g), or scale * base(g P) P^T
    What is no matrix goes to the base as it is; the leaf's axes say which are, stacked layers one by one, or
    weight_dimension_numbers: one for all leaves of two axes and more, a tree with None for what is no matrix,
    or a function of the parameters that gives one. The base gets no parameters: decay belongs outside.
    side="long" projects the longer side, as Optax does, of which P is larger and the base's state smaller.
    """
    who = "scale_by_galore"
    base = scale_by_adam() if base_optimizer is None else as_transform(base_optimizer, who)
    numbers = weight_dimension_numbers
    return Projected(who, ScaleByGaLoreState, base, rank, update_proj_gap, scale, numbers, side)


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.1, "rank": 3, "update_proj_gap": 2})
def galore(
    learning_rate: Hyper,
    rank: int = 128,
    update_proj_gap: Period = 200,
    scale: Hyper = 1.0,
    base_optimizer: Any = None,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    weight_dimension_numbers: Numbers = None,
    *,
    side: Literal["short", "long"] = "short",
):
    """GaLore: p = p - lr * (u + weight_decay * p), see `scale_by_galore`."""
    return chain(
        scale_by_galore(rank, update_proj_gap, scale, base_optimizer, weight_dimension_numbers, side=side),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
