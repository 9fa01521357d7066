"""DiLoCo: replicas that train by themselves for many steps, and an outer optimizer on how far they went."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import place, tree
from gradchain.core.compose import chain
from gradchain.core.control import when
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Period
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import copy, counter, shared
from gradchain.core.transform import example, wrapper
from gradchain.math.numerics import increment
from gradchain.rules.momentum.sgd import sgd
from gradchain.wrappers.base import Inner, Several, mean_over, wrap

PyTree = Any


class DiLoCoState(NamedTuple):
    steps_since_sync: Array  # [] int32, inner steps since the replicas last met
    anchor: PyTree  # like params, where they met: the same in all of them

    eval_field = "anchor"


@wrapper(
    paper="arXiv:2311.08105",
    traits=frozenset({"sometimes"}),
    example=lambda: {"inner": example("adam"), "every": 2},
    errors=lambda: [
        ErrorInput({"every": 0}, ValueError, ("every is 0", "at least 1")),
        ErrorInput({"outer": 3}, TypeError, ("3 is not a gradient transformation",)),
    ],
    near=("lookahead", "accumulate", "average"),
)
def diloco(inner: Any, outer: Any = None, every: Period = 500, axis_name: str | None = None):
    """Run `inner` on each replica by itself; after `every` steps let `outer` take one step for all of them.

    p = p + inner(g);  when due: d = anchor - mean over replicas of p;  anchor = p = anchor + outer(d)
    outer: by default sgd(0.7, momentum=0.9, nesterov=True), the paper's. axis_name is the mesh axis of the
    replicas, within shard_map: parameters and inner state differ along it, the anchor and the outer state do
    not. All communication is one mean of the parameters, in float32 at least, in steps that are due. None:
    one replica. `eval_params` is the anchor. With every=1 and outer=sgd(1.0) it is `inner`, but for rounding.
    """
    far = sgd(0.7, momentum=0.9, nesterov=True) if outer is None else as_transform(outer, "diloco")
    both = chain(as_transform(inner, "diloco"), far)

    def step(base: Inner, g, s, state, params):
        two, applied = Several(base), base.ctx.apply
        out, state = two.run(0, g, state, params, apply=applied)
        count = increment(s.steps_since_sync)
        due = count.astype(jnp.result_type(float)) >= jnp.round(jnp.asarray(every))

        def sync(carry, params):
            out, anchor, state = carry
            here = jax.tree.map(tree.wide, out if applied else jax.tree.map(_sum, params, out))
            here = mean_over(axis_name, here, "diloco", "axis_name")
            moved, state = two.run(1, jax.tree.map(_difference, anchor, here), state, anchor)
            new = jax.tree.map(_sum, anchor, moved)
            made = new if applied else jax.tree.map(_difference, new, params)
            found = (tree.cast_like(made, out), tree.cast_like(new, anchor), state)
            return jax.tree.map(place.varying_like, found, carry)

        out, anchor, state = when(due, sync, (out, s.anchor, state), params)
        return out, s._replace(steps_since_sync=jnp.where(due, 0, count), anchor=anchor), state

    return wrap(
        DiLoCoState, both, step, params=True, fields={"steps_since_sync": shared(counter), "anchor": copy}
    )


@jax.jit
def _sum(x: Array, y: Array) -> Array:
    return tree.wide(x) + tree.wide(y)


@jax.jit
def _difference(x: Array, y: Array) -> Array:
    return tree.wide(x) - tree.wide(y)
