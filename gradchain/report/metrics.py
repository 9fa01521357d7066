"""metrics: what the state says of the last step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import states
from gradchain.core.recipe import REGISTRY
from gradchain.core.states import state_class
from gradchain.report import held

Report = tuple[str, str, Array]  # where, under what name, how much


def metrics(state: Any) -> dict[str, Any]:
    """What a state says of the last step: step, learning_rate, norms, skipped updates. Nothing is recomputed.

    `state` is that of tx.init and tx.update, or as nnx.Optimizer and TrainState hold it, or one of these two;
    in or out of jit. `step` is the largest count of updates in it. The names depend on the links, never on
    values: a name that several links report is given to none, and each has it under its path,
    "decay/scale_by_learning_rate/learning_rate". What a `snapshot` measures, and what `inject_hyperparams`
    injects, goes by its name before others.
    A State class declares its part, fields or (name, field): metrics = ("skipped", ("grad_norm", "norm")).
    """
    counts: list[Array] = []
    named: list[Report] = []
    measured: list[Report] = []
    bare = held.arrays(state)
    entries = list(held.entries(bare))
    _check(bare, [path for path, _ in entries])
    for path, entry in entries:
        fields = entry._asdict()
        if hasattr(fields.get("count"), "ndim"):
            counts.append(fields["count"])
        if isinstance(measurement := fields.get("measurement"), Mapping):
            measured += [(path, name, value) for name, value in measurement.items()]
        if isinstance(kept := fields.get("hyperparams"), Mapping):
            first = getattr(state_class(entry), "gives_hyperparams", False)  # to what it wraps
            (measured if first else named).extend((path, name, value) for name, value in kept.items())
        for declared in getattr(state_class(entry), "metrics", ()):
            name, field = (declared, declared) if isinstance(declared, str) else declared
            named.append((path, name, fields[field]))
    step = {"step": jnp.max(jnp.stack(counts), axis=0) if len(counts) > 1 else counts[0]} if counts else {}
    return _unique(named, _unique(measured, step))


def _check(state: Any, paths: list[str]) -> None:
    """Raise for what is no state, and for an entry of a link that has lost its class."""
    if hasattr(state, "init") and hasattr(state, "update"):
        raise TypeError("metrics: the argument is an optimizer; expected its state: metrics(state)")
    for name, entry in state.items() if isinstance(state, Mapping) else ():
        kept = any(path.split("/")[0] == name for path in paths)
        if name in REGISTRY and not kept and jax.tree.leaves(entry):
            raise ValueError(f"metrics: {states.lost(name, entry)}")
    if not paths and (jax.tree.leaves(state) or not isinstance(state, Mapping | list | tuple)):
        about = f" with {sorted(map(str, state))[:4]}" if isinstance(state, Mapping) else ""
        raise TypeError(
            f"metrics: the argument is a {type(state).__name__}{about}, without the state of a link; "
            "expected the state that tx.init and tx.update return"
        )


def _unique(reports: list[Report], taken: dict[str, Array]) -> dict[str, Array]:
    """The reports by name, where a name is taken or reported twice by path and name."""
    names = [name for _, name, _ in reports]
    return taken | {
        f"{path}/{name}" if name in taken or names.count(name) > 1 else name: value
        for path, name, value in reports
    }
