"""The sign of a momentum."""

from gradchain.rules.sign.lion import lion, scale_by_lion

__all__ = ["lion", "scale_by_lion"]
