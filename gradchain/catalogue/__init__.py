"""Finding an optimizer: what there is, and a chain to begin with for a model and its data."""
