"""Optimizers that find their own step length, and rates that follow the loss."""

from gradchain.rules.rate_free.cocob import COCOBState, cocob, scale_by_cocob
from gradchain.rules.rate_free.dog import (
    DoGState,
    DoWGState,
    ScaleByDistanceOverGradientsState,
    dog,
    dowg,
    scale_by_distance_over_gradients,
    scale_by_dog,
    scale_by_dowg,
)
from gradchain.rules.rate_free.momo import (
    MomoAdamState,
    MomoState,
    momo,
    momo_adam,
    scale_by_momo,
    scale_by_momo_adam,
)
from gradchain.rules.rate_free.plateau import ReduceLROnPlateauState, reduce_on_plateau
from gradchain.rules.rate_free.polyak import PolyakState, polyak_sgd, scale_by_polyak
from gradchain.rules.rate_free.prodigy import (
    DAdaptAdamWState,
    ProdigyState,
    dadapt_adamw,
    prodigy,
    scale_by_dadapt_adam,
    scale_by_prodigy,
)

__all__ = [
    "COCOBState",
    "DAdaptAdamWState",
    "DoGState",
    "DoWGState",
    "MomoAdamState",
    "MomoState",
    "PolyakState",
    "ProdigyState",
    "ReduceLROnPlateauState",
    "ScaleByDistanceOverGradientsState",
    "cocob",
    "dadapt_adamw",
    "dog",
    "dowg",
    "momo",
    "momo_adam",
    "polyak_sgd",
    "prodigy",
    "reduce_on_plateau",
    "scale_by_cocob",
    "scale_by_dadapt_adam",
    "scale_by_distance_over_gradients",
    "scale_by_dog",
    "scale_by_dowg",
    "scale_by_momo",
    "scale_by_momo_adam",
    "scale_by_polyak",
    "scale_by_prodigy",
]
