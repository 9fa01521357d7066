"""A state by name: as a flat dict, from one, and into a framework's optimizer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from gradchain.checkpoint.cells import codecs_of
from gradchain.checkpoint.ensemble import laid_out
from gradchain.checkpoint.errors import CheckpointError
from gradchain.checkpoint.fill import fill
from gradchain.checkpoint.given import needs_leaves
from gradchain.checkpoint.plan import Saved, overridden, plan
from gradchain.checkpoint.report import LoadReport, Restored
from gradchain.checkpoint.wishes import Wishes
from gradchain.core import tree
from gradchain.core.inside import opens
from gradchain.core.transform import Transform, need_transform
from gradchain.report import held
from gradchain.report.metrics import metrics


def state_dict(state: Any) -> dict[str, Any]:
    """The arrays of a state by path: {"scale_by_adam/mu/encoder/kernel": array, ...}.

    `state` is what `tx.init` returns, an nnx.Optimizer or a TrainState. The names are those of links, fields
    and parameters: one more link in the chain, a wrapper around it or another order changes no other name.
    """
    found = held.arrays(state)
    return dict(zip(tree.paths(found), jax.tree.leaves(found), strict=True))


@opens
def load_state(
    tx: Transform,
    params: Any,
    saved: Any,
    *,
    initialise: Any = (),
    strict: bool = False,
    saved_by: Transform | None = None,
) -> tuple[dict[str, Any], LoadReport]:
    """The state of `tx` for `params` from a saved one, by name, and a report of what became of each leaf.

    `saved` is what `state_dict` returned, or a state. What fits is taken over bit for bit and placed on the
    devices as `params`, which may be abstract, say; what is missing starts as `tx.init` makes it; what is
    left over is dropped. Another float dtype is cast, another storage converted, if `saved_by` says which
    optimizer it was: a dict of arrays does not. A leaf of another shape is a CheckpointError, and so is
    a state of which nothing fits.
    `initialise` selects what starts anew whatever was saved: patterns of paths ("**/head/*"), a predicate
    (path, leaf) -> bool, or a tree like the parameters. `strict`: initialised or dropped is an error.
    """
    need_transform(tx, "load_state(tx, params, saved)", params, saved)
    needs_leaves("load_state", params)
    if isinstance(saved, str | bytes | os.PathLike):
        raise CheckpointError(
            f"load_state: saved is {saved!r:.80}; expected a state or a dict of arrays by path. A file is "
            "read by gradchain.load(path, tx, params), a folder by Checkpointer(folder).restore(tx, params)"
        )
    if _nameless(saved):
        saved = _named(saved, tx.slots(params))
    by_name = isinstance(saved, Mapping) and all(isinstance(k, str) for k in saved)
    flat = saved if by_name and _is_flat(saved) else state_dict(saved)
    arrays = {path: x if hasattr(x, "dtype") else _array(path, x) for path, x in flat.items()}
    layout = laid_out(tx, params, arrays, "load_state")
    wishes = Wishes(initialise, strict).over(params, layout.cells)
    if not arrays and any(not wishes.anew(path) for path in layout.cells):
        raise CheckpointError(
            f"load_state: saved is {saved!r:.80}, which holds no arrays; expected the state of {tx.name}, as "
            f"state_dict gives it: {next(iter(layout.cells))!r} and so on. To begin anew use tx.init(params)"
        )
    codecs, held_by = None, ""
    if saved_by is not None:
        codecs = codecs_of(laid_out(saved_by, params, arrays, "load_state").cells)
        held_by = repr(saved_by.recipe)
    made = overridden(plan(layout, Saved(arrays, codecs, optimizer=held_by), wishes), arrays)
    return fill(made, arrays), made.report


def _nameless(saved: Any) -> bool:
    """Whether lists, tuples or dicts by number stand anywhere in a state: perhaps in place of NamedTuples."""
    if type(saved) in (list, tuple):
        return True
    if not isinstance(saved, Mapping):
        return False
    return list(saved)[:1] == ["0"] or any(map(_nameless, saved.values()))


def _named(saved: Any, slots: Any) -> Any:
    """A state with its fields by name, where a list or a tuple came back for a NamedTuple."""
    if hasattr(slots, "_fields"):
        at = [str(i) for i in range(len(slots._fields))]
        if type(saved) in (list, tuple) and len(saved) == len(at):
            return dict(zip(slots._fields, saved, strict=True))
        if isinstance(saved, Mapping) and list(saved) == at:
            return dict(zip(slots._fields, saved.values(), strict=True))
        return saved
    if isinstance(slots, Mapping) and isinstance(saved, Mapping) and not hasattr(saved, "_fields"):
        return {k: _named(x, slots[k]) if k in slots else x for k, x in saved.items()}
    return saved


def _array(path: str, x: Any) -> np.ndarray:
    found = np.asarray(x)
    if found.dtype.kind not in "biufc":
        raise CheckpointError(f"load_state: {path!r} is {x!r:.80} in the saved state; expected an array")
    return found


def _is_flat(saved: Mapping[str, Any]) -> bool:
    return all(jax.tree_util.all_leaves([x]) for x in saved.values())


def set_state(holder: Any, state: Any, step: Any = None) -> Any:
    """Put a state into an nnx.Optimizer, which is changed in place, or a TrainState: a new one is returned.

    `state` has the paths of the one that is there: that of the same optimizer for the same parameters. Only
    when leaves began may differ. It may be what `load` returned. The holder's own step becomes `step`;
    without it that of the checkpoint, else the state's count of updates (`metrics(state)["step"]`; under
    `accumulate` and `skip` the holder counts more than these: pass `step`); where there is none it stays.
    """
    if isinstance(state, Restored):
        state, step = state.state, state.step if step is None else step
    if step is None:
        step = held.step(state)
    if step is None:
        step = metrics(state).get("step")
    new = state_dict(state)
    holder = held.with_ages(holder, new)
    old = state_dict(holder)
    if odd := sorted(set(new) ^ set(old)):
        where = "the new state" if odd[0] in new else "the one to replace"
        more = f", and {len(odd) - 1} more" if odd[1:] else ""
        raise CheckpointError(
            f"set_state: {odd[0]!r} is only in {where}{more}; expected the same paths. "
            "Load the state with the optimizer that the holder has: load_state(tx, params, saved)"
        )
    return held.put_step(held.put(holder, new), step)
