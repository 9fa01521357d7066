"""Updates of whole matrices."""

from gradchain.rules.matrix.balance import balance
from gradchain.rules.matrix.dimensions import MuonDimensionNumbers, matrices_alone
from gradchain.rules.matrix.muon import ScaleByMuonState, muon, orthogonalize, scale_by_muon, scale_by_shape
from gradchain.rules.matrix.normuon import ScaleByNormuonState, adamuon, normuon, scale_by_normuon
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
    "StepOnSphereState",
    "adamh",
    "adamuon",
    "balance",
    "matrices_alone",
    "muon",
    "muonh",
    "normuon",
    "orthogonalize",
    "scale_by_muon",
    "scale_by_normuon",
    "scale_by_shape",
    "spel",
    "step_on_sphere",
    "step_on_stiefel",
]
