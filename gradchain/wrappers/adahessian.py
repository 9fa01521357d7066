"""AdaHessian: Adam with an estimate of the Hessian's diagonal in the place of the gradient's size."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.control import when
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Decay, Fraction, Hyper, Period
from gradchain.core.kinds import DType
from gradchain.core.link import leaves_of, need_params
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import counter, shared, squares, typed, zeros
from gradchain.core.transform import example, optimizer, wrapper
from gradchain.math.numerics import debias, ema, increment, over_root, safe_divide, safe_power
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay
from gradchain.rules.rate_free.arrays import closed, each, opened, unzipped
from gradchain.wrappers.base import wrap
from gradchain.wrappers.sophia import hutchinson_estimator_diag_hessian

PyTree = Any
PAPER: Any = {"family": "curvature", "paper": "arXiv:2006.00719", "near": ("sophia", "adam", "ivon")}


class ScaleByAdahessianState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]
    nu: PyTree  # like params, E[d^2], d an estimate of the Hessian's diagonal


@functools.partial(jax.jit, static_argnums=1)
def _size(d, axes):
    """|d|, averaged over some axes."""
    size = jnp.abs(d)
    return jnp.broadcast_to(jnp.mean(size, axes, keepdims=True), d.shape) if axes and size.size else size


def _squared(v, d, b2):
    return ema(v, jnp.square(d.astype(v.dtype)), b2).astype(v.dtype)


def _scaled(g, mu, nu, t, seen, b1, b2, eps, power):
    m = ema(mu, g, b1)
    mean, square = debias(m, b1, t), debias(nu, b2, seen)
    if isinstance(power, int | float) and power == 1:
        return over_root(mean, square, eps), m
    return safe_divide(mean, safe_power(square, power / 2) + eps), m


@wrapper(
    example=lambda: {"hessian_diagonal_fn": example("hutchinson_estimator_diag_hessian")},
    errors=lambda: [
        ErrorInput({"hessian_diagonal_fn": None}, TypeError, ("None is not a gradient transformation",)),
        ErrorInput({"update_interval": 0}, ValueError, ("update_interval is 0", "at least 1")),
    ],
    traits=frozenset({"sometimes"}),
    **PAPER,
)
def scale_by_adahessian(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-4,
    hessian_power: Fraction = 1.0,
    update_interval: Period = 1,
    hessian_diagonal_fn: Any = hutchinson_estimator_diag_hessian(),  # noqa: B008
    mu_dtype: DType | None = None,
    *,
    spatial_average: bool = True,
):
    """Scale by AdaHessian.

    m = b1 m + (1 - b1) g;  every update_interval steps v = b2 v + (1 - b2) d^2
    u = m' / (v'^(hessian_power / 2) + eps),  m' = m / (1 - b1^t),  v' = v / (1 - b2^k), k estimates so far
    d is the update of hessian_diagonal_fn, any transformation that estimates the Hessian's diagonal; extra
    arguments of update go to it. spatial_average: |d| of a convolution is averaged over its window (over all
    axes of rows but the last, as the leaf's axes say; the authors' code has |d| where the paper has d).
    """

    def step(inner, g, s, state, params):
        need_params("scale_by_adahessian", params)
        count = increment(s.count)
        every = jnp.round(jnp.asarray(update_interval)).astype(count.dtype)
        axes = [x.axes.rows[:-1] if spatial_average else () for x in leaves_of(params, inner.ctx.plan)]

        def estimate(carry, g, params):
            nu, state = carry
            d, state = inner.updates(g, state, params)
            sizes = [_size(x, along) for x, along in zip(jax.tree.leaves(d), axes, strict=True)]
            rows = each(_squared, jax.tree.leaves(nu), sizes, b2=b2)
            return jax.tree.structure(nu).unflatten(rows), state

        nu, state = when((count - 1) % every == 0, estimate, (s.nu, state), g, params)
        grads, new, _ = opened(g, s._replace(count=count, nu=nu), params, "mu", "nu")
        values = {"b1": b1, "b2": b2, "eps": eps, "power": hessian_power}
        rows = each(_scaled, grads, new.mu, new.nu, t=count, seen=(count - 1) // every + 1, **values)
        u, mu = unzipped(rows, 2)
        out, s = closed(g, u, grads, new._replace(mu=mu), s)
        return inner.given(out, params), s, state

    return wrap(
        ScaleByAdahessianState,
        as_transform(hessian_diagonal_fn, "scale_by_adahessian"),
        step,
        fields={"count": shared(counter), "mu": typed(zeros, mu_dtype), "nu": squares},
    )


@optimizer(
    example=lambda: {
        "learning_rate": 0.1,
        "hessian_diagonal_fn": example("hutchinson_estimator_diag_hessian"),
    },
    **PAPER,
)
def adahessian(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-4,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    hessian_power: Fraction = 1.0,
    update_interval: Period = 1,
    hessian_diagonal_fn: Any = hutchinson_estimator_diag_hessian(),  # noqa: B008
    mu_dtype: DType | None = None,
    *,
    spatial_average: bool = True,
):
    """AdaHessian: p = p - lr * (u + weight_decay * p), see `scale_by_adahessian`.

    The default estimate of the Hessian needs an extra argument: tx.update(grads, state, params, obj_fn=f).
    """
    return chain(
        scale_by_adahessian(
            b1,
            b2,
            eps,
            hessian_power,
            update_interval,
            hessian_diagonal_fn,
            mu_dtype,
            spatial_average=spatial_average,
        ),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
