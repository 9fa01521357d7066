"""Functions smoothed by noise, so that what is piecewise constant gets a derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike, DTypeLike

from gradchain.core.tree import wide
from gradchain.core.words import show
from gradchain.math import numerics

__all__ = ["Gumbel", "Normal", "make_perturbed_fun"]


class Normal:
    """The standard normal distribution, as noise."""

    def sample(self, key: Array, sample_shape: Sequence[int] = (), dtype: DTypeLike = float) -> Array:
        """Independent numbers of it."""
        return jax.random.normal(key, tuple(sample_shape), dtype)

    def log_prob(self, inputs: Array) -> Array:
        """The logarithm of its density, up to a constant."""
        return -0.5 * jnp.square(inputs)


class Gumbel:
    """The Gumbel distribution, as noise: the largest of x + noise is i with the probability softmax(x)_i."""

    def sample(self, key: Array, sample_shape: Sequence[int] = (), dtype: DTypeLike = float) -> Array:
        """Independent numbers of it."""
        return jax.random.gumbel(key, tuple(sample_shape), dtype)

    def log_prob(self, inputs: Array) -> Array:
        """The logarithm of its density."""
        return -inputs - jnp.exp(-inputs)


def make_perturbed_fun(
    fun: Callable[[Any], Any],
    num_samples: int = 1000,
    sigma: ArrayLike = 0.1,
    noise: Any = Gumbel(),  # noqa: B008
    use_baseline: bool = True,
) -> Callable[[Array, Any], Any]:
    """fun smoothed: smooth(key, x) is the mean of fun(x + sigma * z) over samples z of the noise.

    Its derivatives, of any order, are unbiased estimates of those of the expectation, from values of `fun`:
    grad = mean of (fun(x + sigma z) - fun(x)) * (-d log_prob(z) / dz) / sigma
    without fun(x) if not `use_baseline`, which makes the estimates vary more.

    x and fun's result are trees of arrays; integer results are averaged as floats. `noise` has methods
    sample(key, shape, dtype) and log_prob(z).

    arXiv:2002.08676; derivatives of all orders: arXiv:1802.05098.
    """
    who = "make_perturbed_fun"
    if isinstance(num_samples, bool) or not isinstance(num_samples, int) or num_samples < 1:
        raise ValueError(f"{who}: num_samples={show(num_samples)}; expected an integer >= 1")
    if isinstance(sigma, int | float) and not sigma > 0:
        raise ValueError(f"{who}: sigma={show(sigma)}; expected a number > 0")

    def shifted(key: Array, x: Any) -> Any:
        leaves, treedef = jax.tree.flatten(x)
        keys = jax.random.split(key, len(leaves))
        return treedef.unflatten(
            [
                lax.stop_gradient(x + jnp.asarray(sigma, x.dtype) * noise.sample(k, x.shape, x.dtype))
                for k, x in zip(keys, leaves, strict=True)
            ]
        )

    def perturbed(key: Array, x: Any) -> Any:
        given = jax.tree.map(jnp.asarray, x)
        for leaf in jax.tree.leaves(given):
            if not jnp.issubdtype(leaf.dtype, jnp.floating):
                raise TypeError(f"{who}: an input is {leaf.dtype}{list(leaf.shape)}; expected real floats")
        x = jax.tree.map(wide, given)

        def call(y: Any) -> Any:
            y = jax.tree.map(lambda z, like: z.astype(like.dtype), y, given)
            return jax.tree.map(lambda z: jnp.asarray(z).astype(_averaged(jnp.asarray(z))), fun(y))

        baseline = call(lax.stop_gradient(x)) if use_baseline else None

        def sample(key: Array) -> Any:
            y = shifted(key, x)
            z = jax.tree.map(lambda y, x: (y - x) / jnp.asarray(sigma, x.dtype), y, x)
            logs = [jnp.sum(noise.log_prob(leaf)) for leaf in jax.tree.leaves(z)]
            dtype = numerics.wide_dtype(*(log.dtype for log in logs))
            log = sum((log.astype(dtype) for log in logs), jnp.zeros((), dtype))
            one = jnp.exp(log - lax.stop_gradient(log))  # 1, with the derivatives of the density
            value = call(y)
            if not use_baseline:
                return jax.tree.map(lambda v: one.astype(_weight(v)) * v, value)
            return jax.tree.map(lambda v, b: b + one.astype(_weight(v)) * (v - b), value, baseline)

        values = jax.vmap(sample)(jax.random.split(key, num_samples))
        return jax.tree.map(lambda v: jnp.mean(v, axis=0), values)

    return perturbed


def _averaged(x: Array):
    """The dtype in which a value of fun is averaged."""
    return x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else numerics.wide_dtype(x.dtype)


def _weight(x: Array):
    return numerics.real_dtype(x)
