"""Updates of whole matrices."""

from gradchain.rules.matrix.dimensions import MuonDimensionNumbers, matrices_alone
from gradchain.rules.matrix.soap import ScaleBySoapState, scale_by_soap, soap
from gradchain.rules.matrix.muon import ScaleByMuonState, muon, scale_by_muon, scale_by_shape

__all__ = [
    "MuonDimensionNumbers",
    "ScaleBySoapState",
    "scale_by_soap",
    "soap",
    "ScaleByMuonState",
    "matrices_alone",
    "muon",
    "scale_by_muon",
    "scale_by_shape",
]
