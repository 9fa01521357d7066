"""Steps in proportion to a layer's norm."""

from gradchain.rules.layerwise.trust import lamb, lars, scale_by_lars, scale_by_trust_ratio

__all__ = ["lamb", "lars", "scale_by_lars", "scale_by_trust_ratio"]
