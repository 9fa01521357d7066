"""Steps in proportion to a layer's norm."""

from gradchain.rules.layerwise.amos import ScaleByAmosState, amos, scale_by_amos
from gradchain.rules.layerwise.fromage import fromage, step_and_shrink
from gradchain.rules.layerwise.norms import (
    UpdateNormState,
    centralize,
    normalize,
    normalize_by_update_norm,
    scale_by_param_block_norm,
)
from gradchain.rules.layerwise.trust import lamb, lars, scale_by_lars, scale_by_trust_ratio

__all__ = [
    "ScaleByAmosState",
    "UpdateNormState",
    "amos",
    "centralize",
    "fromage",
    "lamb",
    "lars",
    "normalize",
    "normalize_by_update_norm",
    "scale_by_amos",
    "scale_by_lars",
    "scale_by_param_block_norm",
    "scale_by_trust_ratio",
    "step_and_shrink",
]
