"""mechanize: the learning rate of any optimizer, learned while it runs."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree, words
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Hyper
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import copy, counter, filled, scalar, shared, stack, sums
from gradchain.core.transform import example, wrapper
from gradchain.math.numerics import increment, over_root, safe_divide
from gradchain.rules.rate_free.arrays import closed, each, inner, opened, unzipped
from gradchain.wrappers.base import wrap

PyTree = Any


class FlatMechanicState(NamedTuple):
    count: Array  # [] int32, steps taken
    r: Array  # [num_betas] reward
    m: Array  # [num_betas] the largest |h|, fading
    v: Array  # [num_betas] sum of h^2, fading
    s: Array  # [num_betas] scales: their sum multiplies the base's updates
    x0: PyTree  # like params, where training began


class FlatMechanicDeltaState(NamedTuple):
    count: Array  # [] int32, steps taken
    r: Array  # [num_betas] reward, never negative
    m: Array  # [num_betas] the largest |h|, fading
    v: Array  # [num_betas] sum of h^2, fading
    s: Array  # [num_betas] scales: their sum multiplies delta
    x0: PyTree  # like params, where training began
    delta: PyTree  # like params, the sum of the base's updates


def _recomputed(p, x0, scale, eps):
    return (p - x0) / (scale + eps)


def moved(delta, u, x0, p, scale):
    """The sum of the updates with one more, and the way from p to x0 + scale * it."""
    delta = delta + u.astype(delta.dtype)
    return delta, x0 + scale * delta - p


MOST = 15  # betas: the last of more would be 1 in float64
MANY = f"a whole number from 1 to {MOST}"


@wrapper(
    paper="arXiv:2306.00144",
    example=lambda: {"base_optimizer": example("sgd"), "s_init": 0.01},
    errors=lambda: [
        ErrorInput({"num_betas": 0}, ValueError, ("num_betas is 0", MANY)),
        ErrorInput({"variant": "printed"}, ValueError, ("variant is 'printed'", "'paper'")),
    ],
)
def mechanize(
    base_optimizer: Any,
    weight_decay: Hyper = 1e-2,
    eps: Hyper = 1e-8,
    s_init: Hyper = 1e-6,
    num_betas: int = 6,
    *,
    variant: Literal["paper", "optax"] = "paper",
):
    """Scale the sum of an optimizer's updates by a number that is learned; its learning rate is about 1.

    S = sum of s;  h = <D, g + weight_decay S |g| p / |p|>;  D = D + u(g), after h
    m = max(b m, |h|);  v = b^2 v + h^2;  r = max(b r - s h, 0)
    s = (s_init m / num_betas + r) / (sqrt(v) + eps);  p = p0 + S D
    b = 0.9, 0.99, ..., num_betas of them; all start at 0, so that the first step is none
    variant="optax": D = (p - p0) / (S + eps) is not kept; s starts at s_init; |h| + eps stands for |h| in m,
    |p| + eps for |p|; h in r is clipped to the m of the step before; r may be negative, and is 0 in s.
    """
    if not 1 <= num_betas <= MOST:
        raise ValueError(f"mechanize: num_betas is {words.show(num_betas)}; expected {MANY}")
    betas, printed = [1 - 0.1**i for i in range(1, num_betas + 1)], variant == "paper"

    def tuned(s, h):
        """(r, m, v, s) after h."""
        b = jnp.array(betas, s.s.dtype)
        v = b * b * s.v + h * h
        if printed:
            m, r = jnp.maximum(b * s.m, jnp.abs(h)), jnp.maximum(b * s.r - s.s * h, 0)
        else:
            m, r = jnp.maximum(b * s.m, jnp.abs(h) + eps), b * s.r - s.s * jnp.clip(h, -s.m, s.m)
        return r, m, v, over_root(s_init / num_betas * m + jnp.maximum(r, 0), v, eps)

    def step(base, updates, old, state, params):
        made, state = base.updates(updates, state, params)
        g, s, p = opened(updates, old, params, "x0", *(["delta"] if printed else []))
        scale = jnp.sum(s.s)
        delta = s.delta if printed else each(_recomputed, p, s.x0, scale=scale, eps=eps)
        size = tree.global_norm(p) + (0 if printed else eps)
        decay = weight_decay * scale * safe_divide(tree.global_norm(g), size)
        r, m, v, new = tuned(s, inner(delta, g) + decay * inner(delta, p))
        rows = each(moved, delta, jax.tree.leaves(made), s.x0, p, scale=jnp.sum(new))
        delta, u = unzipped(rows, 2)
        s = s._replace(
            count=increment(s.count), r=r, m=m, v=v, s=new, **({"delta": delta} if printed else {})
        )
        u, s = closed(updates, u, g, s, old)
        return base.given(u, params), s, state

    def row(start=0) -> Any:
        return shared(filled(lambda p: stack(num_betas, scalar(p)), start))

    return wrap(
        FlatMechanicDeltaState if printed else FlatMechanicState,
        as_transform(base_optimizer, "mechanize"),
        step,
        params=True,
        fields={
            "count": shared(counter),
            "r": row(),
            "m": row(),
            "v": row(),
            "s": row(0 if printed else s_init),
            "x0": copy,
            **({"delta": sums} if printed else {}),
        },
    )
