"""Gradient noise: add_noise, noisy_sgd."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper
from gradchain.core.kinds import Key
from gradchain.core.leafwise import leafwise
from gradchain.core.recipe import ErrorInput
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import normal, real, safe_sqrt
from gradchain.rules.parts.basic import scale_by_learning_rate


class AddNoiseState(NamedTuple):
    count: Array  # [] int32, steps taken


RANDOM = {"traits": frozenset({"random"}), "paper": "arXiv:1511.06807"}
BOTH = {"key": 1, "seed": 1}


def seed_of(who: str, key: int | None, seed: int | None) -> int:
    """The seed that was given in either way, 0 where in none."""
    if key is not None and seed is not None:
        raise TypeError(f"{who}: key is {key} and seed is {seed}; they are one argument: give one of them")
    return next((x for x in (key, seed) if x is not None), 0)


@transform(
    **RANDOM,
    example=lambda: {"eta": 0.01, "gamma": 0.55},
    errors=lambda: [ErrorInput(BOTH, TypeError, ("key is 1 and seed is 1", "give one of them"))],
)
def add_noise(eta: Hyper, gamma: Hyper, key: Key | None = None, *, seed: int | None = None):
    """Add normal noise that fades: u = g + sqrt(eta / (1 + t)^gamma) * normal, t = 0 at the first update.

    The noise is a function of (seed, step, path, element) alone: the same eager, jitted, scanned and sharded.
    The seed is `seed` or `key`, which may be a JAX key; by default 0.
    """
    start = seed_of("add_noise", key, seed)

    def step(g, s, *, salt):
        variance = eta * jnp.float_power(real(s.count), -gamma)  # count = 1 + t
        return g + safe_sqrt(variance) * normal(start, s.count, salt, g), s

    return leafwise(AddNoiseState, step)


@optimizer(**RANDOM, example=lambda: {"learning_rate": 0.1})
def noisy_sgd(
    learning_rate: Hyper,
    eta: Hyper = 0.01,
    gamma: Hyper = 0.55,
    key: Key | None = None,
    *,
    seed: int | None = None,
):
    """Gradient descent on noisy gradients: see `add_noise`."""
    return chain(add_noise(eta, gamma, key, seed=seed), scale_by_learning_rate(learning_rate))
