"""snapshot: look at the updates in the middle of a chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import scalar, shared
from gradchain.core.transform import transform


class SnapshotState(NamedTuple):
    measurement: dict[str, Array]  # measure_name -> [] of the last updates


@transform(traits=frozenset({"any_leaf"}), example=lambda: {"measure_name": "update_norm"})
def snapshot(measure_name: str, measure: Callable[[Any], Array] | None = None):
    """Pass updates through and keep one number of them in the state: u = g.

    measure(updates) -> scalar, by default the global norm; `metrics` reports it as measure_name. Under a
    mask the updates are a list of the chosen leaves. A function has no place in a JSON config.
    """
    take = tree.global_norm if measure is None else measure

    def before(updates, s):
        x = jnp.asarray(take(updates))
        if x.ndim:
            raise ValueError(
                f"snapshot({measure_name!r}): the measure gave shape {list(x.shape)}; expected a scalar"
            )
        return s._replace(measurement={measure_name: x})

    slots = shared(lambda p: {measure_name: scalar(p)})
    return leafwise(SnapshotState, lambda g, s: (g, s), before=before, measurement=slots)
