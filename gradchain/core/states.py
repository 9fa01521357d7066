"""The classes of states: what an algorithm declares, and the same with the fields that its arguments need."""

from __future__ import annotations

import threading
from collections import namedtuple
from collections.abc import Mapping
from typing import Any, NamedTuple

NAMED = ("_fields", "__new__", "_make", "_replace", "_asdict", "__repr__", "__match_args__")
_LOCK = threading.Lock()


class HyperState(NamedTuple):
    """The entry of a link that declares no state, and keeps hyperparameters and their counter."""


def extended(base: type | None, extra: tuple[str, ...]) -> type:
    """A state NamedTuple with more fields, `count` and `hyperparams` where the algorithm declared none.

    It is a subclass of the declared one, made once and kept with it: JAX compares containers by their class.
    """
    if base is not None and not extra:
        return base
    start = HyperState if base is None else base
    with _LOCK:
        made = vars(start).get("_extended", {})
        if extra not in made:
            start._extended = {**made, extra: _subclass(start, extra)}  # pyright: ignore
        return start._extended[extra]  # pyright: ignore


def _subclass(base: type, extra: tuple[str, ...]) -> type:
    fields = (*getattr(base, "_fields", ()), *extra)
    like = namedtuple(base.__name__, fields)  # kept while it is read: a collected class is emptied
    named = vars(like)

    def reduce(self):
        return (_extend, (None if base is HyperState else base, extra, tuple(self)))

    about = {"__slots__": (), "__reduce__": reduce, "__module__": base.__module__, "base": base}
    return type(base.__name__, (base,), {**{k: named[k] for k in (*NAMED, *fields)}, **about})


def state_class(state) -> type:
    """The class of a link's state as its algorithm declared it, without the fields of hyperparameters."""
    return getattr(type(state), "base", None) or type(state)


def lost(key: str, found: Any, wanted: Any = None) -> str:
    """What is wrong with an entry of a state that is not of its class, and what to do."""
    fields = ", ".join(getattr(wanted, "_fields", ()))
    expected = f"{wanted.__name__}({fields})" if wanted else "the NamedTuple of a link"
    inside = f" of {sorted(map(str, found))[:4]}" if isinstance(found, Mapping) else ""
    return (
        f"the entry {key!r} of the state is a {type(found).__name__}{inside}; expected {expected}. "
        "A checkpoint may give it back without its class: "
        "state, report = gc.load_state(tx, params, state) makes the state of it"
    )


def _extend(base, extra, values):
    return extended(base, extra)(*values)
