"""trac: the scale of what an optimizer has moved, from where it began, learned while it runs."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradchain.core import words
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Hyper
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import copy, counter, scalar, shared, stack, sums
from gradchain.core.transform import example, wrapper
from gradchain.math.numerics import increment, safe_divide, safe_sqrt
from gradchain.rules.rate_free.arrays import closed, each, inner, opened, unzipped
from gradchain.wrappers.base import wrap
from gradchain.wrappers.mechanic import MANY, MOST, moved

PyTree = Any


class TracState(NamedTuple):
    count: Array  # [] int32, steps taken
    v: Array  # [num_betas] sum of h^2, fading
    sigma: Array  # [num_betas] sum of -h, fading
    s: Array  # [] what multiplies delta
    x0: PyTree  # like params, where training began
    delta: PyTree  # like params, the sum of the base's updates

    metrics = (("trac_scale", "s"),)


ERFI = 0.9534382692512609  # erfi(1 / sqrt(2))
LIMIT = 80.0  # of x^2: exp of it is 6e34, and float32 ends at 3e38


@functools.cache
def _points() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of an integral from -1 to 1."""
    return np.polynomial.legendre.leggauss(64)


def erfi(x: Array) -> Array:
    """2 / sqrt(pi) * integral of exp(t^2) from 0 to x, by 64 points, of x [n]; |x| counts as 8.9 at most."""
    x = jnp.clip(x, -(LIMIT**0.5), LIMIT**0.5)
    nodes, weights = _points()
    t, w = (jnp.asarray(a, x.dtype)[None] for a in (0.5 * (nodes + 1), weights / np.sqrt(np.pi)))
    return x * jnp.sum(w * jnp.exp(jnp.square(x[:, None] * t)), 1)


@wrapper(
    paper="arXiv:2405.16642",
    example=lambda: {"base_optimizer": example("adam"), "s_init": 0.01},
    errors=lambda: [ErrorInput({"num_betas": 0}, ValueError, ("trac: num_betas is 0", MANY))],
    near=("mechanize", "dog", "prodigy"),
)
def trac(base_optimizer: Any, s_init: Hyper = 1e-8, eps: Hyper = 1e-8, num_betas: int = 6):
    """Scale the sum of an optimizer's updates by a number that is learned, from where training began.

    h = <D, g>;  v = b^2 v + h^2;  sigma = b sigma - h;  then D = D + u(g)
    s = s_init / erfi(1 / sqrt(2)) * sum of erfi(sigma / (sqrt(2 v) + eps));  p = p0 + max(s, 0) D
    b = 0.9, 0.99, ..., num_betas of them; all start at 0, so that the first step is none. s grows from about
    s_init, so that next to nothing moves in the first 20 steps or more; a larger s_init begins earlier. The
    base has the learning rate that it has alone. The bound of s at 0 is the authors' code's, which computes D
    as (p - p0) / (s + eps): that rounds to nothing while s is small.
    """
    if not 1 <= num_betas <= MOST:
        raise ValueError(f"trac: num_betas is {words.show(num_betas)}; expected {MANY}")
    betas = [1 - 0.1**i for i in range(1, num_betas + 1)]

    def step(base, updates, old, state, params):
        made, state = base.updates(updates, state, params)
        g, s, p = opened(updates, old, params, "x0", "delta")
        b, h = jnp.array(betas, s.v.dtype), inner(s.delta, g)
        v, sigma = b * b * s.v + h * h, b * s.sigma - h
        parts = erfi(safe_divide(sigma, safe_sqrt(2 * v) + eps))
        scale = jnp.maximum(s_init / ERFI * jnp.sum(parts), 0)
        rows = each(moved, s.delta, jax.tree.leaves(made), s.x0, p, scale=scale)
        delta, u = unzipped(rows, 2)
        s = s._replace(count=increment(s.count), v=v, sigma=sigma, s=scale, delta=delta)
        u, s = closed(updates, u, g, s, old)
        return base.given(u, params), s, state

    row = shared(lambda p: stack(num_betas, scalar(p)))
    return wrap(
        TracState,
        as_transform(base_optimizer, "trac"),
        step,
        params=True,
        fields={
            "count": shared(counter),
            "v": row,
            "sigma": row,
            "s": shared(scalar),
            "x0": copy,
            "delta": sums,
        },
    )
