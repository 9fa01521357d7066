"""What is wrong with a call of a transform, and which of its links says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax

from gradchain.core import words

if TYPE_CHECKING:
    from gradchain.core.transform import Transform


def asker(tx: Transform, extra: str) -> str:
    """The name of the link that needs an extra argument."""
    inside = [part.tx for part in tx.body.inside() if extra in part.tx.body.needs]
    return asker(inside[0], extra) if inside else tx.name


def full_name(tx: Transform) -> str:
    """The name of a transform, with that of its first link where it is made of several: chain(scale, ...)."""
    first, parts = tx, tx.body.inside()
    while first.body.inside():
        first = first.body.inside()[0].tx
    return f"{tx.name}({first.name}{', ...' if len(parts) > 1 else ''})" if parts else tx.name


def check_entries(
    state: Any, keys: Sequence[str], who: str, call: str = "update", others: Sequence[Any] = ()
) -> None:
    """Raise where a state has other entries than a transform keeps; perhaps it is one of the `others`."""
    if _has(state, keys):
        return
    found = sorted(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
    hint = "It belongs to another optimizer: make a new one with tx.init(params)"
    if isinstance(state, tuple) and state:
        hint += "; a state of Optax is read by from_optax(tx, params, state)"
    if any(_has(other, keys) for other in others):
        hint = f"Arguments are exchanged: {call}(grads, state, params)"
    raise ValueError(
        f"{who}: the state has entries {words.plain(str(found), 300)}; expected {sorted(keys)}. {hint}"
    )


def exchanged(updates: Any, state: Any) -> bool:
    """Whether nothing was given for updates, and something for the state of what keeps none."""
    return not jax.tree.leaves(updates) and bool(jax.tree.leaves(state))


def _has(state: Any, keys: Sequence[str]) -> bool:
    return isinstance(state, Mapping) and set(state) == set(keys)
