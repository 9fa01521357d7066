"""AdaBound: Adam between bounds that close around one step length, that of gradient descent."""

from __future__ import annotations

import jax.numpy as jnp

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import squares, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, over_root, real
from gradchain.rules.adaptive.adam import ScaleByAdamState, ScaleByAmsgradState
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PAPER = "arXiv:1902.09843"


@transform(paper=PAPER, near=("scale_by_adam", "scale_by_amsgrad", "scale_by_adamod"))
def scale_by_adabound(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    final_ratio: Hyper = 100.0,
    gamma: Hyper = 1e-3,
    mu_dtype: DType | None = None,
    *,
    amsbound: bool = False,
):
    """Scale by AdaBound: the rate of each element is clipped to a range that closes with time.

    r = 1 / ((1 - b1^t) (sqrt(v / (1 - b2^t)) + eps)), m and v as of `scale_by_adam`
    u = clip(r, final_ratio (1 - 1 / (gamma t + 1)), final_ratio (1 + 1 / (gamma t))) * m
    amsbound: the largest v so far for v. gamma=0 is Adam. The bias correction is the authors' code's, which
    adds eps before that of v; the paper has neither.
    """

    def step(g, s):
        t, mu, nu = s.count, ema(s.mu, g, b1), ema(s.nu, abs2(g), b2)
        v = jnp.maximum(s.nu_max, nu) if amsbound else nu
        time = gamma * real(t)
        low, high = final_ratio * (time / (time + 1)), final_ratio * ((time + 1) / time)
        rate = jnp.clip(debias(over_root(1, debias(v, b2, t), eps), b1, t), low, high)
        new = s._replace(mu=mu, nu=nu)
        return rate * mu, new._replace(nu_max=v) if amsbound else new

    fields = {"mu": typed(zeros, mu_dtype), "nu": squares}
    if amsbound:
        return leafwise(ScaleByAmsgradState, step, **fields, nu_max=squares)
    return leafwise(ScaleByAdamState, step, **fields)


@optimizer(paper=PAPER, near=("adam", "amsgrad", "adamod", "sgd"), example=lambda: {"learning_rate": 0.1})
def adabound(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    final_ratio: Hyper = 100.0,
    gamma: Hyper = 1e-3,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    mu_dtype: DType | None = None,
    *,
    amsbound: bool = False,
):
    """AdaBound: p = p - lr * (u + weight_decay * p), see `scale_by_adabound`.

    It ends as gradient descent with momentum and the rate final_ratio * lr: final_lr of the paper is 0.1 for
    lr 0.001. The authors add the decay to the gradient, `add_decayed_weights` before `scale_by_adabound`.
    """
    return chain(
        scale_by_adabound(b1, b2, eps, final_ratio, gamma, mu_dtype, amsbound=amsbound),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
