"""Updates of whole matrices."""

from gradchain.rules.matrix.muon import muon, scale_by_muon, scale_by_shape

__all__ = ["muon", "scale_by_muon", "scale_by_shape"]
