"""What a caller gave: checked before anything is written or read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gradchain.checkpoint.ensemble import Layout, laid_out
from gradchain.checkpoint.errors import CheckpointError, show, whole_number
from gradchain.core import ages, tree
from gradchain.core.codec import Part
from gradchain.core.transform import Transform
from gradchain.report import held

ORDER = "The order is tx, state, params"
BESIDE = "What else belongs to the run (batch statistics, random keys, counters) goes into aux="


def needs_leaves(who: str, params: Any) -> None:
    """Raise where there are no parameters to say what a state is of."""
    if not jax.tree.leaves(params):
        raise CheckpointError(
            f"{who}: params is {params!r:.80}; expected the parameters, as arrays or as shapes "
            "(jax.eval_shape(init, key)): they say what the state is made of and where it goes"
        )


def fitting(who: str, tx: Any, state: Any, params: Any) -> Layout | None:
    """What `tx` keeps for the parameters, once it is sure that the state is just that; without any: None."""
    if not isinstance(tx, Transform):
        raise CheckpointError(f"{who}: tx is {_kind(tx)}; expected an optimizer of gradchain. {ORDER}")
    if _is_state(params, tx) and not _is_state(state, tx):
        raise CheckpointError(f"{who}: the state and the parameters are exchanged. {ORDER}")
    if not _is_state(state, tx):
        bare = held.arrays(state)
        found = f"the entries {sorted(map(str, bare))[:6]}" if isinstance(bare, Mapping) else f"{bare!r:.80}"
        raise CheckpointError(
            f"{who}: state is {_kind(state)} with {found}; expected the state of {tx.name}, with the entries "
            f"{sorted(tx.body.keys)}. {ORDER}"
        )
    if params is None:
        return None
    found = held.arrays(state)
    arrays = {path: _shaped(x) for path, x in zip(tree.paths(found), jax.tree.leaves(found), strict=True)}
    try:
        layout = laid_out(tx, params, arrays, who)
    except (TypeError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"{who}: params are not what {tx.name} has a state for: {error}. Pass the parameters that "
            f"tx.init was given. {BESIDE}"
        ) from error
    _same(who, dataclasses.replace(layout, slots=ages.like(layout.slots, found)), arrays)
    return layout


def _is_state(state: Any, tx: Transform) -> bool:
    """Whether something has the entries of an optimizer's state."""
    bare = held.opt_state(state)
    return isinstance(bare, Mapping) and set(bare) == set(tx.body.keys)


def _kind(x: Any) -> str:
    return repr(x) if x is None or isinstance(x, str | int | float) else f"a {type(x).__name__}"


def _shaped(x: Any) -> Any:
    return x if hasattr(x, "dtype") else jnp.asarray(x)


def _same(who: str, layout: Layout, arrays: Mapping[str, Any]) -> None:
    """Raise where a state is not that of an optimizer for its parameters."""
    slots = dict(zip(tree.paths(layout.slots), jax.tree.leaves(layout.slots), strict=True))
    if set(slots) != set(arrays):
        odd = [path for path in arrays if path not in slots], [path for path in slots if path not in arrays]
        theirs, ours = (f"{paths[0]!r} and {len(paths) - 1} more" if paths else "nothing" for paths in odd)
        raise CheckpointError(
            f"{who}: the state is not that of {layout.tx.name} for these parameters: only in the state: "
            f"{theirs}; only expected: {ours}. Pass the optimizer and the parameters of tx.init. {BESIDE}"
        )
    for path, slot in slots.items():
        x, shape = arrays[path], (*layout.lead, *slot.shape)
        floats = all(jnp.issubdtype(y.dtype, jnp.floating) for y in (x, slot)) and not isinstance(slot, Part)
        if tuple(x.shape) != shape or (x.dtype != slot.dtype and not floats):
            expected = show(jax.ShapeDtypeStruct(shape, slot.dtype))
            raise CheckpointError(
                f"{who}: {path!r} is {show(x)} in the state; {layout.tx!r} keeps {expected} there for these "
                "parameters. Pass the optimizer and the parameters that the state was made with"
            )


def whole_step(who: str, step: Any) -> int | None:
    """A step as a number of Python, if there is one."""
    return None if step is None else whole_number(f"{who}: step", step, 0)


def as_json(who: str, metadata: Any) -> Any:
    """Metadata as JSON keeps it, with numbers of Python for scalars of NumPy and JAX."""
    try:
        return json.loads(json.dumps(metadata, default=_scalar))
    except (TypeError, ValueError, RecursionError) as error:
        path, bad = _odd(metadata, "metadata")
        raise TypeError(
            f"{who}: {path} is {_shown(bad)}, not JSON serializable ({error}); expected numbers, texts, "
            "lists, and dicts of these with texts for keys. Arrays go into aux="
        ) from None


def _scalar(x: Any) -> Any:
    array = isinstance(x, np.generic | np.ndarray | jax.Array) and not isinstance(x, Tracer)
    if array and not x.shape and (jnp.issubdtype(x.dtype, jnp.number) or x.dtype == jnp.bool_):
        return x.item()
    raise TypeError(f"{type(x).__name__}")


def _shown(x: Any) -> str:
    return f"{show(x)} ({type(x).__name__})" if hasattr(x, "shape") and hasattr(x, "dtype") else f"{x!r:.80}"


def _odd(x: Any, path: str, depth: int = 0) -> tuple[str, Any]:
    """The first thing in metadata that JSON does not know, and where it is."""
    if isinstance(x, Mapping):
        children = [(f"{path}[{k!r}]", k, v) for k, v in x.items()]
    else:
        children = [(f"{path}[{i}]", i, v) for i, v in enumerate(x)] if isinstance(x, list | tuple) else []
    for here, k, v in children if depth < 100 else ():
        if not (k is None or isinstance(k, str | int | float)):
            return f"the key {k!r} of {path}", k
        try:
            json.dumps(v, default=_scalar)
        except (TypeError, ValueError, RecursionError):
            return _odd(v, here, depth + 1)
    return path, x
