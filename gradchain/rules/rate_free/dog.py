"""Distance over gradients: DoG, layer by layer, and DoWG with weighted gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core import tree, words
from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper, Signed
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.link import treewise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import copy, filled, flag, scalar, shared, stack, typed
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, norm, over_root
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay
from gradchain.rules.rate_free.arrays import closed, each, inner, minus, opened

PyTree = Any
STARTS = ("distance", "learning_rate", "heuristic")


def _errors():
    return [
        ErrorInput({"init_step": ("dist", 1.0)}, ValueError, ("init_step is ('dist', 1.0)", "'distance'")),
        ErrorInput({"init_step": (1e-6,)}, ValueError, ("init_step is (1e-06,)", "a pair")),
    ]


def _times(g, rate):
    return rate * g


class DoGState(NamedTuple):
    is_init_step: Array  # [] bool, whether no step has been taken
    init_params: PyTree  # like params, where training began
    max_dist: Array  # [] the largest distance from there so far
    sum_sq_norm_grads: Array  # [] sum of |g|^2

    metrics = ("max_dist",)


@transform(paper="arXiv:2302.12022", errors=_errors)
def scale_by_dog(init_step: tuple = ("heuristic", 1e-6), eps: Hyper = 1e-8):
    """Scale by the largest distance from the start over the root of the sum of squared gradients (DoG).

    r = max(r, |p - p0|);  G = G + |g|^2;  u = r / sqrt(G + eps) * g
    Norms are of all leaves taken as one vector; `scale_by_distance_over_gradients` takes each for itself.
    p0 are the parameters at init. init_step, a pair, sets the first step: ("distance", r) is r itself,
    ("heuristic", a) is r = a (1 + |p0|), and with ("learning_rate", x) the first update is u = x g.
    """
    if len(init_step) != 2 or init_step[0] not in STARTS:
        raise ValueError(
            f"scale_by_dog: init_step is {words.show(init_step)}; expected a pair (name, number), the name "
            "one of 'distance', 'learning_rate', 'heuristic'"
        )
    kind, size = init_step
    starts = {"distance": size, "heuristic": lambda p: size * (1 + tree.global_norm(p)), "learning_rate": 0}

    def update(updates, old, params):
        g, s, p = opened(updates, old, params, "init_params")
        farthest = jnp.maximum(s.max_dist, tree.global_norm(minus(p, s.init_params)))
        total = s.sum_sq_norm_grads + inner(g, g)
        rate = over_root(farthest, total, 0, eps)
        if kind == "learning_rate":
            rate = jnp.where(s.is_init_step, jnp.asarray(size, rate.dtype), rate)
        new = DoGState(jnp.array(False), s.init_params, farthest, total)
        return closed(updates, each(_times, g, rate=rate), g, new, old)

    return treewise(
        DoGState,
        update,
        params=True,
        is_init_step=shared(filled(flag, True)),
        init_params=copy,
        max_dist=shared(filled(scalar, starts[kind])),
        sum_sq_norm_grads=shared(scalar),
    )


@optimizer(paper="arXiv:2302.12022", errors=_errors)
def dog(
    learning_rate: Hyper = 1.0,
    init_step: tuple = ("heuristic", 1e-6),
    eps: Hyper = 1e-8,
    weight_decay: Hyper | None = None,
    mask: Selection = None,
):
    """Gradient descent with DoG's step length: p = p - lr r / sqrt(G + eps) g, see `scale_by_dog`.

    The decay joins the gradient. The paper's results are those of an average: `average(dog(), ...)`. Call
    `init` with the parameters that training starts from.
    """
    decay = optional_decay(weight_decay, mask)
    return chain(*decay, scale_by_dog(init_step, eps), scale_by_learning_rate(learning_rate))


class DoWGState(NamedTuple):
    init_params: PyTree  # like params, where training began
    weighted_sq_norm_grads: Array  # [] sum of r^2 |g|^2
    estim_sq_dist: Array  # [] r^2, the largest squared distance from there so far

    metrics = ("estim_sq_dist",)


@transform(paper="arXiv:2305.16284")
def scale_by_dowg(init_estim_sq_dist: Hyper | None = None, eps: Hyper = 1e-4):
    """Scale by distance over weighted gradients (DoWG): DoG whose sum weighs late gradients more.

    r^2 = max(r^2, |p - p0|^2);  v = v + r^2 |g|^2;  u = r^2 / (sqrt(v) + eps) * g
    p0 are the parameters at init. r^2 starts at init_estim_sq_dist, or at eps where that is None. Norms are
    of all leaves taken as one vector.
    """

    def update(updates, old, params):
        g, s, p = opened(updates, old, params, "init_params")
        away = minus(p, s.init_params)
        farthest = jnp.maximum(s.estim_sq_dist, inner(away, away))
        total = s.weighted_sq_norm_grads + farthest * inner(g, g)
        rate = over_root(farthest, total, eps)
        return closed(updates, each(_times, g, rate=rate), g, DoWGState(s.init_params, total, farthest), old)

    start = eps if init_estim_sq_dist is None else init_estim_sq_dist
    return treewise(
        DoWGState,
        update,
        params=True,
        init_params=copy,
        weighted_sq_norm_grads=shared(scalar),
        estim_sq_dist=shared(filled(scalar, start)),
    )


@optimizer(paper="arXiv:2305.16284")
def dowg(
    learning_rate: Hyper = 1.0,
    init_estim_sq_dist: Hyper | None = None,
    eps: Hyper = 1e-4,
    weight_decay: Hyper | None = None,
    mask: Selection = None,
):
    """Gradient descent with DoWG's step length: p = p - lr r^2 / (sqrt(v) + eps) g, see `scale_by_dowg`.

    The decay joins the gradient. Call `init` with the parameters that training starts from.
    """
    decay = optional_decay(weight_decay, mask)
    return chain(*decay, scale_by_dowg(init_estim_sq_dist, eps), scale_by_learning_rate(learning_rate))


class ScaleByDistanceOverGradientsState(NamedTuple):
    max_dist: PyTree  # per leaf [], the largest distance from where training began
    grad_sum_of_squares: PyTree  # per leaf [1], sum of |g|^2
    init_params: PyTree  # like params, where training began


@transform(paper="arXiv:2302.12022", traits=frozenset({"matrices"}))
def scale_by_distance_over_gradients(
    reps_rel: Hyper = 1e-6, eps: Hyper = 1e-8, param_dtype: DType | None = None, global_scale: Signed = 1.0
):
    """Layer-wise DoG: the largest distance of a leaf from its start over the root of its squared gradients.

    r = max(r, |p - p0|), at the start reps_rel (1 + |p0|);  G = G + |g|^2
    u = global_scale r / sqrt(G + eps) * g
    param_dtype is that of p0: float32 at least where None (Optax: float32, also of float64 parameters).
    """

    def step(g, s, p):
        farthest = jnp.maximum(s.max_dist, norm(p - s.init_params))
        total = s.grad_sum_of_squares + jnp.sum(abs2(g))[None]
        rate = over_root(farthest, total[0], 0, eps)
        new = ScaleByDistanceOverGradientsState(farthest, total, s.init_params)
        return global_scale * rate * g, new

    return leafwise(
        ScaleByDistanceOverGradientsState,
        step,
        max_dist=filled(scalar, lambda p: reps_rel * (1 + norm(tree.wide(p)))),
        grad_sum_of_squares=lambda p: stack(1, scalar(p)),
        init_params=typed(copy, param_dtype),
    )
