"""Tables as aligned text and as HTML."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence

Cells = Sequence[str]
WRAP = 56  # characters of the last column


def aligned(rows: Sequence[Cells], right: Sequence[bool], *, total: bool = True) -> str:
    """Rows in columns, the first a heading, ruled off, and the last where it is the total; no empty columns.

    A long text in the last column goes on in the next line.
    """
    head, *body = rows
    ends = [body.pop()] if total else []
    rows = [head, *(line for row in body for line in _wrapped(row)), *ends]
    shown = [i for i in range(len(right)) if any(row[i] for row in rows[1:])]
    width = {i: max(len(row[i]) for row in rows) for i in shown}
    lines = [
        "  ".join(row[i].rjust(width[i]) if right[i] else row[i].ljust(width[i]) for i in shown).rstrip()
        for row in rows
    ]
    rule = "-" * max(map(len, lines))
    below = [rule, lines.pop()] if total else []
    return "\n".join([lines[0], rule, *lines[1:], *below])


def _wrapped(row: Cells) -> list[Cells]:
    first, *others = textwrap.wrap(row[-1], WRAP, break_long_words=False) or [""]
    return [[*row[:-1], first], *([*[""] * (len(row) - 1), other] for other in others)]


def as_html(rows: Sequence[Cells], right: Sequence[bool]) -> str:
    """The same table as HTML."""
    shown = [i for i in range(len(right)) if any(row[i] for row in rows[1:])]

    def line(row: Cells, tag: str) -> str:
        cells = (
            f'<{tag} style="text-align: {"right" if right[i] else "left"}">{html.escape(row[i])}</{tag}>'
            for i in shown
        )
        return f"<tr>{''.join(cells)}</tr>"

    head, *body = rows
    inside = "".join(line(row, "td") for row in body)
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{inside}</tbody></table>"


def size(n: int) -> str:
    """Bytes with a binary unit: 999 B, 1.5 KiB, 28.2 GiB (2^30 bytes each)."""
    if n < 1024:
        return f"{n} B"
    value = float(n)
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        value /= 1024
        if value < 1023.95 or unit == "PiB":
            return f"{value:.1f} {unit}"
    raise AssertionError


def number(x: float) -> str:
    """A number with what digits it needs, four at most."""
    return f"{x:.4g}"
