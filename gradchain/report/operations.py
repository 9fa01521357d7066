"""How many numbers the formulas of a step compute, before any compiler has seen them."""

from __future__ import annotations

import math
from typing import Any

import jax
from jax.extend.core import Jaxpr

from gradchain.core import leaves, versions
from gradchain.core.transform import Transform

# What computes nothing: numbers are named anew, repeated, counted or moved.
_MOVES = """
bitcast_convert_type broadcast_in_dim copy copy_p device_put expand_dims iota optimization_barrier pcast pvary
reshape reshard sharding_constraint slice squeeze stop_gradient transpose
"""
MOVES = frozenset(_MOVES.split())


def operations(tx: Transform, params: Any) -> int | None:
    """Numbers that a step computes, counted as `aot.Program.operations` counts those of a program.

    Each operation as the size of its result, so a reduction as one number, a loop as often as it turns,
    the dearest branch of a condition. None for a transform that needs more than gradients.
    """
    if tx.body.needs:
        return None
    bare = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), leaves.floating(params))
    state = jax.eval_shape(tx.init, bare)
    return count(jax.make_jaxpr(lambda p, s, g: tx.step(g, s, p))(bare, state, bare).jaxpr)


def count(jaxpr: Jaxpr) -> int:
    """The numbers that are computed in a jaxpr, and in those that it calls."""
    total = 0
    for eqn in jaxpr.eqns:
        name, inside = eqn.primitive.name, [count(part) for part in versions.jaxprs_in(eqn)]
        if inside:
            once = max(inside) if name == "cond" else sum(inside)
            total += once * (eqn.params["length"] if name == "scan" else 1)
        elif name not in MOVES:
            total += max((math.prod(v.aval.shape) for v in eqn.outvars), default=0)  # pyright: ignore
    return total
