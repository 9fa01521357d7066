"""Measurements of gradchain beside Optax and PyTorch; none of it is installed with the package."""
