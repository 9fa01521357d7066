"""SM3: of the sums of squares only their maxima along each axis are kept."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import Leaf, absent, drop, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, ema, over_root
from gradchain.rules.parts.basic import scale_by_learning_rate

PyTree = Any
FIELDS = ("mu0", "mu1", "mu2", "mu3", "mu4")
PAPER = {"paper": "arXiv:1901.11150", "traits": frozenset({"matrices"})}


class SM3State(NamedTuple):
    mu0: PyTree  # [*batch, n], the bound of the sums of squares along a layer's first axis
    mu1: PyTree  # along its second; a scalar where it has none
    mu2: PyTree
    mu3: PyTree
    mu4: PyTree
    nu: PyTree  # like params, mean of the scaled gradients


def _others(leaf: Leaf, i: int) -> tuple[int, ...]:
    """The axes of a layer besides its i-th."""
    axes = leaf.axes.matrix
    return axes[:i] + axes[i + 1 :]


def _kept(leaf: Leaf) -> int:
    """How many axes of a layer have a vector; the slices of these cover it, and of a scalar it is itself."""
    return min(max(len(leaf.axes.matrix), 1), len(FIELDS))


def _vector(i: int):
    return lambda p: drop(p, _others(p, i)) if i < _kept(p) else absent(p)


@transform(**PAPER)
def scale_by_sm3(b1: Decay = 0.9, b2: Fraction = 1.0, eps: Hyper = 1e-8):
    """Scale by SM3-II: sums of squares that are bounded by one vector for each axis of a layer.

    v = w |g|^2 + b2 min over the axes of mu_i, w = 1 where b2 is 1, else 1 - b2
    mu_i = max of v over the other axes;  n = b1 n + (1 - b1) g / sqrt(v + eps);  u = n
    A layer is what the leaf's axes say, each of a stack by itself (Optax has a vector for a stack's axis
    too: `with_axes`); of more than five axes the first five count.
    """

    def step(g, s, *, leaf):
        n = _kept(leaf)
        mu = [jnp.expand_dims(x, _others(leaf, i)) for i, x in enumerate(s[:n])]
        v = jnp.where(b2 == 1, 1, 1 - b2) * abs2(g) + b2 * functools.reduce(jnp.minimum, mu)
        nu = ema(s.nu, over_root(g, v, 0.0, eps), b1)
        new: dict[str, Array] = {FIELDS[i]: jnp.max(v, _others(leaf, i), initial=0) for i in range(n)}
        return nu, s._replace(nu=nu, **new)

    vectors: dict[str, Any] = {field: _vector(i) for i, field in enumerate(FIELDS)}
    return leafwise(SM3State, step, nu=zeros, **vectors)


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.1})
def sm3(learning_rate: Hyper, momentum: Decay = 0.9):
    """SM3 with momentum: p = p - lr * u, see `scale_by_sm3`."""
    return chain(scale_by_sm3(momentum), scale_by_learning_rate(learning_rate))
