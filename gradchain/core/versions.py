"""What JAX's versions call or do differently; no other module asks which version it runs on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax

if TYPE_CHECKING:  # jax.extend imports much that few programs use
    from jax.extend.core import Jaxpr, JaxprEqn

# Within shard_map a result of an optimization barrier varies over the axes of its own operand; before 0.12
# over those of all operands.
BARRIERS_KEEP_TYPES = hasattr(jax, "Inline")


@functools.cache
def _classes() -> tuple[Any, Any]:
    """Jaxpr, and one with its constants: from 0.12 on a jaxpr holds them itself, and the two are one."""
    from jax.extend import core

    return core.Jaxpr, getattr(core, "ClosedJaxpr", core.Jaxpr)


def is_literal(x: Any) -> bool:
    """Whether an operand of a jaxpr is a number in it."""
    from jax.extend.core import Literal

    return isinstance(x, Literal)


def as_function(jaxpr: Any) -> Callable[..., list[Any]]:
    """A jaxpr with its constants as a function."""
    from jax.extend.core import jaxpr_as_fun

    return jaxpr_as_fun(jaxpr)


def evaluate(jaxpr: Jaxpr, consts: Sequence[Any], *args: Any) -> list[Any]:
    """The results of a jaxpr for these constants and arguments."""
    return as_function(_classes()[1](jaxpr, consts))(*args)


def jaxprs_in(eqn: JaxprEqn) -> Iterator[Jaxpr]:
    """The jaxprs that an operation calls, without their constants before 0.12."""
    for value in eqn.params.values():
        for x in value if isinstance(value, tuple | list) else [value]:
            if isinstance(x, _classes()):
                yield getattr(x, "jaxpr", x)


def inlined(f: Callable) -> Callable:
    """A function that is traced once for equal types, and whose operations stand where it is called."""
    early = getattr(jax, "Inline", None)  # 0.12: True came to mean that it is a call until it is lowered
    return jax.jit(f, inline=early.JAX_EARLY if early else True)
