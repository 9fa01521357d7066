"""eval_params: the parameters to evaluate with, where an optimizer keeps other ones than it trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gradchain.core import tree
from gradchain.core.inside import opens
from gradchain.core.states import state_class
from gradchain.core.transform import Transform, need_transform
from gradchain.report import held

PyTree = Any


@opens
def eval_params(tx: Transform, state: Any, params: PyTree) -> PyTree:
    """The parameters to evaluate with: an average's, a lookahead's slow ones, else `params` as they are.

    Like `params` in containers and dtypes; leaves that the average leaves out come from `params`. With
    several links that keep some, the outermost (last) counts. `state` may be an nnx.Optimizer or TrainState.
    Copies, which a donated step leaves alone.
    A State class declares the field: eval_field = "average".
    """
    need_transform(tx, "eval_params(tx, state, params)", state, params)
    kept = _kept(tx.body.keys, held.checked(state, tx, "eval_params"))
    leaves, treedef = jax.tree.flatten(params)
    rows = zip(tree.paths(params), leaves, strict=True)
    return treedef.unflatten([
        jnp.array(kept[p], dtype=x.dtype, copy=True) if p in kept else x for p, x in rows
    ])  # fmt: skip


def _kept(keys, state: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays by path of the parameter, from the last entry that keeps any; all groups of a partition."""
    for key in reversed(list(keys)):
        entry = state[key]
        if isinstance(entry, Mapping) and (found := _kept(entry, entry)):
            others = [k for k in keys if k != key and isinstance(state[k], Mapping)]
            return _kept(others, state) | found
        if field := getattr(state_class(entry), "eval_field", None):
            field = getattr(entry, field)
            return dict(zip(tree.paths(field), jax.tree.leaves(field), strict=True))
    return {}
