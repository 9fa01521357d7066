"""Extra arguments of an update for a transform that sees some of the leaves."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from gradchain.core import tree

PyTree = Any
VALUES = ("value_fn", "obj_fn")  # functions of the parameters that give a number
GRADIENTS = ("grad_fn",)  # those that give a tree like them
TREES = ("grad", "previous_grads")  # trees like them


def extra_of(extra: Mapping[str, Any], whole: PyTree, picked: Sequence[bool]) -> dict[str, Any]:
    """The extra arguments for the chosen leaves as a dict by path; to functions the others are constants."""
    paths = [path for path, on in zip(tree.paths(whole), picked, strict=True) if on]

    def chosen(x: PyTree) -> dict[str, Any]:
        found = dict(zip(tree.paths(x), jax.tree.leaves(x), strict=True))
        return {path: found[path] for path in paths if path in found}

    def of_part(f: Callable, pick: Callable[[Any], Any]) -> Callable:
        @functools.wraps(f)  # with its signature: what it takes by name is asked of it
        def g(part, *args, **kwargs):
            return pick(f(tree.merge(whole, part), *args, **kwargs))

        return g

    found = dict(extra)
    for name in (*VALUES, *GRADIENTS, *TREES):
        if (x := extra.get(name)) is not None:
            is_tree, values = name in TREES, name in VALUES
            found[name] = chosen(x) if is_tree else of_part(x, (lambda y: y) if values else chosen)
    return found
