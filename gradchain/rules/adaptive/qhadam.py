"""QHAdam: between Adam and the newest gradient, in both moments."""

from __future__ import annotations

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import squares, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, bounded, debias, ema, over_root
from gradchain.rules.adaptive.adam import ScaleByAdamState
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PAPER = "arXiv:1810.06801"


@transform(paper=PAPER, near=("scale_by_adam", "scale_by_simplified_ademamix"))
def scale_by_qhadam(
    b1: Decay = 0.995,
    b2: Decay = 0.999,
    nu1: Fraction = 0.7,
    nu2: Fraction = 1.0,
    eps: Hyper = 1e-8,
    mu_dtype: DType | None = None,
):
    """Scale by quasi-hyperbolic Adam.

    u = (nu1 m' + (1 - nu1) g) / (sqrt(nu2 v' + (1 - nu2) |g|^2) + eps), m' and v' as of `scale_by_adam`
    nu1 = nu2 = 1 is Adam, nu1 = 0 RMSprop with bias correction; nu1 = b1, nu2 = 1 is nearly NAdam.
    The defaults are the paper's rule of thumb.
    """

    def step(g, s):
        g = bounded(g)
        t, square = s.count, abs2(g)
        mu, nu = ema(s.mu, g, b1), ema(s.nu, square, b2)
        m, v = ema(debias(mu, b1, t), g, nu1), ema(debias(nu, b2, t), square, nu2)
        return over_root(m, v, eps), ScaleByAdamState(t, mu, nu)

    return leafwise(ScaleByAdamState, step, mu=typed(zeros, mu_dtype), nu=squares)


@optimizer(paper=PAPER, near=("adam", "nadam", "simplified_ademamix"), example=lambda: {"learning_rate": 0.1})
def qhadam(
    learning_rate: Hyper,
    b1: Decay = 0.995,
    b2: Decay = 0.999,
    nu1: Fraction = 0.7,
    nu2: Fraction = 1.0,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    mu_dtype: DType | None = None,
):
    """QHAdam: p = p - lr * (u + weight_decay * p), see `scale_by_qhadam`."""
    return chain(
        scale_by_qhadam(b1, b2, nu1, nu2, eps, mu_dtype),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
