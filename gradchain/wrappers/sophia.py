"""Sophia: momentum over a running mean of the Hessian's diagonal, clipped in every element."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import place, tree
from gradchain.core.compose import chain
from gradchain.core.control import when
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Decay, Hyper, Period
from gradchain.core.kinds import DType
from gradchain.core.link import treewise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Slot, counter, shared, typed, zeros
from gradchain.core.transform import example, optimizer, transform, wrapper
from gradchain.math import numerics, rounding
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import add_decayed_weights
from gradchain.wrappers.base import wrap

PyTree = Any
THREEFRY = "threefry2x32"


class HutchinsonState(NamedTuple):
    key: Array  # [2] uint32, of the next signs


def _errors():
    yield ErrorInput({"random_seed": 0.5}, TypeError, ("random_seed is 0.5", "a whole number"))
    yield ErrorInput({"random_seed": -1}, ValueError, ("random_seed is -1",))


@transform(family="curvature", traits=frozenset({"random", "real"}), paper="arXiv:2305.14342", errors=_errors)
def hutchinson_estimator_diag_hessian(random_seed: int | None = None):
    """Give an estimate of the Hessian's diagonal in the place of the gradient: u = z * (H z), z = +1 or -1.

    H z is the derivative along z of the gradient of `obj_fn`, an extra argument of update: a function of the
    parameters alone. The signs come from (random_seed, update, path, element); None: 0.
    """
    seed = 0 if random_seed is None else random_seed
    if not 0 <= seed < 2**32:
        raise ValueError(
            f"hutchinson_estimator_diag_hessian: random_seed is {seed}; expected 0 to {2**32 - 1}"
        )

    def update(updates, s, params, *, obj_fn, leaves):
        key, now = jax.random.split(jax.random.wrap_key_data(s.key, impl=THREEFRY))
        at = [jax.random.fold_in(now, rounding.word(leaf.path)) for leaf in leaves]
        flat, treedef = jax.tree.flatten(params)
        signs = [jax.random.rademacher(k, p.shape, p.dtype) for k, p in zip(at, flat, strict=True)]
        turned = jax.jvp(jax.grad(obj_fn), (params,), (treedef.unflatten(signs),))[1]
        out = [tree.wide(h) * tree.wide(z) for h, z in zip(jax.tree.leaves(turned), signs, strict=True)]
        return jax.tree.structure(updates).unflatten(out), HutchinsonState(jax.random.key_data(key))

    def key(p):
        with place.off_mesh():
            start = jax.random.key_data(jax.random.key(seed, impl=THREEFRY))
        return Slot((2,), jnp.uint32, (None,), fill=start, leaf=p, exact=True)

    return treewise(HutchinsonState, update, params=True, key=shared(key))


class ScaleBySophiaState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]
    nu: PyTree  # like params, E[h], h an estimate of the Hessian's diagonal


PAPER: Any = {"family": "curvature", "paper": "arXiv:2305.14342", "renamed": {"weight_decay_mask": "mask"}}


@wrapper(
    paper="arXiv:2305.14342",
    traits=frozenset({"sometimes"}),
    example=lambda: {
        "update_interval": 2,
        "hessian_diagonal_fn": example("hutchinson_estimator_diag_hessian"),
    },
    errors=lambda: [
        ErrorInput({"hessian_diagonal_fn": None}, TypeError, ("None is not a gradient transformation",)),
        ErrorInput({"update_interval": 0}, ValueError, ("update_interval is 0", "at least 1")),
    ],
)
def scale_by_sophia(
    b1: Decay = 0.965,
    b2: Decay = 0.99,
    eps: Hyper = 1e-8,
    gamma: Hyper = 0.01,
    clip_threshold: Hyper | None = 1.0,
    update_interval: Period = 10,
    hessian_diagonal_fn: Any = hutchinson_estimator_diag_hessian(),  # noqa: B008
    mu_dtype: DType | None = None,
    verbose: bool = False,
    print_win_rate_every_n_steps: int = 0,
    *,
    bias_correction: bool = False,
    delayed: bool = False,
):
    """Scale by Sophia.

    m = b1 m + (1 - b1) g;  every update_interval steps h = b2 h + (1 - b2) hessian_diagonal_fn's update
    u = clip(m / max(gamma h, eps), clip_threshold)
    hessian_diagonal_fn is any transformation whose updates estimate the Hessian's diagonal; extra arguments
    of update go to it. Optax corrects the bias of m (bias_correction=True) and divides by the h of the step
    before (delayed=True). verbose prints the share of elements that are not clipped, the win rate, every
    print_win_rate_every_n_steps steps: the paper keeps it between 0.1 and 0.5.
    """

    hypers = {"b1": b1, "eps": eps, "gamma": gamma, "bias_correction": bias_correction}
    scaling, averaging = _sorted(hypers), _sorted({"b2": b2})

    def step(inner, g, s, state, params):
        count = numerics.increment(s.count)
        every = jnp.round(jnp.asarray(update_interval)).astype(count.dtype)
        plain = dataclasses.replace(inner, ctx=dataclasses.replace(inner.ctx, apply=False))

        def estimate(carry, g, params):
            nu, state = carry
            h, state = plain.run(g, state, params)
            return jax.tree.map(lambda v, x: _mean(*averaging, v, x), nu, h), state

        nu, state = when((count - 1) % every == 0, estimate, (s.nu, state), g, params)
        over = s.nu if delayed else nu
        made = [
            _scaled(*scaling, *row, count) for row in zip(*map(jax.tree.leaves, (g, s.mu, over)), strict=True)
        ]
        out = [u for u, _ in made]
        if clip_threshold is not None:
            if verbose and print_win_rate_every_n_steps > 0:
                _tell(out, clip_threshold, count % print_win_rate_every_n_steps == 0)
            limit = _sorted({"limit": clip_threshold})
            out = [_clipped(*limit, u) for u in out]
        updates = jax.tree.structure(g).unflatten(out)
        mu = jax.tree.structure(s.mu).unflatten([m for _, m in made])
        if inner.ctx.apply:
            updates = tree.apply_updates(params, updates)
        return updates, s._replace(count=count, mu=mu, nu=nu), state

    return wrap(
        ScaleBySophiaState,
        as_transform(hessian_diagonal_fn, "scale_by_sophia"),
        step,
        fields={"count": shared(counter), "mu": typed(zeros, mu_dtype), "nu": zeros},
    )


def _sorted(hypers: dict[str, Any]) -> tuple[tuple[tuple[str, Any], ...], dict[str, Any]]:
    """Hyperparameters that are constants of a program, and those that are its operands."""
    operands = {k: v for k, v in hypers.items() if isinstance(v, jax.Array)}
    return tuple((k, v) for k, v in hypers.items() if k not in operands), operands


@functools.partial(jax.jit, static_argnums=0)
def _mean(constants, operands, v, x):
    h = {**dict(constants), **operands}
    return numerics.ema(v, x.astype(v.dtype), _of(h["b2"], v)).astype(v.dtype)


@functools.partial(jax.jit, static_argnums=0)
def _scaled(constants, operands, g, mu, nu, count):
    """The update before it is clipped, and the new mean."""
    h = {**dict(constants), **operands}
    g = tree.wide(g)
    m = numerics.ema(mu.astype(g.dtype), g, _of(h["b1"], g))
    mean = numerics.debias(m, h["b1"], count) if h["bias_correction"] else m
    below = jnp.maximum(_of(h["gamma"], nu) * nu.real, _of(h["eps"], nu))
    return numerics.safe_divide(mean, below.astype(g.dtype)), m.astype(mu.dtype)


@functools.partial(jax.jit, static_argnums=0)
def _clipped(constants, operands, u):
    limit = _of({**dict(constants), **operands}["limit"], u)
    return jnp.clip(u, -limit, limit)


def _of(hyper: Any, x: Array) -> Any:
    """A hyperparameter in the dtype of an array, a number as it is."""
    return hyper.astype(numerics.real_dtype(x)) if isinstance(hyper, jax.Array) else hyper


def _tell(updates: PyTree, threshold: Any, due: Array) -> None:
    parts = jax.tree.leaves(updates)
    wins = sum(jnp.sum(jnp.abs(u) < threshold) for u in parts) / max(1, sum(u.size for u in parts))
    jax.lax.cond(due, lambda: jax.debug.print("scale_by_sophia: win rate {rate}", rate=wins), lambda: None)


@optimizer(
    **PAPER,
    example=lambda: {
        "learning_rate": 0.1,
        "update_interval": 2,
        "hessian_diagonal_fn": example("hutchinson_estimator_diag_hessian"),
    },
)
def sophia(
    learning_rate: Hyper,
    b1: Decay = 0.965,
    b2: Decay = 0.99,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 1e-4,
    mask: Selection = None,
    gamma: Hyper = 0.01,
    clip_threshold: Hyper | None = 1.0,
    update_interval: Period = 10,
    hessian_diagonal_fn: Any = hutchinson_estimator_diag_hessian(),  # noqa: B008
    mu_dtype: DType | None = None,
    verbose: bool = False,
    print_win_rate_every_n_steps: int = 0,
    *,
    bias_correction: bool = False,
    delayed: bool = False,
):
    """Sophia: p = p - lr * (u + weight_decay * p), see `scale_by_sophia`.

    The default estimate of the Hessian needs an extra argument: tx.update(grads, state, params, obj_fn=f).
    """
    return chain(
        scale_by_sophia(
            b1,
            b2,
            eps,
            gamma,
            clip_threshold,
            update_interval,
            hessian_diagonal_fn,
            mu_dtype,
            verbose,
            print_win_rate_every_n_steps,
            bias_correction=bias_correction,
            delayed=delayed,
        ),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
