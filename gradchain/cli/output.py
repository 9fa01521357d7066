"""What commands print: tables that fit the terminal, by rich in a terminal that has it, and JSON."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

WIDTH = 100  # characters, where no terminal says
LEAST = 24  # characters of the last column, unless it goes into lines of its own
INDENT = 4  # of those


def columns() -> int:
    """The characters in a line of the terminal."""
    return shutil.get_terminal_size((WIDTH, 24)).columns


def as_json(value: Any) -> None:
    """Print values as JSON; NaN and infinity as JSON has it, as texts."""
    print(json.dumps(value, indent=2, default=str))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print rows in columns; those named in `right` are numbers. Columns that are empty are left out."""
    shown = [i for i in range(len(head)) if any(row[i] for row in rows)]
    numbers = [head[i] in right for i in shown]
    head, rows = [head[i] for i in shown], [[row[i] for i in shown] for row in rows]
    if not (sys.stdout.isatty() and _rich(head, rows, numbers)):
        print(plain(head, rows, numbers, columns()))


def _rich(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> bool:
    """Print a table by rich; whether it is installed."""
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ModuleNotFoundError:
        return False
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for i, (name, number) in enumerate(zip(head, right, strict=True)):
        made.add_column(name, justify="right" if number else "left", style="cyan" if not i else None,
                        no_wrap=i < len(head) - 1, overflow="fold")  # fmt: skip
    for row in rows:
        made.add_row(*map(Text, row))
    Console().print(made)
    return True


def plain(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], width: int) -> str:
    """The table as text. A long text in the last column goes on in the next line.

    Where that column has no room, its texts stand in lines of their own.
    """
    sizes = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    left = width - sum(sizes[:-1]) - 2 * len(sizes[:-1])
    apart = left < min(LEAST, sizes[-1])
    sizes[-1] = min(sizes[-1], width - INDENT if apart else left)
    lines = []
    for row in [head, *rows]:
        texts = textwrap.wrap(row[-1], sizes[-1])
        cells = [
            cell.rjust(n) if number else cell.ljust(n)
            for cell, n, number in zip(row[:-1], sizes, right[:-1], strict=False)
        ]
        start = " " * (INDENT if apart else sum(sizes[:-1]) + 2 * len(cells))
        first = [] if apart else [texts.pop(0) if texts else ""]
        if first and right[-1]:
            first = [first[0].rjust(sizes[-1])]
        lines += ["  ".join([*cells, *first]).rstrip(), *(start + text for text in texts)]
    heads = 2 if apart else 1
    return "\n".join([*lines[:heads], "-" * max(map(len, lines)), *lines[heads:]])
