"""Values found and replaced by their name, anywhere in a tree: in a state of any library's optimizer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.tree_util import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey

from gradchain.core import words

PyTree = Any
Path = tuple[Any, ...]
Filtering = Callable[[Path, Any], bool]
SHOWN = 6  # matches that an error lists


@dataclasses.dataclass(frozen=True)
class NamedTupleKey:
    """A step of a path into a NamedTuple: the tuple's class and the field, by name."""

    tuple_name: str
    name: str

    def __str__(self) -> str:
        return f"{self.tuple_name}.{self.name}"


def _is_named(node: Any) -> bool:
    return isinstance(node, tuple) and hasattr(node, "_fields")


def _children(node: Any) -> tuple[list[tuple[Any, Any]], Any]:
    """Pairs (key, child) of one level, and what puts children back; no pairs of a leaf."""
    rows, treedef = jax.tree_util.tree_flatten_with_path(node, is_leaf=lambda x: x is not node)
    if _is_named(node):
        return [
            (NamedTupleKey(type(node).__name__, f), x) for f, (_, x) in zip(node._fields, rows, strict=True)
        ], treedef
    return [(path[0], x) for path, x in rows if path], treedef


def _name(key: Any) -> Any:
    match key:
        case DictKey(key=name) | FlattenedIndexKey(key=name) | SequenceKey(idx=name):
            return name
        case GetAttrKey(name=name) | NamedTupleKey(name=name):
            return name
    return key


def _is_key(path: Path, node: Any, key: Any) -> bool:
    """Whether a node is what a key means: an entry, a field, a class of NamedTuples, or the end of a path."""
    if _is_named(node) and type(node).__name__ == key:
        return True
    if not path or isinstance(path[-1], SequenceKey | FlattenedIndexKey):
        return False
    if _name(path[-1]) == key:
        return True
    if not isinstance(key, str) or "/" not in key:
        return False
    names = [str(_name(k)) for k in path]
    return any("/".join(names[i:]) == key for i in range(len(names)))


def _found(node: Any, key: Any, filtering: Filtering | None, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if _is_key(path, node, key) and (filtering is None or filtering(path, node)):
        yield path, node
    for step, child in _children(node)[0]:
        yield from _found(child, key, filtering, (*path, step))


def _text(path: Path) -> str:
    return "/".join(str(_name(k)) for k in path)


def _names(node: Any) -> frozenset[str]:
    """What could be asked for, as text."""
    rows = _children(node)[0]
    here = [str(_name(k)) for k, _ in rows if not isinstance(k, SequenceKey | FlattenedIndexKey)]
    here += [type(node).__name__] if _is_named(node) else []
    return frozenset(here).union(*(_names(child) for _, child in rows))


def get_all_with_path(tree: PyTree, key: Any, filtering: Filtering | None = None) -> list[tuple[Path, Any]]:
    """All pairs (path, value) that a key means, also one within another.

    A key is that of a dict, the field of a NamedTuple or of a dataclass, the name of a NamedTuple's class, or
    the end of a path ("scale_by_adam/count"). filtering(path, value) says which to keep; a field of a
    NamedTuple stands in the path as NamedTupleKey(tuple_name, name).
    """
    return list(_found(tree, key, filtering))


def get(tree: PyTree, key: Any, default: Any = None, filtering: Filtering | None = None) -> Any:
    """The one value that a key means, as in `get_all_with_path`, or the default if there is none.

    KeyError, with the paths, if there are several: give more of the path, or a filtering.
    """
    found = get_all_with_path(tree, key, filtering)
    if len(found) > 1:
        paths = ", ".join(map(words.show, [_text(path) for path, _ in found[:SHOWN]]))
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise KeyError(
            f"get: {len(found)} values are called {words.show(key)}: {paths}{more}; give the end of the path "
            "that is meant as the key, or filtering=lambda path, value: ..."
        )
    return found[0][1] if found else default


def set(tree: PyTree, filtering: Filtering | None = None, /, **kwargs: Any) -> PyTree:
    """A copy of the tree with new values for all that the keywords mean, as in `get_all_with_path`.

    KeyError if a keyword means nothing. A path is given as set(state, **{"scale_by_adam/count": 0}).
    """
    used: dict[str, bool] = dict.fromkeys(kwargs, False)

    def replaced(node: Any, path: Path) -> Any:
        for key, value in kwargs.items():
            if _is_key(path, node, key) and (filtering is None or filtering(path, node)):
                used[key] = True
                return value
        rows, treedef = _children(node)
        return treedef.unflatten([replaced(x, (*path, k)) for k, x in rows]) if rows else node

    new = replaced(tree, ())
    for key, was in used.items():
        if not was:
            if filtering is not None and get_all_with_path(tree, key):
                raise KeyError(f"set: the filtering keeps none of the values called {words.show(key)}")
            near = words.near(key, sorted(_names(tree)))
            hint = f"; did you mean {near}?" if near else ""
            raise KeyError(f"set: no value is called {words.show(key)}{hint}")
    return new
