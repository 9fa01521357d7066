"""What goes wrong with checkpoints."""

from __future__ import annotations

import operator
from typing import Any, NoReturn

import jax


class CheckpointError(ValueError):
    """A checkpoint that does not fit: of another model, of another optimizer, stored otherwise."""


class DamagedError(CheckpointError):
    """A checkpoint that is not what was written: cut off, altered, or not a checkpoint at all."""


class DiskError(CheckpointError, OSError):
    """A file that the operating system does not let write or read: no room, no rights, a broken disk.

    Not damage: the checkpoints that are there are as they were. `errno` is the system's.
    """

    def __str__(self) -> str:
        return str(self.args[0])


def whole_number(what: str, value: Any, least: int) -> int:
    """An integer of Python, numpy or JAX as Python's."""
    try:
        if isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b":
            raise TypeError
        found = operator.index(value)
    except (TypeError, jax.errors.JAXTypeError):
        found = None
    if found is None or not least <= found < 1 << 63:
        raise CheckpointError(f"{what} is {repr(value)[:80]}; expected an integer of at least {least}")
    return found


def show(x: Any) -> str:
    """An array as messages show it: float32[8, 4]."""
    return f"{x.dtype if hasattr(x.dtype, 'name') else jax_name(x.dtype)}{list(x.shape)}"


def jax_name(dtype: Any) -> str:
    """The name of a dtype that is given as a scalar type."""
    return getattr(dtype, "__name__", str(dtype))


def misfit(who: str, path: str, found: str, expected: str, advice: str) -> NoReturn:
    """Raise for one leaf: which link, which leaf, what was found, what was expected, what to do."""
    raise CheckpointError(f"{who}: {path!r} is {found} in the checkpoint; expected {expected}. {advice}")
