"""Selection by path: which leaves a mask, a group or a freeze means.

A selection is a glob on the path ("**/kernel", "encoder/**"), a compiled regular expression (searched), a
list of those (any), a predicate `(path, leaf) -> bool`, a tree of booleans or labels (it may be a prefix of
the parameters), a function of the parameters that returns such a tree, or None (all leaves).
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import inspect
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import jax

from gradchain.core import kinds, words
from gradchain.core import tree as trees

if TYPE_CHECKING:
    Selection = Any
else:
    Selection = Annotated[Any, kinds.SELECTION]


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


def labels(spec: Selection, tree, whole=None) -> list:
    """The label of each leaf, from a tree of them or a function: a sequence of texts is a tree here."""
    return _by_tree(spec, trees.paths(tree)) if _is_patterns(spec) else values(spec, tree, whole)


def values(spec: Selection, tree, whole=None) -> list:
    """What a selection says of each leaf of `tree`: a truth value, or a label from a tree of them.

    A function of the parameters is given `whole`, where `tree` is a part of it.
    """
    leaves, paths = jax.tree.leaves(tree), trees.paths(tree)
    if spec is None:
        return [True] * len(leaves)
    if isinstance(spec, str | re.Pattern):
        return [matches(spec, path) for path in paths]
    if _is_patterns(spec):
        return [any(matches(s, path) for s in spec) for path in paths]
    if is_predicate(spec):
        return [_asked(spec, path, leaf) for path, leaf in zip(paths, leaves, strict=True)]
    if _is_function(spec):
        spec = spec(tree if whole is None else whole)
    return _by_tree(spec, paths)


def _asked(f, path: str, leaf) -> Any:
    """What a predicate says of a leaf; its own errors say what it is called with."""
    try:
        return f(path, leaf)
    except Exception as error:
        shape = list(getattr(leaf, "shape", ()))
        error.add_note(
            f"in the predicate {words.show(f)} for the leaf {path!r}: it is called as f(path, leaf), the "
            f"path a text ({path!r}), the leaf an array (of shape {shape}): lambda path, leaf: ..."
        )
        raise


def is_text(spec: Selection) -> bool:
    """Whether a selection is a pattern or several, which may be misspelt."""
    return isinstance(spec, str | re.Pattern) or _is_patterns(spec)


def chosen(spec: Selection, tree, who: str, whole=None) -> tuple[bool, ...]:
    """Which leaves of `tree` a selection chooses; a pattern that matches none is an error, a misspelt one.

    `whole` is the tree with the leaves that nothing acts on, where `tree` is without: for functions of it.
    """
    if spec is None:
        return (True,) * len(jax.tree.leaves(tree))
    found = values(spec, tree, whole)
    if any(not isinstance(v, bool | int) and not hasattr(v, "dtype") for v in found):
        path, bad = next(
            (p, v) for p, v in zip(trees.paths(tree), found, strict=True) if not isinstance(v, bool)
        )
        also = ": does the predicate return anything?" if bad is None and _is_function(spec) else ""
        raise TypeError(
            f"{who}: the mask says {words.show(bad)} for {path!r}; expected True or False for every "
            f"leaf{also or _whole(spec, bad)}"
        )
    for path, v in zip(trees.paths(tree), found, strict=True):
        if getattr(v, "size", 1) != 1:
            raise TypeError(
                f"{who}: the mask says {words.show(v)} for {path!r}; expected one True or False for each "
                "leaf, not for each number in it"
            )
    picked = tuple(bool(v) for v in found)
    if picked and not any(picked) and is_text(spec):
        if whole is not None and any(values(spec, whole)):
            return picked
        raise ValueError(
            f"{who}: the mask {words.show(spec)} matches none of {len(picked)} leaves; "
            f"{hint(spec, trees.paths(tree))}"
        )
    return picked


def _whole(spec: Selection, said: Any) -> str:
    """What to do about a tree that says nothing of some leaves."""
    tree = isinstance(spec, Mapping) and said is None
    return ": write an entry for each part of the parameters, or a glob: '**/kernel'" if tree else ""


def hint(spec: Selection, paths: Sequence[str]) -> str:
    """What the paths look like, nearest to a pattern first."""
    near = difflib.get_close_matches(spec, paths, 3, 0.3) if isinstance(spec, str) and len(spec) < 500 else []
    shown = near or list(paths[:3])
    meant = f"; did you mean {better}?" if (better := _better(spec, paths)) else ""
    return "paths look like " + ", ".join(words.show(p) for p in shown) + meant


def _better(spec: Selection, paths: Sequence[str]) -> str:
    """A selection near to a text that chooses something: a glob, or what it is as a regular expression."""
    if not isinstance(spec, str) or len(spec) > 200:
        return ""
    plain = spec.strip("*/")
    slashed = plain.replace(".", "/")
    for one in (f"**/{plain}", f"{plain}/**", f"**/{plain}/**", slashed, f"**/{slashed}"):
        if plain and any(matches(one, path) for path in paths):
            return repr(one)
    with contextlib.suppress(re.error):
        if any(re.search(spec, path) for path in paths):
            return f"re.compile({spec!r})"
    return ""
