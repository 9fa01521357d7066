"""hyperparams and set_hyperparams: what an optimizer's links were given, read and set between steps."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gradchain.core import hyper, select, words
from gradchain.core.hyper import Range, Tunable
from gradchain.core.inside import opens
from gradchain.core.transform import Transform, need_transform
from gradchain.report import held
from gradchain.report.links import Place, links


@opens
def hyperparams(tx: Transform, state: Any = None) -> dict[str, Any]:
    """The hyperparameters of every link by path, "scale_by_adam/b1".

    As they were given; with a state, in whatever holder `metrics` takes, scheduled and tunable ones are the
    arrays that the last step used (after `tx.init` the first one's, after `set_hyperparams` the next one's).
    """
    need_transform(tx, "hyperparams(tx, state)", state)
    places = links(tx)
    found = {f"{place.path}/{name}": value for place in places for name, value in place.hyperparams.items()}
    if state is None:
        return found
    bare = held.checked(state, tx, "hyperparams")
    for place in links(tx, state=bare):
        found |= {f"{place.path}/{name}": value for name, value in place.hyperparams.items()}
        for name, value in place.hyperparams.items():
            if hyper.is_dynamic(value):
                found[f"{place.path}/{name}"] = _stored(tx, place, bare)[name]
    return found


@opens
def set_hyperparams(
    tx: Transform, state: Any, values: Mapping[str, Any] | None = None, /, **named: Any
) -> Any:
    """The state with tunable hyperparameters set: set_hyperparams(tx, state, learning_rate=1e-4).

    Names are those of `hyperparams`, or as much of their end as is unique; with * or ? they are globs that
    may mean several: {"**/learning_rate": 1e-4}. Values may be traced; others are checked. The state keeps
    its containers, dtypes and placement, so that no step compiles anew; an nnx.Optimizer is changed in place.
    """
    need_transform(tx, "set_hyperparams(tx, state)", state)
    if values is not None and not isinstance(values, Mapping):
        raise TypeError(
            f"set_hyperparams: expected a mapping of names to values, not {words.show(values)}: "
            "set_hyperparams(tx, state, {'learning_rate': 0.1})"
        )
    given = {**(values or {}), **named}
    places = links(tx)
    known = {f"{place.path}/{name}": (place, name) for place in places for name in place.hyperparams}
    bare = held.checked(state, tx, "set_hyperparams")
    new: dict[str, jax.Array] = {}
    for wanted, value in given.items():
        for path in _resolve(wanted, known, tx.name):
            place, name = known[path]
            old = _stored(tx, place, bare)[name]
            key = "/".join((*(place.way or ()), "hyperparams", name))
            new[key] = _fit(value, old, path, place.ranges[name])
    return held.put(state, new)


def _stored(tx: Transform, place: Place, state: Any) -> Mapping[str, Any]:
    try:
        return place.entry(state).hyperparams
    except (KeyError, TypeError, IndexError, AttributeError):
        raise ValueError(
            f"{tx.name}: the state has no hyperparameters of {place.path!r}; it belongs to another "
            "optimizer: make a new one with tx.init(params)"
        ) from None


def _resolve(wanted: str, known: Mapping[str, tuple[Place, str]], who: str) -> list[str]:
    """The paths of the tunable hyperparameters that a name means."""
    if "*" in wanted or "?" in wanted:
        found, several = [path for path in known if select.matches(wanted, path)], True
    else:
        found, several = [path for path in known if path == wanted or path.endswith(f"/{wanted}")], False
        found = [wanted] if wanted in found else found
    if not found:
        ends = {path.rpartition("/")[2]: path for path in known}
        near = difflib.get_close_matches(wanted, [*known, *ends], 3, 0.5) or list(known)
        raise ValueError(
            f"{who} has no hyperparameter {words.show(wanted)}; there are {', '.join(map(repr, near))}"
        )
    free = [path for path in found if isinstance(_given(known[path]), Tunable)]
    if not free:
        name, value = known[found[0]][1], _given(known[found[0]])
        raise ValueError(
            f"{found[0]} is {words.show(value)}, fixed when the optimizer was built: build it with "
            f"{name}=tunable(...) to set it in the state, or make another one, tx.replace({name}=...)"
        )
    if len(free) > 1 and not several:
        raise ValueError(
            f"{who}: {wanted!r} may be {' or '.join(map(repr, free))}; or all of them: '**/{wanted}'"
        )
    return free


def _given(known: tuple[Place, str]) -> Any:
    place, name = known
    return place.hyperparams[name]


def _fit(value: Any, old: jax.Array, path: str, allowed: Range) -> jax.Array:
    """The value as the state keeps it: in range, of the old dtype and shape, in the old place."""
    who, _, name = path.rpartition("/")
    if isinstance(value, Tunable) or hyper.is_schedule(value) or value is None:
        raise TypeError(f"{who}: {name} is {words.show(value)}; expected a number or an array")
    if hyper.is_array(value) and value.ndim and value.shape != old.shape:
        raise ValueError(f"{who}: {name} has shape {value.shape}; expected {old.shape}")
    value = value.item() if isinstance(value, np.generic) else value
    if not hyper.is_array(value):
        hyper.check(who, name, Tunable(value) if isinstance(value, int | float) else value, allowed)
    elif not isinstance(value, Tracer):
        for x in np.asarray(value, np.float64).ravel():
            hyper.check(who, name, Tunable(float(x)), allowed)
    return jnp.full_like(old, value, dtype=old.dtype)
