"""Optimistic Adam: Adam's updates with the last change expected to come again."""

from __future__ import annotations

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper, Signed
from gradchain.core.kinds import DType
from gradchain.core.transform import optimizer
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.momentum.optimistic import scale_by_optimistic_gradient
from gradchain.rules.parts.basic import scale, scale_by_learning_rate


@optimizer(paper="arXiv:1711.00141", example=lambda: {"learning_rate": 0.1})
def optimistic_adam(
    learning_rate: Hyper,
    optimism: Hyper | None = None,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    mu_dtype: DType | None = None,
    *,
    nesterov: bool = True,
):
    """Optimistic Adam: p = p - lr * a - optimism * (a - a of the last step), a from `scale_by_adam`.

    optimism=None is the learning rate, as in the paper. `optimistic_adam_v2` keeps the learning rate in one
    link, which `metrics` reads.
    """
    rate = learning_rate if optimism is None else optimism
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov),
        scale_by_optimistic_gradient(learning_rate, rate),
        scale(-1.0),
    )


@optimizer(paper="arXiv:1711.00141", example=lambda: {"learning_rate": 0.1})
def optimistic_adam_v2(
    learning_rate: Hyper,
    *,
    alpha: Signed = 1.0,
    beta: Signed = 1.0,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    mu_dtype: DType | None = None,
    nesterov: bool = True,
):
    """Optimistic Adam: p = p - lr * (alpha a + beta (a - a of the last step)), a from `scale_by_adam`."""
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov),
        scale_by_optimistic_gradient(alpha, beta),
        scale_by_learning_rate(learning_rate),
    )
