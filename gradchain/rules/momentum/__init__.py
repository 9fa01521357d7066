"""Gradient descent and momentum."""

from gradchain.rules.momentum.sgd import sgd, trace

__all__ = ["sgd", "trace"]
