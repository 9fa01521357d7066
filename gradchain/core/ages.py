"""Ages: leaves that joined a link later than others, and say so in its state.

A field `born` {path of the leaf: the link's count when it began} is there only where ages differ.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import jax

from gradchain.core.link import BORN
from gradchain.core.states import extended, state_class


def with_born(entry: Any, paths: Iterable[str]) -> Any:
    """An entry of a state, or of slots, in which these leaves and no others begin at its count."""
    base = state_class(entry)
    extra = tuple(f for f in entry._fields[len(base._fields) :] if f != BORN)
    kept = {f: getattr(entry, f) for f in (*base._fields, *extra)}
    born = {path: jax.tree.map(lambda x: x, entry.count) for path in paths}  # a variable of its own for each
    made = extended(base, (*extra, BORN) if born else extra)
    return made(**kept, **{BORN: born}) if born else made(**kept)


def like(described: Any, state: Any) -> Any:
    """What was made or described without ages, such as slots, with those that a state has."""
    if isinstance(described, Mapping):
        return {k: like(x, state[k]) if k in state else x for k, x in described.items()}
    born = getattr(state, BORN, None)
    return with_born(described, born) if born else described


def among(described: Any, names: Collection[str], path: str = "") -> Any:
    """A state, or slots, with the ages that are among the names of arrays, and no others."""
    if isinstance(described, Mapping):
        return {k: among(x, names, f"{path}/{k}" if path else k) for k, x in described.items()}
    start = f"{path}/{BORN}/"
    born = [name.removeprefix(start) for name in names if name.startswith(start)]
    return with_born(described, born) if born or hasattr(described, BORN) else described
