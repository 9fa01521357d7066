"""Gradient descent and momentum."""

from gradchain.rules.momentum.accsgd import ScaleByAccsgdState, accsgd, scale_by_accsgd
from gradchain.rules.momentum.aggmo import ScaleByAggmoState, aggmo, scale_by_aggmo
from gradchain.rules.momentum.asgd import ScaleByAsgdState, scale_by_asgd
from gradchain.rules.momentum.grokfast import GrokfastEmaState, GrokfastMaState, grokfast_ema, grokfast_ma
from gradchain.rules.momentum.optimistic import (
    OptimisticGradientState,
    optimistic_gradient_descent,
    scale_by_optimistic_gradient,
)
from gradchain.rules.momentum.private import dpsgd
from gradchain.rules.momentum.qhm import ScaleByQhmState, qhm, scale_by_qhm
from gradchain.rules.momentum.sgd import TraceState, sgd, trace
from gradchain.rules.momentum.sgd_sai import ScaleBySgdSaiState, scale_by_sgd_sai, sgd_sai
from gradchain.rules.momentum.sgdp import scale_by_sgdp, sgdp

__all__ = [
    "GrokfastEmaState",
    "GrokfastMaState",
    "OptimisticGradientState",
    "ScaleByAccsgdState",
    "ScaleByAggmoState",
    "ScaleByAsgdState",
    "ScaleByQhmState",
    "ScaleBySgdSaiState",
    "TraceState",
    "accsgd",
    "aggmo",
    "dpsgd",
    "grokfast_ema",
    "grokfast_ma",
    "optimistic_gradient_descent",
    "qhm",
    "scale_by_accsgd",
    "scale_by_aggmo",
    "scale_by_asgd",
    "scale_by_optimistic_gradient",
    "scale_by_qhm",
    "scale_by_sgd_sai",
    "scale_by_sgdp",
    "sgd",
    "sgd_sai",
    "sgdp",
    "trace",
]
