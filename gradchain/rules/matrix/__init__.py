"""Updates of whole matrices."""

from gradchain.rules.matrix.dimensions import MuonDimensionNumbers, matrices_alone
from gradchain.rules.matrix.dion import ScaleByDionState, dion, scale_by_dion
from gradchain.rules.matrix.dion2 import ScaleByDion2State, dion2, scale_by_dion2
from gradchain.rules.matrix.kl import ScaleByKlShampooState, kl_shampoo, kl_soap, scale_by_kl_shampoo
from gradchain.rules.matrix.muon import ScaleByMuonState, muon, scale_by_muon, scale_by_shape
from gradchain.rules.matrix.psgd import ScaleByPsgdState, psgd_kron, scale_by_psgd
from gradchain.rules.matrix.psgd_lra import ScaleByPsgdLraState, psgd_lra, scale_by_psgd_lra
from gradchain.rules.matrix.shampoo import ScaleByShampooState, scale_by_shampoo, shampoo
from gradchain.rules.matrix.soap import ScaleBySoapState, scale_by_soap, soap

__all__ = [
    "MuonDimensionNumbers",
    "ScaleByDion2State",
    "ScaleByDionState",
    "ScaleByKlShampooState",
    "ScaleByMuonState",
    "ScaleByPsgdLraState",
    "ScaleByPsgdState",
    "ScaleByShampooState",
    "ScaleBySoapState",
    "dion",
    "dion2",
    "kl_shampoo",
    "kl_soap",
    "matrices_alone",
    "muon",
    "psgd_kron",
    "psgd_lra",
    "scale_by_dion",
    "scale_by_dion2",
    "scale_by_kl_shampoo",
    "scale_by_muon",
    "scale_by_psgd",
    "scale_by_psgd_lra",
    "scale_by_shampoo",
    "scale_by_shape",
    "scale_by_soap",
    "shampoo",
    "soap",
]
