"""Restoring: parameters and state from a checkpoint of any kind that can be read by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
from jax.sharding import AbstractMesh, NamedSharding

from gradchain.checkpoint import about as abouts
from gradchain.checkpoint.about import About
from gradchain.checkpoint.errors import CheckpointError, misfit, show
from gradchain.checkpoint.fill import fill, homes
from gradchain.checkpoint.moved import put
from gradchain.checkpoint.plan import Saved, Wishes, plan
from gradchain.checkpoint.report import LoadReport, Outcome
from gradchain.core import place, tree
from gradchain.core.leaves import is_array
from gradchain.core.transform import Transform

# Reads arrays by name, each to its place; None is the host.
Reader = Callable[[Mapping[str, NamedSharding | None]], Mapping[str, Any]]


class Restored(NamedTuple):
    """What a checkpoint gave: parameters (those given, where it has none), state, step, report, metadata."""

    params: Any
    state: dict[str, Any]
    step: int | None
    report: LoadReport
    metadata: Any


def restore(
    about: About, read: Reader, tx: Transform, params: Any, wishes: Wishes, saved_by: Transform | None
) -> Restored:
    """Parameters and state: what becomes of each leaf is decided, what is needed read, and put in place."""
    saved = Saved(
        {path: x.abstract for path, x in about.part("state").items()},
        abouts.codecs(about, tx, params, saved_by),
        optimizer=about.optimizer,
    )
    weights = {path: x.abstract for path, x in about.part("params").items()}
    wanted, outcomes = _params(params, weights, wishes) if weights else ({}, ())
    made = plan(tx, params, saved, wishes)
    asked = {f"state/{path}": home for path, home in homes(made, saved.arrays).items()}
    asked |= {f"params/{path}": home for path, home in wanted.items()}
    for name, home in asked.items():
        _check_home(name, about.arrays[name], home, wishes.who)
    found = read(asked)
    if weights:
        params = _filled(params, {path: found[f"params/{path}"] for path in wanted})
        made = plan(tx, params, saved, wishes)  # what starts as a copy of parameters needs their values
    state = fill(made, {k.partition("/")[2]: x for k, x in found.items() if k.startswith("state/")})
    return Restored(params, state, about.step, LoadReport(outcomes) + made.report, about.metadata)


def _check_home(name: str, x: Any, home: NamedSharding | None, who: str) -> None:
    """An error where an array cannot be as it is asked for, before anything is read."""
    if home is None:
        return
    what = f"{who}: {name!r} ({x.dtype}{list(x.shape)})"
    if isinstance(home.mesh, AbstractMesh):
        raise CheckpointError(
            f"{what} is wanted on an AbstractMesh, which has no devices; expected a NamedSharding on a Mesh. "
            "Make one with gradchain.make_mesh or jax.make_mesh"
        )
    try:
        home.shard_shape(x.shape)
    except ValueError as error:
        raise CheckpointError(
            f"{what} cannot be split as {home.spec} over {dict(home.mesh.shape)}: {error}. Give params with "
            "another sharding; the checkpoint itself may be read to any"
        ) from None


def _params(
    params: Any, saved: Mapping[str, Any], wishes: Wishes
) -> tuple[dict[str, Any], tuple[Outcome, ...]]:
    """Which parameters to read and where to, and what becomes of each; errors for what does not fit."""
    wanted, outcomes = {}, []
    for path, x in zip(tree.paths(params), jax.tree.leaves(params), strict=True):
        if not is_array(x):
            continue
        name = f"params/{path}"
        if wishes.anew(name):
            outcomes.append(Outcome("initialised", name, "params", "as asked"))
            continue
        advice = f"It was saved with another model: restore into that one, or pass initialise={name!r}"
        if path not in saved:
            misfit(wishes.who, name, "missing", show(x), advice)
        if tuple(saved[path].shape) != tuple(x.shape):
            misfit(wishes.who, name, show(saved[path]), show(x), advice)
        wanted[path] = place.of(x)
        note = "" if saved[path].dtype == x.dtype else f"{saved[path].dtype} -> {x.dtype}"
        outcomes.append(Outcome("loaded", name, "params", note))
    left = [path for path in saved if path not in {o.path.removeprefix("params/") for o in outcomes}]
    outcomes += [Outcome("dropped", f"params/{p}", "params", "no such parameter") for p in left]
    if wishes.strict and len(outcomes) > len(wanted):
        odd = next(o for o in outcomes if o.kind != "loaded")
        raise CheckpointError(f"{wishes.who}: strict=True, and {odd.path!r} would be {odd.kind} ({odd.note})")
    return wanted, tuple(outcomes)


def _filled(params: Any, found: Mapping[str, Any]) -> Any:
    leaves, treedef = jax.tree.flatten(params)
    for i, path in enumerate(tree.paths(params)):
        if path in found:
            x = found[path]
            leaves[i] = put(
                x if x.dtype == leaves[i].dtype else x.astype(leaves[i].dtype), place.of(leaves[i])
            )
    return treedef.unflatten(leaves)
