"""Gradient descent and momentum."""

from gradchain.rules.momentum.optimistic import (
    OptimisticGradientState,
    optimistic_gradient_descent,
    scale_by_optimistic_gradient,
)
from gradchain.rules.momentum.private import dpsgd
from gradchain.rules.momentum.sgd import TraceState, sgd, trace
from gradchain.rules.momentum.sgdp import scale_by_sgdp, sgdp

__all__ = [
    "OptimisticGradientState",
    "TraceState",
    "dpsgd",
    "optimistic_gradient_descent",
    "scale_by_optimistic_gradient",
    "scale_by_sgdp",
    "sgd",
    "sgdp",
    "trace",
]
