"""offload: a transform whose state is kept in the host's memory, and streamed through the device."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import jax
from jax.core import Tracer

from gradchain.core import ages, place, select, tree, words
from gradchain.core.codec import Part, Plan
from gradchain.core.foreign import as_transform
from gradchain.core.select import Selection
from gradchain.core.slots import Slot
from gradchain.core.transform import Body, Context, Transform, example, transform
from gradchain.math import numerics
from gradchain.sharding.split import ShardingWarning
from gradchain.sharding.stream import DEVICE, Group, streamed

HOST = "pinned_host"  # the kind of memory that a traced array is in when its type says host


class Offload(Body):
    """A transform with some of its state in the host's memory."""

    def __init__(self, inner: Transform, select: Selection, min_size: int, group_bytes: int):
        self.inner, self.select, self.min_size, self.group_bytes = inner, select, min_size, group_bytes
        self.keys, self.needs = inner.body.keys, inner.body.needs

    def slots(self, params, plan) -> dict[str, Any]:
        """The inner slots, some of them in the host's memory."""
        slots = self.inner.body.slots(params, plan)
        return tree.map_paths(
            lambda path, slot, away: dataclasses.replace(slot, memory=HOST) if away else slot,
            slots,
            self.chosen(slots),
        )

    def chosen(self, slots: Any) -> Any:
        """Which slots are kept away, in the structure of the state."""
        leaves, treedef = jax.tree.flatten(slots)
        names = [list(names_of(p, s)) for p, s in zip(tree.paths(slots), leaves, strict=True)]
        patterns = self.select if isinstance(self.select, list | tuple) else [self.select]
        by_name = all(isinstance(p, str | re.Pattern) for p in patterns)
        if by_name:
            picked = [any(select.matches(p, n) for p in patterns for n in here) for here in names]
        else:
            picked = list(select.chosen(self.select, slots, "offload"))
        if by_name and names and not any(picked):
            known = list(dict.fromkeys(n for here in names for n in here))
            near = difflib.get_close_matches(str(self.select), known, 3, 0.4) or known[:6]
            raise ValueError(
                f"offload: {self.select!r} matches no state of {self.inner.name}; it has "
                f"{', '.join(map(repr, near))}, with the path of a leaf behind: 'nu/**/kernel'"
            )
        large = [bool(s.shape) and math.prod(s.shape) >= self.min_size for s in leaves]
        return treedef.unflatten([p and big for p, big in zip(picked, large, strict=True)])

    def init(self, params, plan) -> dict[str, Any]:
        """The inner state, each array in its memory."""
        made, slots = self.inner.body.init(params, plan), self.slots(params, plan)
        return jax.tree.map(lambda x, slot: kept(x, slot, plan), made, slots)

    def run(self, updates, state, params, ctx: Context):
        """Run the inner transform on the device, a part of the leaves after the other."""
        slots = ages.like(self.slots(updates if params is None else params, ctx.plan), state)
        arrays = [slot for slot in jax.tree.leaves(slots) if slot.shape]
        if arrays and all(slot.memory is None for slot in arrays):
            warnings.warn(
                f"offload: no array of state that {self.select!r} matches has {self.min_size} numbers "
                "(min_size), so that all of it stays on the device",
                ShardingWarning,
                stacklevel=2,
            )
        args, treedef = jax.tree.flatten((updates, state, params))
        shape = None

        def run(*args):
            nonlocal shape
            updates, state, params = treedef.unflatten(args)
            out, new = self.inner.body.run(updates, state, params, ctx)
            new = jax.tree.map(lambda x, slot: kept(x, slot, ctx.plan), new, slots)
            results, shape = jax.tree.flatten((out, new))
            return results

        if any(isinstance(x, Tracer) for x in args):
            results = streamed(run, args, self._groups(updates, slots))
        else:
            results = run(*jax.device_put(args, DEVICE))
        assert shape is not None
        return shape.unflatten(results)

    def _groups(self, updates, slots) -> list[Group]:
        """Leaves with their state, as many as have `group_bytes`; what belongs to no leaf comes last."""
        paths, arrays = tree.paths(updates), jax.tree.leaves(slots)
        mine: dict[str, list[int]] = {}
        for i, slot in enumerate(arrays):
            mine.setdefault(owner(slot), []).append(i)
        groups, filled = [Group([], [], [])], 0
        for result, path in enumerate(paths):
            here = mine.pop(path, [])
            moved = sum(_moved(arrays[i]) for i in here)
            if filled and moved and filled + moved > self.group_bytes:
                groups, filled = [*groups, Group([], [], [])], 0
            filled += moved
            groups[-1].results.append(result)
            _join(groups[-1], here, arrays, len(paths))
        groups.append(Group([], [], []))
        _join(groups[-1], [i for rest in mine.values() for i in rest], arrays, len(paths))
        return groups


def _moved(slot: Slot) -> int:
    """Bytes of it that come from the host to a device."""
    if slot.memory is None:
        return 0
    return numerics.nbytes(place.shard_shape(slot.shape, slot.sharding), slot.dtype)


def _join(group: Group, indices: Sequence[int], arrays: Sequence[Slot], first: int) -> None:
    """Add arrays of state to a group; the first of all is number `first` of arguments and results."""
    away = [first + i for i in indices if arrays[i].memory is not None]
    group.brought.extend(away)
    group.stored.extend(away)
    group.results.extend(first + i for i in indices)


def owner(slot: Slot) -> str:
    """The path of the parameter that an array of state is of; "" for what belongs to all."""
    return slot.leaf.path if slot.leaf is not None and slot.leaf.shape else ""


def names_of(path: str, slot: Slot) -> Iterator[str]:
    """What a pattern may call an array of state: link and field, or the field, with and without the leaf."""
    end = f"/{owner(slot)}"
    whole = path.endswith(end) and len(end) > 1
    head = path.removesuffix(end) if whole else "/".join(path.split("/")[:2])
    fields = [head]
    if isinstance(slot, Part) and (part := slot.codec.parts[slot.index]):
        fields.append(head.removesuffix(f"_{part}"))
    yield path
    for name in fields:
        for short in (name, name.rpartition("/")[2]):
            yield short
            if whole:
                yield short + end


def kept(x: Any, slot: Slot, plan: Plan) -> Any:
    """An array of state in its memory, where it is kept away.

    A slot knows the spec on an automatic mesh only from a wrapper that splits leaves; it holds no other way.
    """
    if slot.memory is None:
        return x
    if plan.placed is not None and slot.sharding is not None:
        return place.put(x, slot.sharding)
    return place.to_space(x, place.memory_space(slot.memory))


@transform(
    traits=frozenset({"host"}),
    example=lambda: {"inner": example("scale_by_adam"), "min_size": 0, "group_bytes": 0},
)
def offload(
    inner: Any,
    select: Selection = "**",
    *,
    min_size: int = 2**14,
    group_bytes: int = 2**25,
):
    """Keep state in the host's memory, and bring it to the device for its update: offload(adamw(1e-3)).

    `select` chooses arrays of state by patterns such as "nu", "mu/**/kernel", "scale_by_adam/nu", or by a
    predicate (state path, slot) -> bool; those under `min_size` numbers stay on the device. In a jitted step
    leaves are done in groups of `group_bytes` on a device: while one is computed, the next comes and the
    last goes, three or four groups in all; numbers are the same as without. Put it around the optimizer,
    inside of `accumulate`.
    Make the state with `init`, and donate in the order of the results, as `Transform.step` says: JAX pairs
    donated buffers without looking at their memory. Without a mesh put the parameters on their device
    (`jax.device_put(params, device)`), as host arrays are, or the second step compiles again.
    """
    for name, value in (("min_size", min_size), ("group_bytes", group_bytes)):
        if not isinstance(value, int) or value < 0:
            raise ValueError(f"offload: {name} is {words.show(value)}; expected a whole number, 0 or more")
    return Offload(as_transform(inner, "offload"), select, min_size, group_bytes)
