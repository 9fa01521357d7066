"""Steps under penalties and constraints, solved exactly."""

from gradchain.rules.proximal.ftrl import ScaleByFtrlState, ftrl, scale_by_ftrl
from gradchain.rules.proximal.pruning import (
    PruneByMagnitudeState,
    PruneNOfMState,
    cubic_sparsity,
    prune_by_magnitude,
    prune_n_of_m,
)
from gradchain.rules.proximal.quantize import QuantizeParamsState, parq, quantize_params

__all__ = [
    "PruneByMagnitudeState",
    "PruneNOfMState",
    "QuantizeParamsState",
    "ScaleByFtrlState",
    "cubic_sparsity",
    "ftrl",
    "parq",
    "prune_by_magnitude",
    "prune_n_of_m",
    "quantize_params",
    "scale_by_ftrl",
]
