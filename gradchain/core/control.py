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
    converted, consts = _closed(f, carry, *operands)
    return _when(converted, due, carry, (*operands, *consts))


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


def turns(first: Array, last: Array, f: Callable[..., Any], carry: Any, *operands: Any, keep: Any) -> Any:
    """carry = f(i, carry, *operands) for i from `first` to before `last`: a loop of many turns, one or none.

    As a derivative has none of it, f's is said to be 0, but for the elements of the carry that `keep` (arrays
    that broadcast to the carry's) says are left as they are. Where both numbers are known there is no loop.
    """
    if is_known(first) and is_known(last):
        for i in range(int(first), int(last)):
            carry = f(jnp.int32(i), carry, *operands)
        return carry
    converted, consts = _closed(f, jnp.zeros((), jnp.int32), carry, *operands)
    return _turns(converted, (first, last), carry, keep, (*operands, *consts))


def _closed(f: Callable, *args: Any) -> tuple[Callable, tuple]:
    """f with what it closes over as further arguments, and these.

    Integers and keys, too, which jax.closure_convert leaves inside: a derivative of a jitted or scanned step
    would find them there as another trace's.
    """
    closed, shape = jax.make_jaxpr(f, return_shape=True)(*args)
    treedef, n = jax.tree.structure(shape), len(jax.tree.leaves(args))

    def converted(*rest):
        flat = jax.tree.leaves(rest)
        return treedef.unflatten(versions.evaluate(closed.jaxpr, flat[n:], *flat[:n]))

    return converted, tuple(closed.consts)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _turns(f: Callable, bounds: Any, carry: Any, keep: Any, operands: tuple) -> Any:
    first, last = bounds
    return lax.fori_loop(first, last, lambda i, carry: f(i, carry, *operands), carry)


@_turns.defjvp
def _(f, primals, tangents):
    keep = primals[2]
    left = jax.tree.map(lambda k, t: jnp.where(k, t, jnp.zeros((), t.dtype)), keep, tangents[1])
    return _turns(f, *primals), left
