"""Updates of whole matrices."""

from gradchain.rules.matrix.balance import balance
from gradchain.rules.matrix.dimensions import MuonDimensionNumbers, matrices_alone
from gradchain.rules.matrix.kl import ScaleByKlShampooState, kl_shampoo, kl_soap, scale_by_kl_shampoo
from gradchain.rules.matrix.muon import ScaleByMuonState, muon, orthogonalize, scale_by_muon, scale_by_shape
from gradchain.rules.matrix.muown import StepByOutputsState, muown, step_by_outputs
from gradchain.rules.matrix.normuon import ScaleByNormuonState, adamuon, normuon, scale_by_normuon
from gradchain.rules.matrix.qk_clip import muonclip, qk_clip
from gradchain.rules.matrix.scion import scale_by_lmo, scion
from gradchain.rules.matrix.shampoo import ScaleByShampooState, scale_by_shampoo, shampoo
from gradchain.rules.matrix.soap import ScaleBySoapState, scale_by_soap, soap
from gradchain.rules.matrix.sphere import (
    StepOnSphereState,
    adamh,
    muonh,
    spel,
    step_on_sphere,
    step_on_stiefel,
)

__all__ = [
    "MuonDimensionNumbers",
    "ScaleByKlShampooState",
    "ScaleByMuonState",
    "ScaleByNormuonState",
    "ScaleByShampooState",
    "ScaleBySoapState",
    "StepByOutputsState",
    "StepOnSphereState",
    "adamh",
    "adamuon",
    "balance",
    "kl_shampoo",
    "kl_soap",
    "matrices_alone",
    "muon",
    "muonclip",
    "muonh",
    "muown",
    "normuon",
    "orthogonalize",
    "qk_clip",
    "scale_by_kl_shampoo",
    "scale_by_lmo",
    "scale_by_muon",
    "scale_by_normuon",
    "scale_by_shampoo",
    "scale_by_shape",
    "scale_by_soap",
    "scion",
    "shampoo",
    "soap",
    "spel",
    "step_by_outputs",
    "step_on_sphere",
    "step_on_stiefel",
]
