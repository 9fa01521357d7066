"""Control flow that the compilers keep: work that is done in some steps only, at no cost in the others."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.core import Tracer

from gradchain.core import versions


def is_known(due: Array) -> bool:
    """Whether a condition has its value now, so that it need not be a part of a program."""
    return not isinstance(due, Tracer)


def when(due: Array, f: Callable[..., Any], carry: Any, *operands: Any) -> Any:
    """f(carry, *operands) where the scalar `due` holds, else the carry as it is, without a copy.

    A loop of one turn or none: XLA for GPU replaces a `lax.cond` between elementwise branches by selects,
    which do the work in every step (36 bytes a parameter for AdamW instead of none). For derivatives, which
    a loop has none of, it is the `lax.cond`. Where `due` is known, as in eager steps, f is called or not: a
    loop around it would be compiled in every step.
    """
    if is_known(due):
        return f(carry, *operands) if due else carry
    # What f closes over becomes an operand, integers and keys too, which jax.closure_convert leaves inside:
    # a derivative of a jitted or scanned step would find them there as another trace's.
    closed, shape = jax.make_jaxpr(f, return_shape=True)(carry, *operands)
    treedef, n = jax.tree.structure(shape), len(operands)

    def converted(carry, *args):
        results = versions.evaluate(closed.jaxpr, args[n:], *jax.tree.leaves((carry, args[:n])))
        return treedef.unflatten(results)

    return _when(converted, due, carry, (*operands, *closed.consts))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _when(f: Callable, due: Array, carry: Any, operands: tuple) -> Any:
    def turn(value):
        return jnp.zeros_like(value[0]), f(value[1], *operands)

    return lax.while_loop(lambda value: value[0], turn, (due, carry))[1]


@_when.defjvp
def _(f, primals, tangents):
    def choose(due, carry, operands):
        return lax.cond(due, lambda c: f(c, *operands), lambda c: c, carry)

    return jax.jvp(choose, primals, tangents)
