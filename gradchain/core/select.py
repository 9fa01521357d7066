"""Selection by path: which leaves a mask, a group or a freeze means.

A selection is a glob on the path ("**/kernel", "encoder/**"), a compiled regular expression (searched), a
list of those (any), a predicate `(path, leaf) -> bool`, a tree of booleans or labels (it may be a prefix of
the parameters), a function of the parameters that returns such a tree, or None (all leaves).
"""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from collections.abc import Sequence
from typing import Any

import jax

from gradchain.core import tree as trees

Selection = Any


@functools.lru_cache(maxsize=1024)
def glob(pattern: str) -> re.Pattern:
    """A path glob as a regular expression: * and ? stay within a name, ** spans names."""
    out, i = "", 0
    while i < len(pattern):
        if pattern.startswith("**/", i):
            out, i = out + "(?:.*/)?", i + 3
        elif pattern.startswith("/**", i) and i + 3 == len(pattern):
            out, i = out + "(?:/.*)?", i + 3
        elif pattern.startswith("**", i):
            out, i = out + ".*", i + 2
        else:
            c = pattern[i]
            out, i = out + {"*": "[^/]*", "?": "[^/]"}.get(c, re.escape(c)), i + 1
    return re.compile(out)


def matches(pattern: str | re.Pattern, path: str) -> bool:
    """Whether a glob matches the whole path, or a compiled expression is found in it."""
    return bool(glob(pattern).fullmatch(path) if isinstance(pattern, str) else pattern.search(path))


def _is_patterns(spec) -> bool:
    return (
        isinstance(spec, list | tuple) and bool(spec) and all(isinstance(s, str | re.Pattern) for s in spec)
    )


def _is_function(spec) -> bool:
    """A function rather than a pytree that happens to be callable, such as a module."""
    return callable(spec) and jax.tree.structure(spec) == jax.tree.structure(0)


def _arity(f) -> int:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is p.empty for p in inspect.signature(f).parameters.values())


def is_predicate(spec) -> bool:
    """Whether a selection is a function of a path and a leaf."""
    return _is_function(spec) and _arity(spec) >= 2


def _by_tree(spec, paths: Sequence[str]) -> list:
    """The value of a tree of labels at each path: the entry at the path, or at its longest prefix."""
    leaves = jax.tree.leaves(spec)
    at = dict(zip(trees.paths(spec), leaves, strict=True))
    found = []
    for path in paths:
        prefix = path
        while prefix and prefix not in at:
            prefix = prefix.rpartition("/")[0]
        found.append(at.get(prefix, at.get("")) if at else None)
    return found


def values(spec: Selection, tree) -> list:
    """What a selection says of each leaf of `tree`: a truth value, or a label from a tree of them."""
    leaves, paths = jax.tree.leaves(tree), trees.paths(tree)
    if spec is None:
        return [True] * len(leaves)
    if isinstance(spec, str | re.Pattern):
        return [matches(spec, path) for path in paths]
    if _is_patterns(spec):
        return [any(matches(s, path) for s in spec) for path in paths]
    if is_predicate(spec):
        return [spec(path, leaf) for path, leaf in zip(paths, leaves, strict=True)]
    if _is_function(spec):
        spec = spec(tree)
    return _by_tree(spec, paths)


def chosen(spec: Selection, tree, who: str) -> tuple[bool, ...]:
    """Which leaves of `tree` a selection chooses; none at all is an error, as a misspelt pattern would be."""
    if spec is None:
        return (True,) * len(jax.tree.leaves(tree))
    found = values(spec, tree)
    if any(not isinstance(v, bool | int) and not hasattr(v, "dtype") for v in found):
        path, bad = next(
            (p, v) for p, v in zip(trees.paths(tree), found, strict=True) if not isinstance(v, bool)
        )
        raise TypeError(f"{who}: the mask says {bad!r} for {path!r}; expected True or False for every leaf")
    picked = tuple(bool(v) for v in found)
    if picked and not any(picked):
        raise ValueError(
            f"{who}: the mask {spec!r} matches none of {len(picked)} leaves; {hint(spec, trees.paths(tree))}"
        )
    return picked


def hint(spec: Selection, paths: Sequence[str]) -> str:
    """What the paths look like, nearest to a pattern first."""
    near = difflib.get_close_matches(spec, paths, 3, 0.3) if isinstance(spec, str) else []
    shown = near or list(paths[:3])
    return "paths look like " + ", ".join(repr(p) for p in shown)
