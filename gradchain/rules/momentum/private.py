"""dpsgd: gradient descent with differential privacy."""

from __future__ import annotations

from gradchain.core.compose import chain
from gradchain.core.hyper import Fraction, Hyper
from gradchain.core.transform import optimizer
from gradchain.rules.momentum.sgd import trace
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.privacy import CLIP, PER_EXAMPLE, differentially_private_aggregate


@optimizer(**PER_EXAMPLE, example=lambda: {"learning_rate": 0.1, **CLIP, "seed": 0})
def dpsgd(
    learning_rate: Hyper,
    l2_norm_clip: Hyper,
    noise_multiplier: Hyper,
    seed: int,
    momentum: Fraction | None = None,
    nesterov: bool = False,
):
    """Private gradient descent: p = p - lr * u, or with momentum, u from `differentially_private_aggregate`.

    Gradients come as leaves [examples, *shape], for example by jax.vmap(jax.grad(loss), (None, 0)).
    """
    private = differentially_private_aggregate(l2_norm_clip, noise_multiplier, seed=seed)
    heavy = () if momentum is None else (trace(momentum, nesterov),)
    return chain(private, *heavy, scale_by_learning_rate(learning_rate))
