"""metrics: what the state says of the last step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import words
from gradchain.core.link import state_class
from gradchain.core.transform import Transform
from gradchain.report import held

Report = tuple[str, str, Array]  # where, under what name, how much


def metrics(state: Any) -> dict[str, Array]:
    """What a state says of the last step: step, learning_rate, norms, skipped updates. Nothing is recomputed.

    `state` is that of tx.init and tx.update, or as nnx.Optimizer and TrainState hold it, or one of these two;
    in or out of jit. `step` is the largest count of updates in it. The names depend on the links, never on
    values: a name that several links report is given to none, and each has it under its path,
    "decay/scale_by_learning_rate/learning_rate". What a `snapshot` measures goes by its name before others.
    A State class declares its part, fields or (name, field): metrics = ("skipped", ("grad_norm", "norm")).
    """
    counts: list[Array] = []
    named: list[Report] = []
    measured: list[Report] = []
    for path, entry in _entries(state):
        fields = entry._asdict()
        if hasattr(fields.get("count"), "ndim"):
            counts.append(fields["count"])
        if isinstance(measurement := fields.get("measurement"), Mapping):
            measured += [(path, name, value) for name, value in measurement.items()]
        if isinstance(kept := fields.get("hyperparams"), Mapping):
            named += [(path, name, value) for name, value in kept.items()]
        for declared in getattr(state_class(entry), "metrics", ()):
            name, field = (declared, declared) if isinstance(declared, str) else declared
            named.append((path, name, fields[field]))
    step = {"step": jnp.max(jnp.stack(counts), axis=0) if len(counts) > 1 else counts[0]} if counts else {}
    return _unique(named, _unique(measured, step))


def _entries(state: Any) -> list[tuple[str, Any]]:
    """The states of links, with their paths; an error for what holds none, as parameters do."""
    if isinstance(state, Transform):
        raise TypeError(
            f"metrics: expected a state, found the optimizer {words.show(state)}: metrics(state), with the "
            "state that tx.init or tx.update returned"
        )
    found = list(held.entries(held.arrays(state)))
    if not found and (leaves := jax.tree.leaves(held.opt_state(state))):
        raise TypeError(
            f"metrics: found no state of a link among {len(leaves)} leaves of {words.show(state)}: "
            "metrics(state), with the state that tx.init or tx.update returned, not the parameters"
        )
    return found


def _unique(reports: list[Report], taken: dict[str, Array]) -> dict[str, Array]:
    """The reports by name, where a name is taken or reported twice by path and name."""
    names = [name for _, name, _ in reports]
    return taken | {
        f"{path}/{name}" if name in taken or names.count(name) > 1 else name: value
        for path, name, value in reports
    }
