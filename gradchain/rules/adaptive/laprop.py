"""LaProp: a gradient over its root mean square, then momentum."""

from __future__ import annotations

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import squares, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, over_root
from gradchain.rules.adaptive.adam import ScaleByAdamState
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PAPER = "arXiv:2002.04839"


@transform(paper=PAPER, near=("scale_by_adam", "scale_by_adopt", "scale_by_rms"))
def scale_by_laprop(b1: Decay = 0.9, b2: Decay = 0.999, eps: Hyper = 1e-15, mu_dtype: DType | None = None):
    """Scale by LaProp: Adam whose momentum is of gradients already divided.

    v = b2 v + (1 - b2) |g|^2;  m = b1 m + (1 - b1) g / (sqrt(v / (1 - b2^t)) + eps);  u = m / (1 - b1^t)
    No gradient is divided by a root that is younger than itself, so that any b1 and b2 go together.
    """

    def step(g, s):
        t, nu = s.count, ema(s.nu, abs2(g), b2)
        mu = ema(s.mu, over_root(g, debias(nu, b2, t), eps), b1)
        return debias(mu, b1, t), ScaleByAdamState(t, mu, nu)

    return leafwise(ScaleByAdamState, step, mu=typed(zeros, mu_dtype), nu=squares)


@optimizer(paper=PAPER, near=("adamw", "adopt", "rmsprop"), example=lambda: {"learning_rate": 0.1})
def laprop(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-15,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    mu_dtype: DType | None = None,
):
    """LaProp: p = p - lr * (m' + weight_decay * p), see `scale_by_laprop`.

    The authors' code multiplies by the learning rate before it averages: the same where that is constant.
    """
    return chain(
        scale_by_laprop(b1, b2, eps, mu_dtype),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
