"""Optimizers that find their own step length, and rates that follow the loss."""

__all__ = []
