"""cautious and Grams: the sign of the gradient has a say in the updates of any optimizer."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Fraction
from gradchain.core.slots import Leaf
from gradchain.core.transform import example, wrapper
from gradchain.math.numerics import agreement, real_dtype
from gradchain.wrappers.base import Inner, wrap


@functools.partial(jax.jit, static_argnames=("leaf", "sign"))
def _masked(u: Array, g: Array, leaf: Leaf, sign: int, eps) -> Array:
    agree = (agreement(sign * u, g.astype(u.dtype)) > 0).astype(real_dtype(u))
    share = jnp.mean(agree, leaf.axes.matrix, keepdims=True)
    return u * (agree / jnp.maximum(share, jnp.asarray(eps, share.dtype)))


@functools.partial(jax.jit, static_argnames="sign")
def _signed(u: Array, g: Array, sign: int) -> Array:
    return sign * jnp.sign(g).astype(u.dtype) * jnp.abs(u)


def _after(inner: Inner, g, state, params, f):
    """What a function f(u, g, leaf) makes of the updates, leaf by leaf, and the inner state."""
    made, state = inner.updates(g, state, params)
    leaves, treedef = jax.tree.flatten(made)
    rows = zip(map(tree.wide, leaves), jax.tree.leaves(g), inner.leaves(g, params), strict=True)
    return inner.given(treedef.unflatten([f(*row) for row in rows]), params), state


@wrapper(
    paper="arXiv:2411.16085",
    traits=frozenset({"matrices"}),
    example=lambda: {"tx": example("adam")},
    near=("grams", "adam", "lion"),
)
def cautious(tx: Any, eps: Fraction = 1e-3, *, descends: bool = True):
    """Leave out what an optimizer would do against the sign of the gradient, and enlarge the rest.

    mask = 1 where the step goes down the gradient, u * g < 0, else 0;  u = u * mask / max(mean(mask), eps)
    The mean is over a leaf, of a stack over each layer. It is that of the authors' code; the paper has
    (sum(mask) + 1) / size for it. Decoupled decay stays out of the mask where it stands outside:

    chain(cautious(scale_by_adam(), descends=False), add_decayed_weights(0.1), scale_by_learning_rate(1e-3))
    """
    sign = -1 if descends else 1

    def step(inner: Inner, g, s, state, params):
        out, state = _after(
            inner, g, state, params, lambda u, g, leaf: _masked(u, g, leaf, sign=sign, eps=eps)
        )
        return out, s, state

    return wrap(None, as_transform(tx, "cautious"), step, fields={})


@wrapper(
    paper="arXiv:2412.17107", example=lambda: {"tx": example("adam")}, near=("cautious", "sign_sgd", "adam")
)
def grams(tx: Any, *, descends: bool = True):
    """Take the length of each element's step from an optimizer, its direction from the gradient.

    u = -sign(g) * |u|, or sign(g) * |u| where updates do not descend: both moments of an Adam, say, give the
    size alone. Decoupled decay belongs outside, as with `cautious`.
    """
    sign = -1 if descends else 1

    def step(inner: Inner, g, s, state, params):
        out, state = _after(inner, g, state, params, lambda u, g, leaf: _signed(u, g, sign=sign))
        return out, s, state

    return wrap(None, as_transform(tx, "grams"), step, fields={})
