"""AdaGC: AdamW on gradients clipped to what the norm of their layer was before."""

from __future__ import annotations

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper, Limit, Period
from gradchain.core.kinds import DType
from gradchain.core.select import Selection
from gradchain.core.transform import optimizer
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay
from gradchain.rules.parts.past_norm import clip_by_past_norm


@optimizer(
    paper="arXiv:2502.11034",
    near=("adamw", "stable_adamw", "clip_by_past_norm"),
    example=lambda: {"learning_rate": 0.1},
    traits=frozenset({"matrices"}),
)
def adagc(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.1,
    mask: Selection = None,
    mu_dtype: DType | None = None,
    *,
    max_norm: Limit = 1.0,
    relative: Limit = 1.05,
    decay: Decay = 0.98,
    warmup_steps: Period = 100,
    per_leaf: bool = False,
):
    """AdaGC: `adamw` on clipped gradients, see `clip_by_past_norm`."""
    return chain(
        clip_by_past_norm(max_norm, relative, decay, warmup_steps, per_leaf=per_leaf),
        scale_by_adam(b1, b2, eps, mu_dtype=mu_dtype),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
