"""Choosing hyperparameters: sweeps and learning rate tests, each one compilation."""
