"""The form that Optax gives a state: a description of what stands where, followed in both directions.

A description is a tree of nodes with a leaf for each array that the state of links keeps. `out` goes from
the state of links to Optax's form, `into` back; neither computes anything.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax

from gradchain.core import tree

Way = tuple[str, ...]  # from a state to an entry of it
Found = dict[tuple[Way, str], Any]  # (entry, field) -> its value
PyTree = Any


class FormError(ValueError):
    """A state that is not of the form that is described."""


@dataclasses.dataclass(frozen=True)
class Like:
    """The tree that a state keeps something for, updates or parameters; what stands for leaves left out."""

    tree: PyTree
    left_out: Any

    def whole(self, kept: Mapping[str, Any]) -> PyTree:
        """What is kept for some leaves, by path, in the containers of the whole tree."""
        return tree.map_paths(lambda path, _: kept.get(path, self.left_out), self.tree)

    def by_path(self, value: PyTree) -> dict[str, Any]:
        """What is kept for some leaves in the containers of the whole tree, by path."""
        return dict(zip(tree.paths(value), jax.tree.leaves(value), strict=True))


class Node:
    """A part of a description."""

    def walk(self) -> Iterator[Node]:
        """It and all within."""
        yield self
        parts = getattr(self, "parts", ())
        for part in parts.values() if isinstance(parts, Mapping) else parts:
            yield from part.walk()

    def out(self, state: Mapping[str, Any], like: Like) -> Any:
        """What stands here in Optax's form."""
        raise NotImplementedError

    def into(self, theirs: Any, like: Like, found: Found) -> None:
        """Enter what stands here in Optax's form."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Field(Node):
    """A field of a link's entry: one value for each leaf (of those that a mask leaves), or one for all."""

    way: Way
    field: str
    by_leaf: bool
    masked: bool

    def out(self, state, like):
        """The field; in the containers of the whole tree, if it is kept by path."""
        value = getattr(entry_at(state, self.way), self.field)
        if self.by_leaf and jax.tree.structure(value) != jax.tree.structure(like.tree):
            return like.whole(value)
        return value

    def into(self, theirs, like, found):
        """The field as the entry keeps it."""
        part = self.by_leaf and (
            self.masked or jax.tree.structure(theirs).num_leaves != jax.tree.structure(like.tree).num_leaves
        )
        found[self.way, self.field] = like.by_path(theirs) if part else theirs


@dataclasses.dataclass(frozen=True)
class Fixed(Node):
    """A value that no link keeps, the same in every state; an array is made of it when it is asked for."""

    value: Any
    made: Callable[[Any], Any] = lambda value: value

    def out(self, state, like):
        """The value."""
        return self.made(self.value)

    def into(self, theirs, like, found):
        """Nothing is kept of it."""


@dataclasses.dataclass(frozen=True)
class Entries(Node):
    """Entries as they are, for what Optax has no form of."""

    ways: Mapping[str, Way]

    def out(self, state, like):
        """The entries by their keys."""
        return {key: entry_at(state, way) for key, way in self.ways.items()}

    def into(self, theirs, like, found):
        """Whole entries are entered under no field."""
        if not isinstance(theirs, Mapping) or set(theirs) != set(self.ways):
            raise FormError(f"a {type(theirs).__name__} stands where {sorted(self.ways)} are expected")
        for key, way in self.ways.items():
            found[way, ""] = theirs[key]


@dataclasses.dataclass(frozen=True)
class Alone(Node):
    """One whole entry in the place of its own key: the state of another library's transformation."""

    way: Way

    def out(self, state, like):
        """The entry."""
        return entry_at(state, self.way)

    def into(self, theirs, like, found):
        """The entry."""
        found[self.way, ""] = theirs


@dataclasses.dataclass(frozen=True)
class Row(Node):
    """A tuple of parts, as a chain keeps them, or with a class a NamedTuple of them."""

    parts: Sequence[Node]
    cls: type | None = None

    def out(self, state, like):
        """The tuple."""
        made = [part.out(state, like) for part in self.parts]
        return tuple(made) if self.cls is None else self.cls(*made)

    def into(self, theirs, like, found):
        """Each part in turn."""
        if not isinstance(theirs, Sequence) or len(theirs) != len(self.parts):
            size = f" of {len(theirs)}" if hasattr(theirs, "__len__") else ""
            name = "a tuple" if self.cls is None else f"{self.cls.__name__}{getattr(self.cls, '_fields', '')}"
            raise FormError(
                f"a {type(theirs).__name__}{size} stands where {name} of {len(self.parts)} is expected"
            )
        for part, their in zip(self.parts, theirs, strict=True):
            part.into(their, like, found)


@dataclasses.dataclass(frozen=True)
class Table(Node):
    """A dict of parts."""

    parts: Mapping[Any, Node]
    cls: Callable[[dict], Any] = dict

    def out(self, state, like):
        """The dict."""
        return self.cls({key: part.out(state, like) for key, part in self.parts.items()})

    def into(self, theirs, like, found):
        """Each part in turn."""
        if not isinstance(theirs, Mapping) or set(theirs) != set(self.parts):
            held = sorted(map(str, theirs)) if isinstance(theirs, Mapping) else type(theirs).__name__
            raise FormError(f"{held} stands where {sorted(map(str, self.parts))} are expected")
        for key, part in self.parts.items():
            part.into(theirs[key], like, found)


def entry_at(state: Mapping[str, Any], way: Way) -> Any:
    """The entry at the end of a way."""
    for key in way:
        state = state[key]
    return state


@dataclasses.dataclass(frozen=True)
class Entry:
    """The entry of a link: where it is, its class, and the values of fields that Optax's form has not."""

    way: Way
    cls: type
    fill: Callable[[str], Any]

    def made(self, found: Found) -> Any:
        """The entry from what was found of it; a counter that is not shown is that of another link."""
        counts = [x for (_, field), x in found.items() if field == "count"]
        values = {}
        for field in getattr(self.cls, "_fields", ()):
            if (self.way, field) in found:
                values[field] = found[self.way, field]
            elif field == "count" and counts:
                values[field] = counts[0]
            else:
                values[field] = self.fill(field)
        return self.cls(**values)


@dataclasses.dataclass(frozen=True)
class Form:
    """The description of a transform's state, and the entries of its links."""

    root: Node
    entries: Sequence[Entry]
    left_out: Any  # what stands for a leaf that a mask leaves out

    def out(self, state: Mapping[str, Any], params: PyTree) -> Any:
        """Optax's form of a state of links; `params` may be the updates."""
        return self.root.out(state, Like(params, self.left_out))

    def into(self, theirs: Any, params: PyTree) -> dict[str, Any]:
        """The state of links of one in Optax's form."""
        found: Found = {}
        self.root.into(theirs, Like(params, self.left_out), found)
        return self._made(found)

    @functools.cached_property
    def shows_nothing(self) -> bool:
        """Whether no array of the state is in Optax's form."""
        return not any(isinstance(node, Field | Alone | Entries) for node in self.root.walk())

    def start(self) -> dict[str, Any]:
        """The state of links where Optax's form shows nothing of it."""
        return self._made({})

    def _made(self, found: Found) -> dict[str, Any]:
        state: dict[str, Any] = {}
        for (way, field), value in found.items():
            if not field:
                _put(state, way, value)
        for entry in self.entries:
            _put(state, entry.way, entry.made(found))
        return state


def _put(state: dict[str, Any], way: Way, value: Any) -> None:
    for key in way[:-1]:
        state = state.setdefault(key, {})
    state[way[-1]] = value
