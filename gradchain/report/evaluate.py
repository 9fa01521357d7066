"""eval_params: the parameters to evaluate with, where an optimizer keeps other ones than it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.inside import opens
from gradchain.core.states import state_class
from gradchain.core.transform import Transform, need_transform
from gradchain.report import held
from gradchain.wrappers.schedule_free import FlatScheduleFreeState

PyTree = Any


@opens
def eval_params(tx: Transform, state: Any, params: PyTree) -> PyTree:
    """The parameters to evaluate with: an average's, a lookahead's slow ones, else `params` as they are.

    Like `params` in containers and dtypes; leaves that the average leaves out come from `params`. With
    several links that keep some, the outermost (last) counts. `state` may be an nnx.Optimizer or TrainState.
    Copies, which a donated step leaves alone.
    A State class declares the field, eval_field = "average", and if that is not the parameter itself,
    eval_leaf(self, p): the parameter of one leaf, with that of the field in self, for the one trained, p.
    """
    need_transform(tx, "eval_params(tx, state, params)", state, params)
    kept = _kept(tx.body.keys, held.checked(state, tx, "eval_params"))
    return _filled(params, kept)


def schedule_free_eval_params(state: Any, params: PyTree) -> PyTree:
    """The parameters to evaluate with of `schedule_free`, from its state alone: x for the parameters y.

    x = (y - (1 - b1) z) / b1, as `eval_params(tx, state, params)` gives with the optimizer at hand. `state`
    may hold other links too, be an nnx.Optimizer or TrainState, or Optax's own ScheduleFreeState.
    """
    bare = held.arrays(state)
    nodes = [bare] if hasattr(bare, "z") else [entry for _, entry in held.entries(bare)]
    kept: dict[str, Evaluated] = {}
    for node in nodes:
        if hasattr(node, "z") and hasattr(node, "b1"):
            flat = FlatScheduleFreeState(node.b1, *(None,) * 3, node.z)  # pyright: ignore
            kept |= _of_entry(flat, "z")
    if not kept and jax.tree.leaves(params):
        raise ValueError(
            "schedule_free_eval_params: the state has no z and b1, which schedule_free keeps; expected the "
            "state of an optimizer made with it"
        )
    return _filled(params, kept)


Evaluated = Callable[[Array], Array]


def _filled(params: PyTree, kept: Mapping[str, Evaluated]) -> PyTree:
    """The parameters with those put in place that something else is evaluated for."""
    leaves, treedef = jax.tree.flatten(params)
    rows = zip(tree.paths(params), leaves, strict=True)
    return treedef.unflatten([
        jnp.array(kept[p](x), dtype=x.dtype, copy=True) if p in kept else x for p, x in rows
    ])  # fmt: skip


def _kept(keys, state: Mapping[str, Any]) -> dict[str, Evaluated]:
    """What to evaluate, by path, from the last entry that keeps any; all groups of a partition."""
    for key in reversed(list(keys)):
        entry = state[key]
        if isinstance(entry, Mapping) and (found := _kept(entry, entry)):
            others = [k for k in keys if k != key and isinstance(state[k], Mapping)]
            return _kept(others, state) | found
        if field := getattr(state_class(entry), "eval_field", None):
            return _of_entry(entry, field)
    return {}


def _of_entry(entry: Any, field: str) -> dict[str, Evaluated]:
    kept = getattr(entry, field)
    rows = zip(tree.paths(kept), jax.tree.leaves(kept), strict=True)
    if not hasattr(entry, "eval_leaf"):
        return {path: lambda p, x=x: x for path, x in rows}
    return {path: lambda p, x=x: _evaluated(entry._replace(**{field: x}), p) for path, x in rows}


def _evaluated(entry: Any, p: Array) -> Array:
    return entry.eval_leaf(tree.wide(p))
