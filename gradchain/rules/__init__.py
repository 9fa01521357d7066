"""The algorithms: one file per family, each its state, its kernel and its optimizer."""
