"""tree_map_params: a function on the arrays of a state that belong to a parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax

from gradchain.core import tree
from gradchain.core.foreign import Foreign
from gradchain.core.link import BORN, Link
from gradchain.core.transform import Body, Transform
from gradchain.wrappers.flat import Flat
from gradchain.wrappers.lookahead import LookaheadParams

PyTree = Any
Map = Callable[..., Any]


@jax.tree_util.register_static
class _Parameters:
    """Stands for all parameters where an `init` is called to see where it puts them; it has no leaves."""


def tree_map_params(
    initable: Any,
    f: Callable[..., Any],
    state: PyTree,
    /,
    *rest: PyTree,
    transform_non_params: Callable[[Any], Any] | None = None,
    is_leaf: Callable[[Any], bool] | None = None,
) -> PyTree:
    """The state with f(x, *others) for every array x that belongs to a parameter, such as moments.

        specs = tree_map_params(tx, lambda x, spec: spec, state, specs_of_params)

    `initable` is what made the state: a transform, another library's, or its `init`. `rest` are trees like
    the parameters, whose entries at the same parameter are the others. Counters, hyperparameters and norms
    go through transform_non_params, or stay.
    """
    rows = [_by_path(r, is_leaf) for r in rest]
    others = transform_non_params or (lambda x: x)

    def own(field: PyTree) -> PyTree:
        leaves, treedef = jax.tree.flatten(field, is_leaf=is_leaf)
        try:
            columns = [treedef.flatten_up_to(r) for r in rest]
        except (ValueError, TypeError, KeyError):  # a part of the parameters, by path
            columns = [[row[path] for path in _paths(field, is_leaf)] for row in rows]
        return treedef.unflatten([f(*row) for row in zip(leaves, *columns, strict=True)])

    def plain(entry: PyTree) -> PyTree:
        return jax.tree.map(others, entry)

    def foreign(init: Callable[[Any], Any], entry: PyTree) -> PyTree:
        try:
            shown = _shown(init)
        except Exception:  # it looks at the parameters: Optax knows what its own do
            import optax

            if optax.tree_map_params is tree_map_params:  # gradchain's names are in the place of Optax's
                raise
            known: Any = {"transform_non_params": transform_non_params, "is_leaf": is_leaf}
            return optax.tree_map_params(init, f, entry, *rest, **known)
        return _where_given(shown, entry, own, plain)

    if isinstance(initable, Transform):
        return _of_links(initable, state, own, plain, foreign)
    return foreign(getattr(initable, "init", initable), state)


def _shown(init: Callable[[Any], Any]) -> Any:
    """The state of the parameters that are stood in for, or of a pair of them."""
    stand_in: Any = _Parameters()
    try:
        return init(stand_in)
    except Exception as error:
        try:
            return init(LookaheadParams(stand_in, stand_in))
        except Exception:
            raise error from None


def _paths(values: PyTree, is_leaf: Any) -> tuple[str, ...]:
    return tree.paths(jax.tree.map(lambda x: 0, values, is_leaf=is_leaf))


def _by_path(values: PyTree, is_leaf: Any) -> Mapping[str, Any]:
    return dict(zip(_paths(values, is_leaf), jax.tree.leaves(values, is_leaf=is_leaf), strict=True))


def _entries(body: Body, ways: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[tuple[str, ...], Body]]:
    """The way to every entry that links keep of the leaves, and its body."""
    insides = [] if isinstance(body, Flat) else body.inside()
    theirs = {way[0] for inside in insides for way in inside.where.values()}
    if not isinstance(body, Flat):
        yield from ((ways[key], body) for key in body.keys if key not in theirs)
    for inside in insides:
        there = {k: (*ways[first], *more) for k, (first, *more) in inside.where.items()}
        yield from _entries(inside.tx.body, there)


def _of_links(tx: Transform, state: Any, own: Map, plain: Map, foreign: Map) -> Any:
    bodies = dict(_entries(tx.body, {k: (k,) for k in tx.body.keys}))

    def entry(value: Any, way: tuple[str, ...]) -> Any:
        body = bodies.get(way)
        if isinstance(body, Foreign):
            return foreign(body.tx.init, value)
        if isinstance(body, Link) and hasattr(value, "_fields"):
            kept = {*body.globals, "count", "hyperparams", BORN}
            return type(value)(
                *((plain if f in kept else own)(x) for f, x in zip(value._fields, value, strict=True))
            )
        if body is None and isinstance(value, Mapping):
            return {k: entry(x, (*way, k)) for k, x in value.items()}
        return plain(value)

    if not isinstance(state, Mapping) or set(state) != set(tx.body.keys):
        found = sorted(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
        raise ValueError(
            f"tree_map_params: the state has entries {found}; {tx.name} keeps {sorted(tx.body.keys)}: "
            "pass what made the state"
        )
    return entry(state, ())


def _where_given(shown: Any, state: Any, own: Map, plain: Map) -> Any:
    """The same for another library's state, by where its `init` has put what it was given."""

    def given(x: Any) -> bool:
        return isinstance(x, _Parameters)

    nodes, treedef = jax.tree.flatten(shown, is_leaf=given)
    try:
        parts = treedef.flatten_up_to(state)
    except (ValueError, TypeError) as error:
        raise ValueError(f"tree_map_params: the state is not what the init makes: {error}") from None
    return treedef.unflatten(
        [own(x) if given(node) else plain(x) for node, x in zip(nodes, parts, strict=True)]
    )
