"""What goes wrong with checkpoints."""

from __future__ import annotations

from typing import Any, NoReturn


class CheckpointError(ValueError):
    """A checkpoint that does not fit: of another model, of another optimizer, stored otherwise."""


class DamagedError(CheckpointError):
    """A checkpoint that is not what was written: cut off, altered, or not a checkpoint at all."""


def show(x: Any) -> str:
    """An array as messages show it: float32[8, 4]."""
    return f"{x.dtype if hasattr(x.dtype, 'name') else jax_name(x.dtype)}{list(x.shape)}"


def jax_name(dtype: Any) -> str:
    """The name of a dtype that is given as a scalar type."""
    return getattr(dtype, "__name__", str(dtype))


def misfit(who: str, path: str, found: str, expected: str, advice: str) -> NoReturn:
    """Raise for one leaf: which link, which leaf, what was found, what was expected, what to do."""
    raise CheckpointError(f"{who}: {path!r} is {found} in the checkpoint; expected {expected}. {advice}")
