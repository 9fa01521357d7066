"""Finding and Diagnosis: what looks wrong, and what could not be looked at."""

from __future__ import annotations

import dataclasses
import html
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

WIDTH = 98  # characters of a line
SEVERITIES = ("error", "warning", "note")  # the run is lost; it learns less than it could; worth knowing
NAMED = 3  # paths that a finding names


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that looks wrong: its name, how bad it is, where, what was found, the limit, what to try."""

    name: str  # "update size"
    severity: str  # "error", "warning" or "note"
    where: str  # a path, several, or "" for the whole run
    found: str
    limit: str  # beyond what it is said
    advice: str

    def __str__(self) -> str:
        head = f"{self.severity}: {self.name}{f' of {self.where}' if self.where else ''}"
        return "\n".join([
            *textwrap.wrap(head, WIDTH),
            *_indented(f"found: {self.found} (limit: {self.limit})"),
            *_indented(f"try: {self.advice}"),
        ])  # fmt: skip


@dataclasses.dataclass(frozen=True, repr=False)
class Diagnosis:
    """What `diagnose` found: `findings`, worst first; `unseen`: what it could not look at."""

    findings: tuple[Finding, ...]
    unseen: tuple[tuple[str, str], ...]  # (what was not looked at, what lets it be)
    looked: tuple[str, ...]  # names of what was looked at

    @property
    def names(self) -> tuple[str, ...]:
        """Of the findings."""
        return tuple(finding.name for finding in self.findings)

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return bool(self.findings)

    def __repr__(self) -> str:
        counts = [(s, sum(f.severity == s for f in self.findings)) for s in SEVERITIES]
        said = ", ".join(f"{n} {s}{'s' if n > 1 else ''}" for s, n in counts if n)
        lines = [said or f"Nothing looks wrong in {', '.join(self.looked) or 'what was given'}."]
        lines[:1] = textwrap.wrap(lines[0], WIDTH)
        lines += [str(finding) for finding in self.findings]
        if self.unseen:
            lines.append("not looked at:")
            lines += [line for what, needs in self.unseen for line in _indented(f"{what}: {needs}")]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        heads = ("", "finding", "where", "found", "limit", "try")
        cells = [(f.severity, f.name, f.where, f.found, f.limit, f.advice) for f in self.findings]
        body = "".join(f"<tr>{_cells(row, 'td')}</tr>" for row in cells)
        table = f"<table><thead><tr>{_cells(heads, 'th')}</tr></thead><tbody>{body}</tbody></table>"
        first = table if cells else f"<p>{html.escape(repr(self).partition('not looked at:')[0])}</p>"
        rest = "".join(f"<li>{html.escape(f'{what}: {needs}')}</li>" for what, needs in self.unseen)
        return first + (f"<p>not looked at:</p><ul>{rest}</ul>" if rest else "")


def _cells(row: tuple[str, ...], tag: str) -> str:
    return "".join(f'<{tag} style="text-align: left">{html.escape(x)}</{tag}>' for x in row)


def _indented(line: str) -> list[str]:
    return textwrap.wrap(line, WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False)


def paths(found: list[str]) -> str:
    """Some paths in a line: the first few and how many more."""
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more


Check = Callable[[Any], Iterator[Finding]]


@dataclasses.dataclass(frozen=True)
class Test:
    """A check of the facts: its name, what it must be given, and what to give where that is missing."""

    name: str
    possible: Callable[[Any], bool]
    needs: str
    check: Check
