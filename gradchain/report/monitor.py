"""monitored: an optimizer between two measurements, for `metrics`."""

from __future__ import annotations

from typing import Any

from gradchain.core.compose import chain
from gradchain.core.foreign import as_transform
from gradchain.core.transform import example, optimizer
from gradchain.rules.parts.snapshot import snapshot


@optimizer(example=lambda: {"tx": example("adam")})
def monitored(tx: Any):
    """Measure the norm of the gradients before an optimizer, grad_norm, and of its updates, update_norm.

    `metrics` reads both from the state. Where `tx` clips, its clipped_norm is the norm in between.
    """
    return chain(snapshot("grad_norm"), as_transform(tx, "monitored"), snapshot("update_norm"))
