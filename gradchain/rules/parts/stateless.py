"""stateless: a function of updates and parameters as a link."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from gradchain.core import returned
from gradchain.core.link import treewise
from gradchain.core.transform import transform


def unchanged(updates, params):
    """The updates as they are: for examples."""
    return updates


@transform(example=lambda: {"f": unchanged}, traits=frozenset({"any_leaf"}))
def stateless(f: Callable[[Any, Any], Any]):
    """A function as a link without state: u = f(updates, params), on whole trees; params may be None."""

    def update(updates, params):
        return returned.updates(f(updates, params), updates, "stateless", "f", f)

    return treewise(None, update)


@transform(example=lambda: {"f": unchanged}, traits=frozenset({"any_leaf"}))
def stateless_with_tree_map(f: Callable[[Any, Any], Any]):
    """A function as a link without state: u = f(g, p) for each leaf; p is None where no params are given."""

    def update(updates, params):
        made = jax.tree.map(
            lambda g, *p: f(g, p[0] if p else None), updates, *(() if params is None else (params,))
        )
        return returned.updates(made, updates, "stateless_with_tree_map", "f", f)

    return treewise(None, update)
