"""Optimizers as other frameworks hold them."""
