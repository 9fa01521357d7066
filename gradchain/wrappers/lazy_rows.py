"""lazy_rows: the rows of a table that a batch does not touch stay as they are, state and age included."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import ages, tree, words
from gradchain.core.foreign import as_transform
from gradchain.core.leafwise import Leafwise
from gradchain.core.link import BORN, flat
from gradchain.core.masks import Freeze
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot
from gradchain.core.transform import Body, Context, Transform, example, wrapper
from gradchain.wrappers.base import Inner, Wrapper

PyTree = Any


class LazyRowsState(NamedTuple):
    rows: PyTree  # {path: [..., rows] int32}, of the chosen leaves: the steps in which a row had a gradient


def _lead(leaf: Leaf) -> tuple[int, ...]:
    """The axes that number the rows of a leaf: all but those of its columns."""
    return tuple(sorted(leaf.axes.batch + leaf.axes.rows))


def _counts(leaf: Leaf) -> Slot:
    lead = _lead(leaf)
    return Slot(tuple(leaf.shape[i] for i in lead), jnp.int32, lead, leaf=leaf, exact=True)


@functools.partial(jax.jit, static_argnames="leaf")
def _touched(g: Array, rows: Array, leaf: Leaf) -> tuple[Array, Array, Array]:
    """Which rows have a gradient, and their counts, both [..., rows, 1]; the new counts [..., rows]."""
    touched = jnp.any(g != 0, leaf.axes.cols, keepdims=True)
    counts = jnp.expand_dims(rows, leaf.axes.cols)
    return touched, counts, rows + jnp.squeeze(touched, leaf.axes.cols).astype(rows.dtype)


@functools.partial(jax.jit, static_argnames=("axes", "leaf"))
def _kept(touched: Array, new: Array, old: Array, axes: tuple, leaf: Leaf) -> Array:
    """`new` in the rows that were touched, else `old`; dimension i runs along axes[i] of the leaf."""
    lead = _lead(leaf)
    order = [a for a in axes if a in lead]
    mask = jnp.transpose(jnp.squeeze(touched, leaf.axes.cols), [lead.index(a) for a in order])
    mask = jnp.expand_dims(mask, [i for i, a in enumerate(axes) if a not in lead])
    return jnp.where(mask, new, old)


def _aged(state: Any, slots: Any, counts: Mapping[str, Array]) -> Any:
    """Entries in which leaves whose state runs along rows have counts of their own, one for each row.

    State that does not is that of all steps, and its bias correction counts them.
    """
    if not hasattr(state, "_fields"):
        return {k: _aged(x, slots[k], counts) for k, x in state.items()}
    if "count" not in state._fields:
        return state
    shared = {
        slot.leaf.path
        for slot in jax.tree.leaves(slots)
        if slot.leaf is not None and not slot.nothing and not _along_rows(slot)
    }
    mine = {path: state.count - n for path, n in counts.items() if path not in shared}
    born = {**getattr(state, BORN, {}), **mine}
    return ages.with_born(state, born)._replace(**{BORN: born}) if born else state


def _along_rows(slot: Slot) -> bool:
    """Whether each row has a part of its own of a slot."""
    return slot.leaf is not None and set(_lead(slot.leaf)) <= set(slot.axes)


def _as_before(new: Any, old: Any) -> Any:
    """The new entries with the ages of the old ones."""
    if not hasattr(old, "_fields"):
        return {k: _as_before(new[k], x) for k, x in old.items()}
    found = {f: getattr(new, f) for f in old._fields if f != BORN}
    return type(old)(**found, **({BORN: getattr(old, BORN)} if hasattr(old, BORN) else {}))


def _check(tx: Transform) -> None:
    """Raise for a link that is no kernel for single leaves."""
    body, parts = tx.body, tx.body.inside()
    alone = isinstance(body, Leafwise | Freeze) if not isinstance(body, Wrapper) else not body.own
    if not (alone or (parts and not isinstance(body, Wrapper))):
        raise ValueError(
            f"lazy_rows: {tx.name} works on whole trees, so that rows have no state of their own in it; "
            "expected links with a kernel for single leaves. A wrapper goes around lazy_rows, not into it"
        )
    for part in parts:
        _check(part.tx)


class LazyRows(Wrapper):
    """A wrapper of kernels that gives the rows of some leaves counts of their own."""

    def __init__(self, tx: Transform, mask: Selection):
        super().__init__(LazyRowsState, tx, self._step, "count", frozenset(), {"rows": _counts})
        self.where = mask

    def acts(self, params) -> tuple[bool, ...]:
        """On what the wrapped transform acts on."""
        return Body.acts(self, params)

    def run(self, updates, state, params, ctx: Context):
        """Run the wrapped transform on the state without its own entry."""
        like, own = updates if params is None else params, self.entry(state, self.own)
        picked = self.pick(like, ctx.plan.whole)
        counts = flat(own, "rows", updates, picked, self.recipe.factory.name)
        rows = {path: n for path, n in zip(tree.paths(like), counts, strict=True) if n is not None}
        inner = {k: state[name] for k, name in zip(self.tx.body.keys, self.inner_keys, strict=True)}
        out, rows, inner = self.fn(Inner(self.tx, ctx), updates, rows, inner, params)
        return out, {self.own: own._replace(rows=rows), **self._outer(inner)}

    def _step(self, inner: Inner, updates, rows: dict[str, Array], state, params):
        """Run the wrapped transform, and put back what it did to rows without a gradient."""
        like = updates if params is None else params
        leaves = dict(zip(tree.paths(like), inner.leaves(updates, params), strict=True))
        grads = dict(zip(tree.paths(updates), jax.tree.leaves(updates), strict=True))
        found = {path: _touched(grads[path], n, leaf=leaves[path]) for path, n in rows.items()}
        slots = ages.like(self.tx.body.slots(like, inner.ctx.plan), state)
        aged = _aged(state, slots, {path: counts for path, (_, counts, _) in found.items()})
        try:
            out, new = inner.run(updates, aged, params)
        except (TypeError, ValueError) as error:
            error.add_note(
                f"in lazy_rows, for which rows of {', '.join(map(words.show, found))} have counts of their "
                "own: a kernel there gets an array [..., rows, 1] for its count"
            )
            raise

        def settled(path, u, p):
            if path not in found:
                return u
            old = p if inner.ctx.apply else jnp.zeros_like(u)
            return _kept(found[path][0], u, old, tuple(range(u.ndim)), leaves[path])

        def settled_state(slot, x, old):
            path = "" if slot.leaf is None else slot.leaf.path
            if path not in found or not _along_rows(slot):
                return x
            return _kept(found[path][0], x, old, slot.axes, leaves[path])

        new = jax.tree.map(settled_state, slots, _as_before(new, state), state)
        return tree.map_paths(settled, out, like), {path: n for path, (*_, n) in found.items()}, new


@wrapper(
    traits=frozenset({"matrices"}),
    example=lambda: {"tx": example("adam"), "mask": "**"},
    errors=lambda: [
        ErrorInput({"tx": example("dog")}, ValueError, ("scale_by_dog", "expected links with a kernel")),
        ErrorInput({"tx": None}, TypeError, ("None is not a gradient transformation",)),
    ],
    near=("masked", "adam", "adagrad"),
)
def lazy_rows(tx: Any, mask: Selection = "**/embedding"):
    """Leave rows whose gradient is all zero as they are, value, state and age, in the leaves that are chosen.

    A row with a gradient steps as if the steps without one had not been: Adam's bias correction counts its
    own steps, no momentum moves it in between, and nothing decays it. Schedules count the steps of the run.
    A row of a table [tokens, features] is one along the leaf's columns; a vector is one row. State that does
    not run along rows, such as a factor of columns, is that of all steps, and the link that keeps it counts
    them. For links with a kernel for single leaves.
    """
    made = as_transform(tx, "lazy_rows")
    _check(made)
    return LazyRows(made, mask)
