"""ASAM, GSAM, LookSAM: steps by the gradient of a point that was climbed to, which `grad_fn` gives."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.control import when
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Hyper, Period
from gradchain.core.slots import counter, shared, zeros
from gradchain.core.transform import example, wrapper
from gradchain.math.numerics import increment, real_dtype, safe_divide
from gradchain.rules.parts.basic import scaled
from gradchain.wrappers.base import Inner, mean_over, wrap

PyTree = Any
ABOUT: Any = {"example": lambda: {"optimizer": example("adam")}}
GRAD_FN = frozenset({"grad_fn"})


def _gradient_at(inner: Inner, params: PyTree, step: PyTree, axis_name: str | None, who: str) -> PyTree:
    """The gradient at params + step, in float32 at least; in shards of a mesh the mean over an axis."""
    found = inner.extra["grad_fn"](tree.apply_updates(params, step))
    return jax.tree.map(tree.wide, mean_over(axis_name, found, who))


def _to_length(g: PyTree, length) -> PyTree:
    """The gradient brought to a length, as one vector."""
    factor = safe_divide(length, tree.global_norm(g))
    return jax.tree.map(lambda x: scaled(x, factor), g)


@jax.jit
def _plus(x: Array, factor: Array, y: Array) -> Array:
    """x + factor * y."""
    x, y = tree.wide(x), tree.wide(y)
    return x + factor.astype(real_dtype(x)) * y


def _without(x: PyTree, y: PyTree) -> PyTree:
    """What of x is orthogonal to y, both taken as one vector."""
    size = tree.global_norm(y)
    along = safe_divide(safe_divide(tree.vdot(y, x).real, size), size)
    return jax.tree.map(lambda a, b: _plus(a, -along, b), x, y)


@jax.jit
def _stretched(g: Array, p: Array, eta) -> Array:
    """g as |p| + eta stretches space."""
    g = tree.wide(g)
    return g * (jnp.abs(p).astype(real_dtype(g)) + jnp.asarray(eta, real_dtype(g)))


@wrapper(paper="arXiv:2102.11600", near=("sam", "gsam", "looksam"), **ABOUT)
def asam(optimizer: Any, rho: Hyper = 0.5, eta: Hyper = 0.01, *, batch_axis_name: str | None = None):
    """SAM in a neighbourhood that follows the scale of each weight: two gradients and one step an update.

    T = |p| + eta;  e = rho T^2 g / |T g|;  p = p + optimizer(grad_fn(p + e))
    grad_fn(params), an extra argument of update, is the gradient of the same batch at other parameters, in
    shards of a mesh as its mean over batch_axis_name.
    """

    def step(inner: Inner, g, s, state, params):
        stretched = jax.tree.map(lambda x, p: _stretched(x, p, eta), g, params)
        e = jax.tree.map(lambda x, p: _stretched(x, p, eta), _to_length(stretched, rho), params)
        out, state = inner.run(_gradient_at(inner, params, e, batch_axis_name, "asam"), state, params)
        return out, s, state

    return wrap(None, as_transform(optimizer, "asam"), step, needs=GRAD_FN, params=True, fields={})


@wrapper(paper="arXiv:2203.08065", near=("sam", "asam", "looksam"), **ABOUT)
def gsam(optimizer: Any, rho: Hyper = 0.05, alpha: Hyper = 0.4, *, batch_axis_name: str | None = None):
    """SAM that also lowers the surrogate gap: it climbs where that does not raise the perturbed loss.

    s = grad_fn(p + rho g / |g|);  h = g - s <g, s> / |s|^2;  p = p + optimizer(s - alpha h)
    The paper lets rho follow the learning rate: give a schedule. alpha=0 is SAM. `grad_fn` as in `asam`.
    """

    def step(inner: Inner, g, s, state, params):
        climbed = _gradient_at(inner, params, _to_length(g, rho), batch_axis_name, "gsam")
        less = jnp.asarray(-alpha, jnp.result_type(float))
        used = jax.tree.map(lambda x, h: _plus(x, less, h), climbed, _without(g, climbed))
        out, state = inner.run(used, state, params)
        return out, s, state

    return wrap(None, as_transform(optimizer, "gsam"), step, needs=GRAD_FN, params=True, fields={})


class LookSamState(NamedTuple):
    count: Array  # [] int32, steps taken
    direction: PyTree  # like params, what the last climb added across the gradient


@wrapper(paper="arXiv:2203.02714", traits=frozenset({"sometimes"}), near=("sam", "asam", "gsam"), **ABOUT)
def looksam(
    optimizer: Any,
    rho: Hyper = 0.05,
    every: Period = 5,
    alpha: Hyper = 0.7,
    *,
    batch_axis_name: str | None = None,
):
    """SAM that climbs in one step of `every`, and in the others goes the way that it found there.

    due:   s = grad_fn(p + rho g / |g|);  v = s - g <g, s> / |g|^2;  p = p + optimizer(s)
    else:  p = p + optimizer(g + alpha v |g| / |v|)
    The state keeps v, 0 where the climb has not turned the gradient. In a step that is not due `grad_fn` is
    not run. Norms are those of all leaves together; every=1 is SAM. `grad_fn` as in `asam`.
    """

    def step(inner: Inner, g, s, state, params):
        due = s.count % jnp.round(every).astype(s.count.dtype) == 0

        def climb(carry, g, params):
            _, old = carry
            found = _gradient_at(inner, params, _to_length(g, rho), batch_axis_name, "looksam")
            across, size = _without(found, g), tree.global_norm(found)
            turned = tree.global_norm(across) > 8 * jnp.finfo(size.dtype).eps * size
            v = jax.tree.map(lambda x: jnp.where(turned, x, 0), across)
            return tree.cast_like((found, v), (found, old))

        start = (jax.tree.map(tree.wide, g), s.direction)
        used, v = when(due, climb, start, g, params)
        length = safe_divide(alpha * tree.global_norm(g), tree.global_norm(v))
        length = jnp.where(due, 0, length)
        used = jax.tree.map(lambda x, y: _plus(x, length, y), used, v)
        out, state = inner.run(used, state, params)
        return out, s._replace(count=increment(s.count), direction=v), state

    return wrap(
        LookSamState,
        as_transform(optimizer, "looksam"),
        step,
        needs=GRAD_FN,
        params=True,
        fields={"count": shared(counter), "direction": zeros},
    )
