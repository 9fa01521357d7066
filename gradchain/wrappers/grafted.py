"""Shampoo as it is used: its direction, and the length that another method's step has in each layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from gradchain.core import words
from gradchain.core.compose import chain
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.transform import Transform, optimizer
from gradchain.matrices.factors import Sides
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.adaptive.rmsprop import scale_by_rms
from gradchain.rules.matrix.shampoo import PAPER, Combine, scale_by_shampoo
from gradchain.rules.parts.averaging import ema
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay
from gradchain.wrappers.parallel import grafting as graft

NAMES = ("adam", "rms", "sgd")


def _grafting_errors() -> Iterator[ErrorInput]:
    yield ErrorInput({"grafting": "adagrad"}, ValueError, ("grafting is 'adagrad'", "'adam', 'rms', 'sgd'"))
    yield ErrorInput({"grafting": 3}, TypeError, ("3 is not a gradient transformation",))


def _errors() -> Iterator[ErrorInput]:
    yield from PAPER["errors"]()
    yield from _grafting_errors()


def magnitude(grafting: Any, b1: Any) -> Transform:
    """The method whose steps are as long as Shampoo's or CASPR's shall be."""
    match grafting:
        case "adam":
            return scale_by_adam(b1)
        case "rms":
            return scale_by_rms(0.999, eps_in_sqrt=False, bias_correction=True)
        case "sgd":
            return ema(b1)
        case str():
            given, known = words.show(grafting), ", ".join(map(repr, NAMES))
            raise ValueError(
                f"shampoo, caspr: grafting is {given}; expected None, one of {known}, or a transformation"
            )
    return as_transform(grafting, "shampoo, caspr (grafting)")


ABOUT: Any = {
    **PAPER,
    "family": "matrix",
    "errors": _errors,
    "near": ("soap", "kl_shampoo", "muon", "grafting"),
}


@optimizer(**ABOUT, example=lambda: {"learning_rate": 0.1, "precondition_frequency": 2})
def shampoo(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.99,
    eps: Hyper = 1e-6,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    precondition_frequency: int = 10,
    *,
    grafting: Any = "adam",
    root: int = 4,
    sums: bool = False,
    block_size: int | None = 1024,
    max_precond_dim: int | None = None,
    sides: Sides = "both",
    method: Literal["eigh", "newton"] = "eigh",
    combine: Combine = "product",
):
    """Shampoo: p = p - lr * (u |v| / |u| + weight_decay * p), u of `scale_by_shampoo`, |u| that of a layer.

    v is what `grafting` would step by: "adam", "rms" without its momentum, "sgd" the mean gradient, or a
    transformation; lr is then that of the other method. None: u as it is, whose length follows the gradients
    of late over those of long ago; the paper and its users always graft.
    Other decays than b1 and 0.999 for v: grafting=scale_by_adam(b1, b2, eps). State of a square matrix in
    float32: 20 bytes a parameter with "adam", 16 with "rms" and "sgd", 12 with None.
    """
    direction = scale_by_shampoo(
        b1,
        b2,
        eps,
        precondition_frequency,
        root=root,
        sums=sums,
        block_size=block_size,
        max_precond_dim=max_precond_dim,
        sides=sides,
        method=method,
        combine=combine,
    )
    return chain(
        direction if grafting is None else graft(direction, magnitude(grafting, b1)),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@optimizer(
    **{**ABOUT, "paper": "arXiv:2311.10085", "near": ("shampoo", "soap", "muon"), "errors": _grafting_errors},
    example=lambda: {"learning_rate": 0.1, "precondition_frequency": 2},
)
def caspr(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.99,
    eps: Hyper = 1e-6,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    precondition_frequency: int = 10,
    *,
    grafting: Any = "adam",
    root: int = 4,
    sums: bool = False,
    block_size: int | None = 1024,
    max_precond_dim: int | None = None,
    sides: Sides = "both",
    method: Literal["eigh", "newton"] = "eigh",
):
    """CASPR: `shampoo` with the axes summed, u = (L^(-1/2) m + 2 L^(-1/4) m R^(-1/4) + m R^(-1/2)) / 4.

    That is with root=4; with one side it is `shampoo` of root / 2. `grafting` gives the step the length of
    another method's, as in `shampoo`. State of a square matrix in float32: that of `shampoo`.
    """
    return shampoo(
        learning_rate,
        b1,
        b2,
        eps,
        weight_decay,
        mask,
        precondition_frequency,
        grafting=grafting,
        root=root,
        sums=sums,
        block_size=block_size,
        max_precond_dim=max_precond_dim,
        sides=sides,
        method=method,
        combine="sum",
    )
