"""Distributions to estimate gradients with: a normal one with independent coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


class MultiNormalDiagFromLogScale:
    """The normal distribution of mean loc and standard deviation exp(log_scale) in each coordinate."""

    def __init__(self, loc: Any, log_scale: Any):
        self.loc, self.log_scale = jnp.asarray(loc), jnp.asarray(log_scale)
        ends = list(zip(self.log_scale.shape[::-1], self.loc.shape[::-1], strict=False))
        if len(ends) < self.log_scale.ndim or any(n not in (1, m) for n, m in ends):
            raise ValueError(
                f"multi_normal: log_scale has shape {self.log_scale.shape}; expected that of loc, "
                f"{self.loc.shape}, or one that is broadcast to it"
            )

    def __repr__(self) -> str:
        return f"multi_normal(loc={self.loc!r}, log_scale={self.log_scale!r})"

    @property
    def params(self) -> list[Array]:
        """[loc, log_scale]."""
        return [self.loc, self.log_scale]

    def sample(self, shape: Sequence[int], key: Array) -> Array:
        """Samples loc + exp(log_scale) * noise, [*shape, *loc.shape], differentiable in both."""
        noise = jax.random.normal(key, (*shape, *self.loc.shape), self.loc.dtype)
        loc, log_scale = self._like(noise)
        return loc + jnp.exp(log_scale) * noise

    def _like(self, x: Array) -> tuple[Array, Array]:
        """loc and log_scale for each of several points."""
        shape = jnp.broadcast_shapes(x.shape, self.loc.shape)
        return jnp.broadcast_to(self.loc, shape), jnp.broadcast_to(self.log_scale, shape)

    def log_prob(self, x: Any) -> Array:
        """The logarithm of the density at x, [..., *loc.shape] to [...]."""
        x = jnp.asarray(x)
        loc, log_scale = self._like(x)
        z = (x - loc) * jnp.exp(-log_scale)
        terms = -0.5 * jnp.square(z) - log_scale - 0.5 * math.log(2 * math.pi)
        return jnp.sum(terms, axis=tuple(range(-self.loc.ndim, 0)))


def multi_normal(loc: Any, log_scale: Any) -> MultiNormalDiagFromLogScale:
    """A normal distribution with independent coordinates: `sample(shape, key)`, `log_prob(x)`, `params`."""
    return MultiNormalDiagFromLogScale(loc, log_scale)
