"""The classes that other libraries ask for: those of the installed Optax, and twins where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

TYPES = {
    "EmptyState": EmptyState,
    "GradientTransformation": GradientTransformation,
    "GradientTransformationExtraArgs": GradientTransformationExtraArgs,
    "MaskedNode": MaskedNode,
    "init_empty_state": lambda params: EmptyState(),
}


def names(namespace: Any) -> dict[str, Any]:
    """Those of these names that a namespace has."""
    return {name: x for name, x in TYPES.items() if name in namespace.__all__}


__all__ = ["EmptyState", "GradientTransformation", "GradientTransformationExtraArgs", "MaskedNode"]
