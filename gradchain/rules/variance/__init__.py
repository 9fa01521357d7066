"""Gradients with their variance reduced, for any rule that follows."""

from gradchain.rules.variance.mars import ReduceVarianceState, mars, reduce_variance

__all__ = ["ReduceVarianceState", "mars", "reduce_variance"]
