"""Updates of whole matrices."""

from gradchain.rules.matrix.dimensions import MuonDimensionNumbers, matrices_alone
from gradchain.rules.matrix.dion import ScaleByDionState, dion, scale_by_dion
from gradchain.rules.matrix.dion2 import ScaleByDion2State, dion2, scale_by_dion2
from gradchain.rules.matrix.muon import ScaleByMuonState, muon, scale_by_muon, scale_by_shape
from gradchain.rules.matrix.psgd import ScaleByPsgdState, psgd_kron, scale_by_psgd
from gradchain.rules.matrix.soap import ScaleBySoapState, scale_by_soap, soap

__all__ = [
    "MuonDimensionNumbers",
    "ScaleByDion2State",
    "ScaleByDionState",
    "ScaleByMuonState",
    "ScaleByPsgdState",
    "ScaleBySoapState",
    "dion",
    "dion2",
    "matrices_alone",
    "muon",
    "psgd_kron",
    "scale_by_dion",
    "scale_by_dion2",
    "scale_by_muon",
    "scale_by_psgd",
    "scale_by_shape",
    "scale_by_soap",
    "soap",
]
