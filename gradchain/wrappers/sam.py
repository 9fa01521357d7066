"""SAM: steps by gradients from where the loss is highest nearby."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree, words
from gradchain.core.compose import chain
from gradchain.core.control import when
from gradchain.core.foreign import as_transform
from gradchain.core.kinds import whole
from gradchain.core.link import need_params
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import copy, counter, shared
from gradchain.core.transform import example, wrapper
from gradchain.math.numerics import compute_dtype, increment
from gradchain.wrappers.base import Several, mean_over, wrap

PyTree = Any


class SamSyncState(NamedTuple):
    steps_since_sync: Array  # [] int32, updates since the optimizer's last step
    cache: PyTree  # like params, where that step has led

    eval_field = "cache"


class SamState(NamedTuple):
    steps_since_sync: Array  # [] int32, always 0: each update is a step


@wrapper(
    paper="arXiv:2010.01412",
    traits=frozenset({"sometimes"}),
    example=lambda: {"optimizer": example("adam"), "adv_optimizer": example("sgd")},
    errors=lambda: [
        ErrorInput({"optimizer": None}, TypeError, ("None is not a gradient transformation",)),
        ErrorInput(
            {"batch_axis_name": "data"}, ValueError, ("batch_axis_name is 'data'", "opaque_mode=True")
        ),
        ErrorInput({"sync_period": 0}, ValueError, ("sync_period is 0", "at least 1")),
    ],
)
def sam(
    optimizer: Any,
    adv_optimizer: Any,
    sync_period: Annotated[int, whole(1)] = 2,
    reset_state: bool = True,
    opaque_mode: bool = False,
    batch_axis_name: str | None = None,
):
    """Sharpness-aware minimization: climb by adv_optimizer, step by the gradient that is found there.

    e = -adv(g(p));  p = p + optimizer(g(p + e)), after sync_period - 1 steps of e, each from the one before
    Without opaque_mode each update takes one gradient: sync_period - 1 updates climb, the next one goes back
    to where they began and steps from there. opaque_mode: one update does all of it; the gradients between
    come from the extra argument `grad_fn(params)` or `grad_fn(params, i)`, in shards of a mesh as their mean
    over batch_axis_name. reset_state: the climb starts afresh after each step. The paper's adv_optimizer is
    chain(normalize(), sgd(rho)). The parameters between are those climbed to; `eval_params` reads the others.
    """
    if batch_axis_name is not None and not opaque_mode:
        raise ValueError(
            f"sam: batch_axis_name is {words.show(batch_axis_name)}; expected opaque_mode=True with it: else "
            "all gradients are yours, and you take their mean"
        )
    both = chain(as_transform(optimizer, "sam"), as_transform(adv_optimizer, "sam"))

    def end(inner, out, params):
        return tree.apply_updates(params, out) if inner.ctx.apply else out

    def opaque(inner, g, s, state, params):
        need_params("sam", params)
        two, f, at, here = Several(inner), inner.extra["grad_fn"], params, g
        takes_index = _arguments(f) > 1
        for i in range(sync_period - 1):
            climb, state = two.run(1, here, state, at)
            at = tree.apply_updates(at, jax.tree.map(jnp.negative, climb))
            here = f(at, i) if takes_index else f(at)
            here = mean_over(batch_axis_name, here, "sam")
        if reset_state:
            state = two.fresh(1, state, params)
        out, state = two.run(0, here, state, params)
        return end(inner, out, params), s, state

    def transparent(inner, g, s, state, params):
        need_params("sam", params)
        two = Several(inner)
        last = s.steps_since_sync == sync_period - 1
        cache = tree.where(s.steps_since_sync == 0, tree.cast_like(params, s.cache), s.cache)

        def climb(carry, g, params):
            out, cache, state = carry
            climbed, state = two.run(1, g, state, params)
            return jax.tree.map(lambda u, x: -u.astype(x.dtype), climbed, out), cache, state

        def step(carry, g, params):
            out, cache, state = carry
            moved, state = two.run(0, g, state, tree.cast_like(cache, params))
            if reset_state:
                state = two.fresh(1, state, params)
            out = jax.tree.map(_back, moved, cache, params, out)
            return out, tree.cast_like(tree.apply_updates(params, out), cache), state

        zeros = jax.tree.map(lambda p, x: jnp.zeros_like(p, compute_dtype(p, x)), params, g)
        carry = when(~last, climb, (zeros, cache, state), g, params)
        out, cache, state = when(last, step, carry, g, params)
        count = jnp.where(last, 0, increment(s.steps_since_sync))
        return end(inner, out, params), s._replace(steps_since_sync=count, cache=cache), state

    if opaque_mode:
        fields: Any = {"steps_since_sync": shared(counter)}
        return wrap(SamState, both, opaque, needs=frozenset({"grad_fn"}), fields=fields)
    return wrap(SamSyncState, both, transparent, fields={"steps_since_sync": shared(counter), "cache": copy})


def _back(moved: Array, cache: Array, p: Array, like: Array) -> Array:
    """From where the climb has led to where it began, and the step from there."""
    return moved.astype(like.dtype) + (cache.astype(like.dtype) - p.astype(like.dtype))


def _arguments(f: Any) -> int:
    """How many arguments a function takes by position."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return 2
    return (
        2 if any(p.kind is p.VAR_POSITIONAL for p in parameters) else sum(p.kind in kinds for p in parameters)
    )
