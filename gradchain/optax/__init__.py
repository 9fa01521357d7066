"""Optax's surface: its names, its signatures and its form of the state, on gradchain's algorithms."""

import gradchain as _gc
from gradchain.optax import aliases as _aliases
from gradchain.optax.surface import Transformation, surface
from gradchain.optax.types import (
    EmptyState,
    GradientTransformation,
    GradientTransformationExtraArgs,
    MaskedNode,
)

for _name in _gc.__all__:
    _found = getattr(_gc, _name)
    globals()[_name] = surface(_found) if hasattr(_found, "factory") else _found
