"""Writer: what takes the numbers of a step out of the process."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any, Protocol, Self, runtime_checkable

from gradchain.core import words


@runtime_checkable
class Writer(Protocol):
    """Anything with these three methods takes the numbers of a run.

    write(step, scalars) takes a flat mapping of names to numbers, flush() hands on what is kept back, close()
    ends it. gradchain's writers are context managers too, and some take texts and figures:
    text(step, name, text), figure(step, name, figure).
    """

    def write(self, step: int, scalars: Mapping[str, Any]) -> None:
        """The numbers of one step by name."""

    def flush(self) -> None:
        """Hand on all that was written."""

    def close(self) -> None:
        """Flush, and release what is open."""


class Closing:
    """What gradchain's writers share: `with` closes them; nothing can be written after that."""

    closed = False
    failed = False  # the block of `with` was left by an error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        self.failed = kind is not None
        self.close()

    def flush(self) -> None:
        """Hand on all that was written."""

    def close(self) -> None:
        """Flush, and release what is open; a second time does nothing."""
        if not self.closed:
            self.closed = True
            try:
                self.flush()
            finally:
                self._end()

    def _end(self) -> None:
        """Release what is open."""

    def _checked(self, step: Any, scalars: Mapping[str, Any]) -> tuple[int, dict[str, float]]:
        """The step as an int, and the numbers as floats of Python."""
        who = f"writers.{type(self).__name__}"
        if self.closed:
            raise ValueError(f"{who}: it is closed; make another one, which goes on where this one ended")
        return _step(step, who), {_name(k, who): number(k, v, who) for k, v in scalars.items()}


def _step(step: Any, who: str) -> int:
    try:
        found = int(step)
    except (TypeError, ValueError):
        found = None
    if found is None or found != step or isinstance(step, bool):
        raise TypeError(
            f"{who}: the step is {words.show(step)}; expected a whole number: write(step, scalars)"
        )
    return found


def _name(name: Any, who: str) -> str:
    if not isinstance(name, str) or not name or name == "step" or "\n" in name:
        raise ValueError(
            f"{who}: {words.show(name)} cannot name a number; expected a text in one line other than 'step', "
            "such as 'loss'"
        )
    return name


def number(name: str, value: Any, who: str) -> float:
    """A number of Python, NumPy or JAX as a float."""
    shape = getattr(value, "shape", ())
    if math.prod(shape) == 1 and not isinstance(value, str | bytes):
        try:
            plain = value.item() if hasattr(value, "item") else value
        except Exception as error:
            if "Tracer" not in type(value).__name__:
                raise
            raise TypeError(
                f"{who}: {name!r} is traced; write outside of jit what the step returns"
            ) from error
        if isinstance(plain, numbers.Real):
            return float(plain)
        if hasattr(plain, "__float__") and not isinstance(plain, complex):  # bfloat16 of NumPy
            return float(plain)
    raise TypeError(
        f"{who}: {name!r} is {words.show(value)}; expected one real number. gc.scalars(state) makes them of "
        "a state, with a name for each"
    )
