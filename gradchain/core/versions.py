"""What JAX's versions call or do differently; no other module asks which version it runs on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
from jax import Array
from jax.extend import core
from jax.extend.core import Jaxpr, JaxprEqn, jaxpr_as_fun

# From 0.12 on a jaxpr holds its constants itself, and the two classes are one.
_Closed: Any = getattr(core, "ClosedJaxpr", Jaxpr)


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


def varies(x: Any) -> frozenset[str]:
    """The mesh axes along which an array differs from device to device, inside shard_map."""
    about = jax.typeof(x)
    found = getattr(about, "manual_axis_type", None)
    return found.varying if found is not None else about.vma  # before 0.10


def varying(x: Array, axes: Sequence[str]) -> Array:
    """The array as one that differs from device to device along these mesh axes too."""
    missing = tuple(n for n in axes if n not in varies(x))
    if not missing:
        return x
    if hasattr(jax.lax, "pcast"):
        return jax.lax.pcast(x, missing, to="varying")
    return getattr(jax.lax, "pvary")(x, missing)  # noqa: B009 - before 0.8.1


def double() -> Any:
    """A context in which arrays are of 64 bits."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    import jax.experimental as experimental

    return vars(experimental)["enable_x64"](True)  # before 0.8
