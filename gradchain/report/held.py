"""States as frameworks hold them: inside optimizers and train states, with variables for arrays."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import jax

from gradchain.core import ages, states, tree
from gradchain.core.link import BORN, Link
from gradchain.core.transform import Transform
from gradchain.report.links import links


def opt_state(holder: Any) -> Any:
    """The optimizer's state of an nnx.Optimizer, a TrainState or the like; a state by itself as it is."""
    return holder.opt_state if hasattr(holder, "opt_state") and hasattr(holder, "tx") else holder


def value_of(leaf: Any) -> Any:
    """The array that a variable holds; anything else as it is."""
    return leaf.get_value() if tree.is_variable(leaf) else leaf


def arrays(holder: Any) -> Any:
    """The optimizer's state with bare arrays for variables, in the containers that it has."""
    return jax.tree.map(value_of, opt_state(holder), is_leaf=tree.is_variable)


def entries(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every NamedTuple of a state, with its path."""
    if hasattr(node, "_fields"):
        yield path, node
        node = node._asdict()
    elif isinstance(node, list | tuple):
        node = dict(enumerate(node))
    if isinstance(node, Mapping):
        for name, child in node.items():
            yield from entries(child, f"{path}/{name}" if path else str(name))


def checked(holder: Any, tx: Transform, who: str) -> Any:
    """The state with bare arrays for variables; an error where an entry of a link has lost its class."""
    state = arrays(holder)
    for place in links(tx):
        if place.way is not None and isinstance(place.body, Link):
            entry: Any = state
            for key in place.way:
                if not isinstance(entry, Mapping) or key not in entry:
                    found = sorted(map(str, entry)) if isinstance(entry, Mapping) else type(entry).__name__
                    raise ValueError(
                        f"{who}: the state has no entry {place.path!r} of {tx.name}, but {found}; it belongs "
                        "to another optimizer: make a new one with tx.init(params)"
                    )
                entry = entry[key]
            if not hasattr(entry, "_fields"):
                raise ValueError(f"{who}: {states.lost(place.path, entry, place.body.state_type)}")
    return state


def with_ages(holder: Any, names: Collection[str]) -> Any:
    """The holder, whose state says when leaves began: those that the names of arrays tell of, no others."""
    state = opt_state(holder)
    if not isinstance(state, Mapping) or not any(f"/{BORN}/" in x for x in (*names, *tree.paths(state))):
        return holder
    made = ages.among(state, names)
    if state is holder or hasattr(holder, "replace"):
        return made if state is holder else holder.replace(opt_state=made)
    holder.opt_state = made
    return holder


def put(holder: Any, new: Mapping[str, Any]) -> Any:
    """The holder with some arrays of its state replaced, by path; a mutable optimizer is changed in place."""
    state = opt_state(holder)
    leaves, treedef = jax.tree.flatten(state, is_leaf=tree.is_variable)
    mutable = state is not holder and not hasattr(holder, "replace")
    for i, path in enumerate(tree.paths(state)):
        if path not in new:
            continue
        if tree.is_variable(leaves[i]) and mutable:
            leaves[i].set_value(new[path])
        else:
            leaves[i] = leaves[i].replace(new[path]) if tree.is_variable(leaves[i]) else new[path]
    if state is holder:
        return treedef.unflatten(leaves)
    return holder if mutable else holder.replace(opt_state=treedef.unflatten(leaves))
