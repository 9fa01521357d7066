"""Gradient descent and momentum."""
