"""Preconditioners: factors for the sides of matrices, in blocks, renewed in some steps.

A rule works on stacks of blocks: g, moments [k, m, n]; factors [k, m, m], [k, n, n], None for a side without.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.link import Treewise, treewise
from gradchain.core.slots import Leaf, SlotMaker, absent
from gradchain.math.numerics import bounded
from gradchain.matrices.engine import Engine
from gradchain.matrices.factors import Factor, Factors, Otherwise


def times(*xs: Array | None) -> Array:
    """The product of stacks of matrices, in their own precision, from the left; None is the unit matrix."""
    matmul = functools.partial(jnp.matmul, precision="highest")
    return functools.reduce(matmul, [x for x in xs if x is not None])


def known(f: Callable, x: Any, *rest: Any) -> Any:
    """f(x, *rest), and None where x is None: what a block has not."""
    return None if x is None else f(x, *rest)


def preconditioned(
    State: type,
    update: Callable,
    renew: Callable | None = None,
    *,
    who: str,
    factors: Factors,
    every: int = 1,
    accumulate: Callable | None = None,
    start: Callable | None = None,
    **fields: SlotMaker | Factor | Otherwise,
) -> Treewise:
    """A link with factors: update(g, s) -> (u, s) on blocks in every step, renew(s) -> s each `every` steps.

    s is the State of one stack of blocks: moments like g, factors by side, None for what a leaf has not;
    s.count is the number of this step. A leaf without factors is updated as it is, elementwise.
    renew follows the update; where accumulate(g, s) -> s is given, the order is accumulate, renew, update.
    In the first step `start` (default: renew) does it for all matrices; afterwards matrix i of a stack is
    due each `every` steps, different matrices in different ones (`refresh.offsets`). Derivatives of start and
    renew are 0. What a function returns as it was is not written, what it does not read not carried.
    """
    factors.check(who)
    if not 1 <= every < 2**31:
        raise ValueError(f"{who}: precondition_frequency is {every}; expected at least 1 and below 2**31")
    kinds = {name: f for name, f in fields.items() if isinstance(f, Factor)}
    others = {name: f for name, f in fields.items() if isinstance(f, Otherwise)}

    def maker(name: str) -> SlotMaker:
        field: Any = fields[name]
        if name in kinds:
            return lambda leaf: field.slot(leaf, factors.cut(leaf))
        if name in others:
            return lambda leaf: absent(leaf) if factors.cut(leaf) else field.slot(leaf)
        return field

    slots = {name: maker(name) for name in fields}

    def run(updates, s, params, *, leaves: list[Leaf], counts: list[Array]):
        grads, treedef = jax.tree.flatten(jax.tree.map(lambda g: bounded(tree.wide(g)), updates))
        engine = Engine(State, kinds, others, slots, factors, leaves, counts, s, grads)
        if (gather := accumulate) is not None:
            engine.each(lambda g, s: (None, gather(g, s)), grads)
            engine.renew(renew, start, every)
        out = engine.each(update, grads)
        if accumulate is None:
            engine.renew(renew, start, every)
        return treedef.unflatten(out), engine.state(s)

    return treewise(State, run, params=False, **slots)
