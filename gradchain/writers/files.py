"""csv, jsonl and table: steps and rows, as files that any program reads."""

from __future__ import annotations

import csv as tables
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gradchain.writers.base import Closing

STEP = "step"


class _File(Closing):
    """A file that is appended to, a line for each step, whole lines only."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole_lines(self.path)
        self._file = self.path.open("a", newline="", encoding="utf-8")

    def flush(self) -> None:
        """Until it is on the disk; what is written is in the hands of the system without it."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())

    def _end(self) -> None:
        self._file.close()

    def _line(self, text: str) -> None:
        if self._file.closed:  # by an error while the table was written anew
            self._file = self.path.open("a", newline="", encoding="utf-8")
        self._file.write(text)
        self._file.flush()


class csv(_File):
    """A CSV file: a column `step`, and one for each name; a run that is resumed appends to it.

    Each line is handed to the system at once: a crash loses the line that is being written at most, and such
    a half line is taken away where the file is opened again. A name that was not there before adds a column:
    the file is written anew beside the old one, which it then replaces. What a step does not give is empty.
    """

    def __init__(self, path: str | os.PathLike):
        self._columns = _head(Path(path))
        super().__init__(path)

    def write(self, step: int, scalars: Mapping[str, Any]) -> None:
        """A line of the table."""
        step, found = self._checked(step, scalars)
        new = [name for name in (STEP, *found) if name not in self._columns]
        if new:
            self._widen([*self._columns, *new])
        row: dict[str, Any] = {STEP: step, **found}
        self._line(_csv_line([row.get(name, "") for name in self._columns]))

    def _widen(self, columns: list[str]) -> None:
        """The same rows under more columns, in a file that takes the old one's place at once."""
        beside = self.path.with_name(f"{self.path.name}.new")
        with beside.open("w", newline="", encoding="utf-8") as file:
            file.write(_csv_line(columns))
            for row in rows_of_csv(self.path):
                file.write(_csv_line([row.get(name) or "" for name in columns]))
            file.flush()
            os.fsync(file.fileno())
        self._file.close()
        os.replace(beside, self.path)
        self._columns, self._file = columns, self.path.open("a", newline="", encoding="utf-8")


class jsonl(_File):
    """A JSON Lines file: {"step": 3, "loss": 0.5} for each step; a run that is resumed appends to it.

    Each line is handed to the system at once: a crash loses the line that is being written at most.
    Not-a-number and infinity are written as Python's json writes and reads them: NaN, Infinity.
    """

    def write(self, step: int, scalars: Mapping[str, Any]) -> None:
        """A record."""
        step, found = self._checked(step, scalars)
        self._line(json.dumps({STEP: step, **found}) + "\n")

    def text(self, step: int, name: str, text: str) -> None:
        """A record with a text."""
        step, _ = self._checked(step, {name: 0})
        self._line(json.dumps({STEP: step, name: str(text)}) + "\n")


def table(path: str | os.PathLike, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write rows of any values as a CSV file, a column for each name, in place of what is there; its path.

    For results that have no step, such as a row for each optimizer; folders are made. What a row does not
    have is empty, and so is None.
    """
    found = list(rows)
    names = list(dict.fromkeys(name for row in found for name in row))
    if not names:
        raise ValueError(
            f"writers.table: no rows for {path}; expected at least one mapping of names to values"
        )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(_csv_line(names))
        file.writelines(_csv_line([row.get(name) for name in names]) for row in found)
    return path


def whole_lines(path: Path) -> None:
    """Take away what a crash left after the last line end of a file, if it is there."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - 65536)
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                end = start + at + 1
                break
            end = start
        file.truncate(end)


def _csv_line(cells: list[Any]) -> str:
    out = io.StringIO()
    tables.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _head(path: Path) -> list[str]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        head = next(tables.reader(line for line in file if line.endswith("\n")), [])
    if head and (head[0] != STEP or len(set(head)) < len(head)):
        raise ValueError(
            f"writers.csv: {path} begins with {', '.join(head)[:100]!r}; expected a table that begins with "
            f"{STEP!r} and gives each name once: give the path of a new file"
        )
    return head


def rows_of_csv(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a table by name, whole lines only."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = (line for line in file if line.endswith("\n"))
        yield from tables.DictReader(lines)
