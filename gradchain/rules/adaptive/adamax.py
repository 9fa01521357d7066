"""AdaMax: Adam with the largest gradient so far, which fades, in place of the root of a mean of squares."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import squares, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, safe_divide, safe_sqrt
from gradchain.rules.adaptive.adam import ScaleByAdamState
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import add_decayed_weights


def _size(g: Array) -> Array:
    """|g|, differentiable at 0 for complex numbers too."""
    return safe_sqrt(abs2(g)) if jnp.iscomplexobj(g) else jnp.abs(g)


@transform(paper="arXiv:1412.6980")
def scale_by_adamax(b1: Decay = 0.9, b2: Decay = 0.999, eps: Hyper = 1e-8):
    """Scale by AdaMax; `nu` of the state is a maximum, not a square.

    m = b1 m + (1 - b1) g;  v = max(b2 v, |g| + eps);  u = m / (1 - b1^t) / v
    The paper has no eps; it stands where torch and Optax have it.
    """

    def step(g, s):
        t, mu, nu = s.count, ema(s.mu, g, b1), jnp.maximum(b2 * s.nu, _size(g) + eps)
        return safe_divide(debias(mu, b1, t), nu), ScaleByAdamState(t, mu, nu)

    return leafwise(ScaleByAdamState, step, mu=zeros, nu=squares)


@optimizer(paper="arXiv:1412.6980", example=lambda: {"learning_rate": 0.1})
def adamax(learning_rate: Hyper, b1: Decay = 0.9, b2: Decay = 0.999, eps: Hyper = 1e-8):
    """AdaMax: p = p - lr * m' / v, see `scale_by_adamax`."""
    return chain(scale_by_adamax(b1, b2, eps), scale_by_learning_rate(learning_rate))


@optimizer(paper="arXiv:1412.6980; arXiv:1711.05101", example=lambda: {"learning_rate": 0.1})
def adamaxw(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 1e-4,
    mask: Selection = None,
):
    """AdaMax with decoupled weight decay: p = p - lr * (m' / v + weight_decay * p)."""
    return chain(
        scale_by_adamax(b1, b2, eps),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
