"""many: several writers as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradchain.core import words
from gradchain.writers.base import Closing, Writer


class many(Closing):
    """All of some writers: each gets every number, and texts and figures go to those that take them."""

    def __init__(self, *writers: Writer):
        for writer in writers:
            if not isinstance(writer, Writer):
                raise TypeError(
                    f"writers.many: {words.show(writer)} is no writer; expected an object with write(step, "
                    "scalars), flush() and close()"
                )
        self.writers = writers

    def write(self, step: int, scalars: Mapping[str, Any]) -> None:
        """The numbers of one step, to each."""
        step, found = self._checked(step, scalars)
        for writer in self.writers:
            writer.write(step, found)

    def text(self, step: int, name: str, text: str) -> None:
        """A text, to those that take it."""
        self._to("text", step, name, text)

    def figure(self, step: int, name: str, figure: Any) -> None:
        """A matplotlib figure, to those that take it."""
        self._to("figure", step, name, figure)

    def _to(self, what: str, *args: Any) -> None:
        able = [writer for writer in self.writers if hasattr(writer, what)]
        if not able:
            kinds = ", ".join(type(writer).__name__ for writer in self.writers)
            raise TypeError(f"writers.many: none of {kinds or 'no writers'} takes a {what}; tensorboard does")
        for writer in able:
            getattr(writer, what)(*args)

    def flush(self) -> None:
        """Flush each."""
        for writer in self.writers:
            writer.flush()

    def _end(self) -> None:
        for writer in self.writers:
            if isinstance(writer, Closing):
                writer.failed = self.failed
            writer.close()
