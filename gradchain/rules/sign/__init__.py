"""The sign of a momentum."""

from gradchain.rules.sign.lion import ScaleByLionState, lion, scale_by_lion

__all__ = [
    "ScaleByLionState",
    "lion",
    "scale_by_lion",
]
