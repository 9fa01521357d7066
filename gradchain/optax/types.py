"""The classes that other libraries ask for: those of the installed Optax, and twins where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

__all__ = ["EmptyState", "GradientTransformation", "GradientTransformationExtraArgs", "MaskedNode"]
