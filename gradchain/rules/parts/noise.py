"""Gradient noise: add_noise, noisy_sgd."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import normal, real, safe_sqrt
from gradchain.rules.parts.basic import scale_by_learning_rate


class AddNoiseState(NamedTuple):
    count: Array  # [] int32, steps taken


RANDOM = {"traits": frozenset({"random"}), "renamed": {"key": "seed"}, "paper": "arXiv:1511.06807"}


@transform(**RANDOM, example=lambda: {"eta": 0.01, "gamma": 0.55})
def add_noise(eta: Hyper, gamma: Hyper, seed: int = 0):
    """Add normal noise that fades: u = g + sqrt(eta / (1 + t)^gamma) * normal, t = 0 at the first update.

    The noise is a function of (seed, step, path, element) alone: the same eager, jitted, scanned and sharded.
    """
    if not isinstance(seed, int):
        raise TypeError(f"add_noise: seed is {seed!r}; expected a whole number (a JAX key is not a value)")

    def step(g, s, *, salt):
        variance = eta * jnp.float_power(real(s.count), -gamma)  # count = 1 + t
        return g + safe_sqrt(variance) * normal(seed, s.count, salt, g), s

    return leafwise(AddNoiseState, step)


@optimizer(**RANDOM, example=lambda: {"learning_rate": 0.1})
def noisy_sgd(learning_rate: Hyper, eta: Hyper = 0.01, gamma: Hyper = 0.55, seed: int = 0):
    """Gradient descent on noisy gradients: see `add_noise`."""
    return chain(add_noise(eta, gamma, seed), scale_by_learning_rate(learning_rate))
