"""Updates of whole matrices."""
