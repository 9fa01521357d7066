"""Files of a run: errors that name them, JSON in which no key stands twice, folders that are taken once."""

import contextlib
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lm import UserError


@contextlib.contextmanager
def naming(path: Path, doing: str = "write") -> Iterator[None]:
    """What goes wrong with a file within is one line that names it."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot {doing} {path}: {error.strerror or error}") from None


def read_json(text: str) -> Any:
    """JSON, as json.loads; a key that stands twice in one mapping is a ValueError."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"the key {twice!r} stands twice in one mapping")
        return found

    try:
        return json.loads(text, object_pairs_hook=once)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def take(parent: Path, name: str) -> Path:
    """Make the first of name-1, name-2, ... that is not there: of several processes each gets its own."""
    with naming(parent):
        parent.mkdir(parents=True, exist_ok=True)
    for n in itertools.count(1):
        path = parent / f"{name}-{n}"
        with naming(path):
            try:
                os.mkdir(path)
            except FileExistsError:
                continue
            return path
    raise AssertionError("there is no end of numbers")


def write_new(path: Path, text: str) -> None:
    """Write a file that must not be there (FileExistsError); one that cannot be finished is removed."""
    file = path.open("x", encoding="utf-8")
    try:
        with file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise
