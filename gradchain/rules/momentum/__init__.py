"""Gradient descent and momentum."""

from gradchain.rules.momentum.private import dpsgd
from gradchain.rules.momentum.sgd import sgd, trace

__all__ = ["dpsgd", "sgd", "trace"]
