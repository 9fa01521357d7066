"""The classes that other libraries ask for: those of the installed Optax, and twins where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jax import Array

if TYPE_CHECKING:
    from gradchain.types import (
        EmptyState,
        GradientTransformation,
        GradientTransformationExtraArgs,
        MaskedNode,
    )
else:
    try:
        from optax import EmptyState, GradientTransformation, GradientTransformationExtraArgs, MaskedNode
    except ImportError:
        from gradchain.types import (
            EmptyState,
            GradientTransformation,
            GradientTransformationExtraArgs,
            MaskedNode,
        )


class AddNoiseState(NamedTuple):
    """Optax's; noise is a function of the count and the path, so the key is the same in every step."""

    count: Array  # [] int32, steps taken
    rng_key: Array  # [] the seed as a key


TYPES = {
    "AddNoiseState": AddNoiseState,
    "EmptyState": EmptyState,
    "GradientTransformation": GradientTransformation,
    "GradientTransformationExtraArgs": GradientTransformationExtraArgs,
    "MaskedNode": MaskedNode,
    "init_empty_state": lambda params: EmptyState(),
}


def names(namespace: Any) -> dict[str, Any]:
    """Those of these names that a namespace has."""
    return {name: x for name, x in TYPES.items() if name in namespace.__all__}


__all__ = [
    "AddNoiseState",
    "EmptyState",
    "GradientTransformation",
    "GradientTransformationExtraArgs",
    "MaskedNode",
]
