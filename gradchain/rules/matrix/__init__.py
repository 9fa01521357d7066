"""Updates of whole matrices."""

from gradchain.rules.matrix.balance import balance
from gradchain.rules.matrix.dimensions import MuonDimensionNumbers, matrices_alone
from gradchain.rules.matrix.dion import ScaleByDionState, dion, scale_by_dion
from gradchain.rules.matrix.dion2 import ScaleByDion2State, dion2, scale_by_dion2
from gradchain.rules.matrix.kl import ScaleByKlShampooState, kl_shampoo, kl_soap, scale_by_kl_shampoo
from gradchain.rules.matrix.muon import ScaleByMuonState, muon, orthogonalize, scale_by_muon, scale_by_shape
from gradchain.rules.matrix.muown import StepByOutputsState, muown, step_by_outputs
from gradchain.rules.matrix.normuon import ScaleByNormuonState, adamuon, normuon, scale_by_normuon
from gradchain.rules.matrix.psgd import ScaleByPsgdState, psgd_kron, scale_by_psgd
from gradchain.rules.matrix.psgd_lra import ScaleByPsgdLraState, psgd_lra, scale_by_psgd_lra
from gradchain.rules.matrix.qk_clip import muonclip, qk_clip
from gradchain.rules.matrix.scion import scale_by_lmo, scion
from gradchain.rules.matrix.shampoo import ScaleByShampooState, scale_by_shampoo
from gradchain.rules.matrix.sinkhorn import scale_by_sinkhorn, sinkgd
from gradchain.rules.matrix.soap import ScaleBySoapState, scale_by_soap, soap
from gradchain.rules.matrix.spectral_sphere import spectral_sphere, step_on_spectral_sphere
from gradchain.rules.matrix.sphere import (
    StepOnSphereState,
    adamh,
    muonh,
    spel,
    step_on_sphere,
    step_on_stiefel,
)
from gradchain.rules.matrix.splus import ScaleBySplusState, scale_by_sides, scale_by_splus, splus

__all__ = [
    "MuonDimensionNumbers",
    "ScaleByDion2State",
    "ScaleByDionState",
    "ScaleByKlShampooState",
    "ScaleByMuonState",
    "ScaleByNormuonState",
    "ScaleByPsgdLraState",
    "ScaleByPsgdState",
    "ScaleByShampooState",
    "ScaleBySoapState",
    "ScaleBySplusState",
    "StepByOutputsState",
    "StepOnSphereState",
    "adamh",
    "adamuon",
    "balance",
    "dion",
    "dion2",
    "kl_shampoo",
    "kl_soap",
    "matrices_alone",
    "muon",
    "muonclip",
    "muonh",
    "muown",
    "normuon",
    "orthogonalize",
    "psgd_kron",
    "psgd_lra",
    "qk_clip",
    "scale_by_dion",
    "scale_by_dion2",
    "scale_by_kl_shampoo",
    "scale_by_lmo",
    "scale_by_muon",
    "scale_by_normuon",
    "scale_by_psgd",
    "scale_by_psgd_lra",
    "scale_by_shampoo",
    "scale_by_shape",
    "scale_by_sides",
    "scale_by_sinkhorn",
    "scale_by_soap",
    "scale_by_splus",
    "scion",
    "sinkgd",
    "soap",
    "spectral_sphere",
    "spel",
    "splus",
    "step_by_outputs",
    "step_on_spectral_sphere",
    "step_on_sphere",
    "step_on_stiefel",
]
