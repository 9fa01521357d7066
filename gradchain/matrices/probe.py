"""What a function of a rule does with the fields of the state, read off its program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax


class Probe(NamedTuple):
    """What a function of a rule does: the fields that it reads, those that it changes, whether it has a u."""

    reads: list[str]
    wrote: list[str]
    updated: bool


def probe(flat: Callable, g: Any, fields: Mapping[str, Any]) -> Probe:
    """Of flat(g, *fields) -> (fields, u), from shapes."""
    names = list(fields)
    jaxpr = jax.make_jaxpr(flat)(g, *fields.values()).jaxpr
    own, last = jaxpr.invars[len(jaxpr.invars) - len(names) :], jaxpr.outvars[len(names) :]
    wrote = [n for n, a, b in zip(names, own, jaxpr.outvars, strict=False) if a is not b]
    made = [v for n, v in zip(names, jaxpr.outvars, strict=False) if n in wrote]
    used = {id(v) for v in (*made, *last, *(v for eqn in jaxpr.eqns for v in eqn.invars))}
    return Probe([n for n, v in zip(names, own, strict=True) if id(v) in used], wrote, bool(last))
