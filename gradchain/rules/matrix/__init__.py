"""Updates of whole matrices."""

from gradchain.rules.matrix.balance import balance
from gradchain.rules.matrix.dimensions import MuonDimensionNumbers, matrices_alone
from gradchain.rules.matrix.muon import ScaleByMuonState, muon, orthogonalize, scale_by_muon, scale_by_shape
from gradchain.rules.matrix.muown import StepByOutputsState, muown, step_by_outputs
from gradchain.rules.matrix.normuon import ScaleByNormuonState, adamuon, normuon, scale_by_normuon
from gradchain.rules.matrix.qk_clip import muonclip, qk_clip
from gradchain.rules.matrix.scion import scale_by_lmo, scion
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
    "ScaleByMuonState",
    "ScaleByNormuonState",
    "StepByOutputsState",
    "StepOnSphereState",
    "adamh",
    "adamuon",
    "balance",
    "matrices_alone",
    "muon",
    "muonclip",
    "muonh",
    "muown",
    "normuon",
    "orthogonalize",
    "qk_clip",
    "scale_by_lmo",
    "scale_by_muon",
    "scale_by_normuon",
    "scale_by_shape",
    "scion",
    "spel",
    "step_by_outputs",
    "step_on_sphere",
    "step_on_stiefel",
]
