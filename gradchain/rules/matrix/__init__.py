"""Updates of whole matrices."""

from gradchain.rules.matrix.balance import balance
from gradchain.rules.matrix.dimensions import MuonDimensionNumbers, matrices_alone
from gradchain.rules.matrix.muon import ScaleByMuonState, muon, orthogonalize, scale_by_muon, scale_by_shape

__all__ = [
    "MuonDimensionNumbers",
    "ScaleByMuonState",
    "balance",
    "matrices_alone",
    "muon",
    "orthogonalize",
    "scale_by_muon",
    "scale_by_shape",
]
