"""Updates of whole matrices."""

from gradchain.rules.matrix.dimensions import MuonDimensionNumbers, matrices_alone
from gradchain.rules.matrix.dion import ScaleByDionState, dion, scale_by_dion
from gradchain.rules.matrix.muon import ScaleByMuonState, muon, scale_by_muon, scale_by_shape

__all__ = [
    "MuonDimensionNumbers",
    "ScaleByDionState",
    "ScaleByMuonState",
    "dion",
    "matrices_alone",
    "muon",
    "scale_by_dion",
    "scale_by_muon",
    "scale_by_shape",
]
