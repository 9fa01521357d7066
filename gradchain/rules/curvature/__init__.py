"""Second-order methods: L-BFGS, line searches."""

from gradchain.rules.curvature.backtracking import (
    BacktrackingLinesearchInfo,
    BacktrackingValueState,
    ScaleByBacktrackingLinesearchState,
    scale_by_backtracking_linesearch,
)
from gradchain.rules.curvature.ivon import ScaleByIvonState, ivon, scale_by_ivon
from gradchain.rules.curvature.lbfgs import ScaleByLBFGSState, lbfgs, scale_by_lbfgs
from gradchain.rules.curvature.linesearch import (
    ScaleByZoomLinesearchState,
    ZoomLinesearchInfo,
    scale_by_zoom_linesearch,
)
from gradchain.rules.curvature.objective import value_and_grad_from_state

__all__ = [
    "BacktrackingLinesearchInfo",
    "BacktrackingValueState",
    "ScaleByBacktrackingLinesearchState",
    "ScaleByIvonState",
    "ScaleByLBFGSState",
    "ScaleByZoomLinesearchState",
    "ZoomLinesearchInfo",
    "ivon",
    "lbfgs",
    "scale_by_backtracking_linesearch",
    "scale_by_ivon",
    "scale_by_lbfgs",
    "scale_by_zoom_linesearch",
    "value_and_grad_from_state",
]
