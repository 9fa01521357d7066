"""StableAdamW: AdamW that takes shorter steps where a layer's second moment is out of date."""

from __future__ import annotations

import jax.numpy as jnp

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper, Limit
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import squares, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, bounded, debias, ema, over_root, safe_divide, safe_sqrt
from gradchain.rules.adaptive.adam import ScaleByAdamState
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.clipping import shrink
from gradchain.rules.parts.decay import decaying

PAPER = "arXiv:2304.13013"
MATRICES = frozenset({"matrices"})


@transform(paper=PAPER, near=("scale_by_adam", "clip_by_block_rms"), traits=MATRICES)
def scale_by_stable_adam(
    b1: Decay = 0.9,
    b2: Decay = 0.99,
    eps: Hyper = 1e-6,
    weight_decay: Hyper = 0.0,
    threshold: Limit = 1.0,
    mu_dtype: DType | None = None,
    *,
    per_leaf: bool = False,
):
    """Scale by Adam, and divide a layer's update by the root mean square of |g| / sqrt(v').

    r = sqrt(mean(|g|^2 / max(v', eps^2))) of the layer;  m' and v' as of `scale_by_adam`
    u = (m' / (sqrt(v') + eps) + weight_decay * p) / max(1, r / threshold)
    """

    def step(g, s, p, *, leaf):
        g = bounded(g)
        t, mu, nu = s.count, ema(s.mu, g, b1), ema(s.nu, abs2(g), b2)
        v = debias(nu, b2, t)
        ratio = safe_divide(abs2(g), jnp.maximum(v, eps * eps))
        size = safe_sqrt(jnp.mean(ratio, None if per_leaf else leaf.axes.matrix, keepdims=True))
        u = over_root(debias(mu, b1, t), v, eps) + weight_decay * p
        return u * shrink(size, threshold), ScaleByAdamState(t, mu, nu)

    return leafwise(ScaleByAdamState, step, mu=typed(zeros, mu_dtype), nu=squares)


@optimizer(
    paper=PAPER,
    near=("adamw", "adafactor", "laprop"),
    example=lambda: {"learning_rate": 0.1},
    traits=MATRICES,
)
def stable_adamw(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.99,
    eps: Hyper = 1e-6,
    weight_decay: Hyper = 0.01,
    mask: Selection = None,
    threshold: Limit = 1.0,
    mu_dtype: DType | None = None,
    *,
    per_leaf: bool = False,
):
    """StableAdamW: p = p - lr / max(1, r / threshold) * (m' / (sqrt(v') + eps) + weight_decay * p).

    r is the root mean square of |g| / sqrt(v') in a layer, see `scale_by_stable_adam`: a spike of gradients
    shortens the step instead of needing a clipped gradient. The decay is shortened with it, as in the paper.
    """

    def scaled(decay: Hyper):
        return scale_by_stable_adam(b1, b2, eps, decay, threshold, mu_dtype, per_leaf=per_leaf)

    return chain(decaying(scaled, weight_decay, mask), scale_by_learning_rate(learning_rate))
