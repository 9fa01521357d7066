"""aux: what belongs to a run beside its parameters and the state: batch statistics, random keys, counters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.checkpoint.errors import CheckpointError, misfit, show
from gradchain.checkpoint.moved import put
from gradchain.checkpoint.report import Outcome
from gradchain.checkpoint.wishes import Wishes
from gradchain.core import place, tree
from gradchain.report import held

Plain = bool | int | float | str  # beside arrays, what JSON knows
WIDE = ("int64", "uint64", "float64", "complex128")


def bare(aux: Any) -> Any:
    """The tree with arrays for variables."""
    return jax.tree.map(held.value_of, aux, is_leaf=tree.is_variable)


def apart(aux: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays of a tree by path, and its numbers and texts."""
    found = bare(aux)
    arrays, plain = {}, {}
    for path, x in zip(tree.paths(found), jax.tree.leaves(found), strict=True):
        if isinstance(x, Plain) and not isinstance(x, np.generic):
            plain[path] = x
        elif hasattr(x, "dtype") and _known(x.dtype):
            arrays[path] = np.asarray(x) if isinstance(x, np.generic) else x
        else:
            raise CheckpointError(
                f"save: 'aux/{path}' is {x!r:.80}; expected an array of numbers, random keys, or a number or "
                "a text of Python"
            )
    return arrays, plain


def _known(dtype: Any) -> bool:
    kinds = (jnp.number, jnp.bool_, jax.dtypes.prng_key)
    return any(jnp.issubdtype(dtype, kind) for kind in kinds)


def planned(
    saved: Mapping[str, Any], plain: Mapping[str, Any], template: Any, wishes: Wishes
) -> tuple[dict[str, Any], dict[str, Any], list[Outcome]]:
    """The arrays to read and where to, the numbers to take, and what becomes of each; errors for misfits."""
    if template is None:
        return dict.fromkeys(saved), dict(plain), [_outcome("loaded", path) for path in (*saved, *plain)]
    wanted, taken, outcomes, who = {}, {}, [], wishes.who
    for path, x in zip(tree.paths(template), jax.tree.leaves(template), strict=True):
        name = f"aux/{path}"
        if wishes.anew(name):
            outcomes.append(_outcome("initialised", path, "as asked"))
            continue
        advice = f"Save it with save(..., aux=...), or pass initialise={name!r} to keep the one that is given"
        found = show(saved[path]) if path in saved else repr(plain[path]) if path in plain else "missing"
        expected = show(x) if hasattr(x, "dtype") else f"{type(x).__name__}, as {x!r:.40}"
        if path in saved and hasattr(x, "dtype"):
            note = _cast(saved[path], x)
            fits, wanted[path] = note is not None, place.of(x)
        else:
            note, fits = "", path in plain and not hasattr(x, "dtype") and _alike(plain[path], x)
            taken[path] = plain.get(path)
        if not fits:
            misfit(who, name, found, expected, advice)
        outcomes.append(_outcome("loaded", path, note or ""))
    known = {o.path for o in outcomes}
    left = [path for path in (*saved, *plain) if f"aux/{path}" not in known]
    return wanted, taken, outcomes + [_outcome("dropped", path, "no such entry in aux") for path in left]


def _outcome(kind: str, path: str, note: str = "") -> Outcome:
    return Outcome(kind, f"aux/{path}", "aux", note)


def _cast(saved: Any, x: Any) -> str | None:
    """A note on a float of another width; None where an array does not fit."""
    if tuple(saved.shape) != tuple(x.shape):
        return None
    if saved.dtype == x.dtype:
        return ""
    floats = all(jnp.issubdtype(y.dtype, jnp.floating) for y in (saved, x))
    return f"{jnp.dtype(saved.dtype).name} -> {jnp.dtype(x.dtype).name}" if floats else None


def _alike(saved: Any, x: Any) -> bool:
    """Whether both are numbers, texts or truth values."""
    numbers = (int, float)
    if isinstance(saved, bool) or isinstance(x, bool):
        return isinstance(saved, bool) and isinstance(x, bool)
    return isinstance(x, numbers) if isinstance(saved, numbers) else isinstance(x, str)


def filled(found: Mapping[str, Any], plain: Mapping[str, Any], template: Any) -> Any:
    """The tree that was saved: like the template, or without one as a dict by path."""
    if template is None:
        return dict(sorted(({path: _new(x) for path, x in found.items()} | dict(plain)).items())) or None
    leaves, treedef = jax.tree.flatten(template)
    for i, path in enumerate(tree.paths(template)):
        if path in found:
            leaves[i] = _like(found[path], leaves[i])
        elif path in plain:
            leaves[i] = plain[path]
    return treedef.unflatten(leaves)


def _new(x: Any) -> Any:
    """An array of JAX; of NumPy, where JAX would narrow it."""
    narrowed = x.dtype.name in WIDE and not jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]
    return x if narrowed else put(x, None)


def _like(x: Any, old: Any) -> Any:
    """An array in the dtype and the place of another, and of its library."""
    if isinstance(old, np.ndarray | np.generic):
        x = np.asarray(x).astype(old.dtype)
        return x[()] if isinstance(old, np.generic) else x
    return put(x if x.dtype == old.dtype else x.astype(old.dtype), place.of(old))
