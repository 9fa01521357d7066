"""monitored: an optimizer between two measurements, for `metrics`."""

from __future__ import annotations

from typing import Any

from gradchain.core.compose import chain
from gradchain.core.foreign import as_transform
from gradchain.core.transform import example, optimizer
from gradchain.rules.parts.layer_norms import snapshot_layer_grads, snapshot_layer_updates
from gradchain.rules.parts.snapshot import snapshot


@optimizer(example=lambda: {"tx": example("adam")})
def monitored(tx: Any, *, layers: bool = False):
    """Measure the norm of the gradients before an optimizer, grad_norm, and of its updates, update_norm.

    `metrics` reads both from the state. Where `tx` clips, its clipped_norm is the norm in between.
    layers: of each layer, too, with the norms of its parameters and update_ratio, |u| / |p|.
    """
    before, after = [snapshot("grad_norm")], [snapshot("update_norm")]
    if layers:
        before, after = [*before, snapshot_layer_grads()], [*after, snapshot_layer_updates()]
    return chain(*before, as_transform(tx, "monitored"), *after)
