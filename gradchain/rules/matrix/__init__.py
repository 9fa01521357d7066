"""Updates of whole matrices."""

from gradchain.rules.matrix.dimensions import MuonDimensionNumbers, matrices_alone
from gradchain.rules.matrix.dion import ScaleByDionState, dion, scale_by_dion
from gradchain.rules.matrix.muon import ScaleByMuonState, muon, scale_by_muon, scale_by_shape
from gradchain.rules.matrix.soap import ScaleBySoapState, scale_by_soap, soap

__all__ = [
    "MuonDimensionNumbers",
    "ScaleByDionState",
    "ScaleByMuonState",
    "ScaleBySoapState",
    "dion",
    "matrices_alone",
    "muon",
    "scale_by_dion",
    "scale_by_muon",
    "scale_by_shape",
    "scale_by_soap",
    "soap",
]
