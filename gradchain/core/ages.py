"""Ages: leaves that joined a link later than others, and say so in its state.

A field `born` {path of the leaf: the link's count when it began} is there only where ages differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gradchain.core.link import BORN, extended, state_class


def with_born(entry: Any, paths: Iterable[str]) -> Any:
    """An entry of a state, or of slots, in which these leaves begin at its count."""
    base = state_class(entry)
    extra = tuple(f for f in entry._fields[len(base._fields) :] if f != BORN)
    kept = {f: getattr(entry, f) for f in (*base._fields, *extra)}
    return extended(base, (*extra, BORN))(**kept, **{BORN: dict.fromkeys(sorted(paths), entry.count)})


def like(described: Any, state: Any) -> Any:
    """What was made or described without ages, such as slots, in the structure of a state that may have some."""
    if isinstance(described, Mapping):
        return {k: like(x, state[k]) if k in state else x for k, x in described.items()}
    born = getattr(state, BORN, None)
    return described if not born else with_born(described, born)
