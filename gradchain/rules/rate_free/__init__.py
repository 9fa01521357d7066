"""Optimizers that find their own step length, and rates that follow the loss."""

from gradchain.rules.rate_free.plateau import ReduceLROnPlateauState, reduce_on_plateau
from gradchain.rules.rate_free.polyak import PolyakState, polyak_sgd, scale_by_polyak

__all__ = [
    "PolyakState",
    "ReduceLROnPlateauState",
    "polyak_sgd",
    "reduce_on_plateau",
    "scale_by_polyak",
]
