"""What JAX's versions call or do differently; no other module asks which version it runs on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
from jax.extend import core  # at once: what it imports, in the middle of a trace, makes jit compile again
from jax.extend.core import Jaxpr, JaxprEqn, jaxpr_as_fun

# From 0.12 on a jaxpr holds its constants itself, and the two classes are one.
_Closed: Any = getattr(core, "ClosedJaxpr", Jaxpr)

# Within shard_map a result of an optimization barrier varies over the axes of its own operand; before 0.12
# over those of all operands.
BARRIERS_KEEP_TYPES = hasattr(jax, "Inline")


def evaluate(jaxpr: Jaxpr, consts: Sequence[Any], *args: Any) -> list[Any]:
    """The results of a jaxpr for these constants and arguments."""
    return jaxpr_as_fun(_Closed(jaxpr, consts))(*args)


def jaxprs_in(eqn: JaxprEqn) -> Iterator[Jaxpr]:
    """The jaxprs that an operation calls, without their constants before 0.12."""
    for value in eqn.params.values():
        for x in value if isinstance(value, tuple | list) else [value]:
            if isinstance(x, _Closed | Jaxpr):
                yield getattr(x, "jaxpr", x)


def inlined(f: Callable) -> Callable:
    """A function that is traced once for equal types, and whose operations stand where it is called."""
    early = getattr(jax, "Inline", None)  # 0.12: True came to mean that it is a call until it is lowered
    return jax.jit(f, inline=early.JAX_EARLY if early else True)
