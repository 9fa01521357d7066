"""Types of arguments as callers see them: `def make(rate: gc.typing.Hyper) -> gc.Transform`.

Inside a factory an argument annotated `gradchain.Hyper` is a number or an array, and type checkers let it be
either. Outside it may be any of these; what a name adds is checked when a factory is called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import jax
import numpy as np
from jax.typing import ArrayLike, DTypeLike

from gradchain.core.hyper import Tunable

__all__ = [
    "DType",
    "Decay",
    "Fraction",
    "Hyper",
    "Key",
    "Limit",
    "Link",
    "Period",
    "Schedule",
    "Selection",
    "Signed",
]

Schedule: TypeAlias = Callable[[Any], ArrayLike]  # of the step
_Array: TypeAlias = jax.Array | np.ndarray[Any, Any] | np.number[Any]

Hyper: TypeAlias = float | _Array | Schedule | Tunable  # at least 0; a learning rate may be below
Limit: TypeAlias = float | _Array | Schedule | Tunable  # at least 0, or infinity: no limit
Decay: TypeAlias = float | _Array | Schedule | Tunable  # of a mean: from 0 to below 1
Fraction: TypeAlias = float | _Array | Schedule | Tunable  # from 0 to 1
Signed: TypeAlias = float | _Array | Schedule | Tunable  # any number
Period: TypeAlias = float | _Array | Schedule | Tunable  # a whole number, 1 at least

DType: TypeAlias = DTypeLike
Key: TypeAlias = int | jax.Array  # a seed, or a JAX key
# Globs on paths, regular expressions, a function of path and leaf or of the parameters, a tree of booleans.
Selection: TypeAlias = str | re.Pattern[str] | Sequence[Any] | Callable[..., Any] | Any | None


class Link(Protocol):
    """What may stand in a chain: a `Transform`, or another library's pair of functions."""

    @property
    def init(self) -> Callable[..., Any]:
        """init(params) -> state."""
        ...

    @property
    def update(self) -> Callable[..., Any]:
        """update(updates, state, params) -> (updates, state)."""
        ...
