"""convert: an optimizer's state as another storage of the same optimizer keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gradchain.core import ages, tree
from gradchain.core.codec import Codec, Part, decode_alone, encode_alone, field_of
from gradchain.core.states import state_class
from gradchain.core.transform import Transform, need_transform
from gradchain.math import rounding
from gradchain.report import held
from gradchain.storage.stored import StoredState


def convert(state: Any, tx: Transform, to: Transform, params: Any) -> dict[str, Any]:
    """The state of `tx` as `to` keeps it: the same optimizer, stored otherwise or not at all.

        small = gc.stored(tx, "log8")
        state = gc.convert(state, tx, small, params)  # a float32 run goes on in 8 bits

    What both keep alike is taken over bit for bit; the rest is decoded and encoded, with noise from its path.
    The count of a new `stored` is the largest in the state. `params` may be abstract; `state` may be an
    nnx.Optimizer or a TrainState. ValueError: the state is not that of `tx`, or `to` is another optimizer.
    """
    need_transform(tx, "convert(state, tx, to, params)", state)
    state, old, new = held.arrays(state), tx.slots(params), to.slots(params)
    if isinstance(state, Mapping) and set(state) == set(old):
        held.checked(state, tx, "convert")
        old, new = ages.like(old, state), ages.like(new, state)
    _same(tree.paths(state), tree.paths(old), f"{tx.name}: the state and what {tx.recipe!r} keeps")
    slots = zip(tree.paths(old), jax.tree.leaves(old), strict=True)
    clocks = {path for path, slot in slots if path.endswith("/count") and slot.dtype == jnp.int32}
    found = zip(tree.paths(state), jax.tree.leaves(state), strict=True)
    count = max((x for path, x in found if path in clocks), default=None, key=lambda x: int(x))
    return _level(state, old, new, count, "")


def _level(state: Mapping, old: Mapping, new: Mapping, count, where: str) -> dict[str, Any]:
    """Entries by name; groups of a partition hold entries of their own."""
    found = {}
    own = {k for k, v in (*old.items(), *new.items()) if _is_own(v)}
    _same(
        tuple(k for k in old if k not in own),
        tuple(k for k in new if k not in own),
        f"the two optimizers{where}",
    )
    for key, slots in new.items():
        here = f"{where}/{key}" if where else f" at {key}"
        if isinstance(slots, Mapping):
            found[key] = _level(state[key], old[key], slots, count, here)
        elif key in own:
            start = slots.count.make() if count is None else count
            found[key] = state[key] if key in state else type(slots)(start)
        else:
            found[key] = _entry(state[key], old[key], slots, key)
    return found


def _is_own(entry: Any) -> bool:
    return hasattr(entry, "_fields") and state_class(entry) is StoredState


def _entry(state: Any, old: Any, new: Any, key: str) -> Any:
    """One link's entry, field by field."""
    found = {field: [None] * len(jax.tree.leaves(getattr(new, field))) for field in new._fields}
    for field in set(new._fields) & set(old._fields):
        slots, before = jax.tree.leaves(getattr(new, field)), jax.tree.leaves(getattr(old, field))
        for i, (path, was, slot) in enumerate(
            zip(tree.paths(getattr(new, field)), before, slots, strict=True)
        ):
            if not (getattr(slot, "index", 0) or getattr(was, "index", 0)):  # those come with the first part
                for part, x in _leaf(state, was, slot, field, i, f"{key}/{field}", path).items():
                    found[field_of(field, part)][i] = x
    made = {}
    for field, column in found.items():
        slots, treedef = jax.tree.flatten(getattr(new, field))
        whole = [slot.make() if x is None else x for slot, x in zip(slots, column, strict=True)]
        made[field] = treedef.unflatten(whole)
    return type(new)(**made)


def _leaf(state, was, slot, field: str, i: int, name: str, path: str) -> dict[str, Any]:
    """The arrays of one leaf, by part."""
    before = was.codec if isinstance(was, Part) else None
    parts = [""] if before is None else before.parts
    arrays = [jax.tree.leaves(getattr(state, field_of(field, part)))[i] for part in parts]
    return recode(arrays, before, slot, path, name)


def recode(arrays: list, before: Codec | None, slot: Any, path: str, name: str) -> dict[str, Any]:
    """What `before` keeps of a leaf as a slot's codec keeps it, by part; kept alike, it stays as it is."""
    after = slot.codec if isinstance(slot, Part) else None
    if before == after:
        return dict(zip([""] if before is None else before.parts, arrays, strict=True))
    value = arrays[0] if before is None else decode_alone(before, arrays)
    if after is None:
        return {"": value.astype(slot.dtype)}
    kept = encode_alone(after, value, None, rounding.word(path), name)
    return dict(zip(after.parts, kept, strict=True))


def _same(found: tuple[str, ...], expected: tuple[str, ...], what: str) -> None:
    if set(found) == set(expected):
        return
    differing = sorted(set(found) ^ set(expected))
    side = "first" if differing[0] in found else "second"
    raise ValueError(
        f"convert: {what} differ: {differing[0]!r} is only in the {side}"
        + (f", and {len(differing) - 1} more" if len(differing) > 1 else "")
        + "; convert changes how one optimizer's state is stored, for the parameters it was made for"
    )
