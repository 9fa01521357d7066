"""Plain-text math of the docstrings as MathML: a small parser, which refuses what it does not know.

    mathml("u = m' / (sqrt(v') + eps)", names={"eps"})

Names are single letters, Greek letters by name, the arguments of the factory, and the words of `mathml`; any
other word is prose, and prose ends a formula. What does not parse is no formula: it stays text.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from docs.pages.mathml import AFTER
from docs.pages.parser import NotMath, Parser, Token, tokens


class Found(NamedTuple):
    """A formula in a line."""

    start: int
    end: int
    html: str


def ends(line: str, at: int) -> bool:
    """Whether a formula may end here: before punctuation, a bracket, or a word that joins clauses."""
    rest = line[at:]
    if not rest.strip() or rest[0] in ";,.:)" or rest.startswith(("  ", " (")):
        return True
    following = re.match(r" ([A-Za-z]+)\b", rest)
    return following is not None and following[1] in AFTER


def _leads(pieces: list[Token], at: int) -> bool:
    """Whether a word is prose before a formula, "with momentum p = ...", not a factor of its left side."""
    after = pieces[at + 1 : at + 2]
    long = pieces[at].kind == "name" and len(re.sub(r"[\d_].*", "", pieces[at].text)) > 2
    return long and bool(after) and after[0].spaced and after[0].kind in ("name", "number")


def find(line: str, names: Collection[str] = ()) -> list[Found]:
    """The formulas of a line, from left to right."""
    found, pieces, at = [], tokens(line), 0
    while at < len(pieces):
        if _leads(pieces, at):
            at += 1
            continue
        parser = Parser(pieces, at, names)
        before = pieces[at - 1] if at else None
        joined = before is not None and (
            before.text in "^*/+-_'|<=" or (not pieces[at].spaced and before.text != "(")
        )
        try:
            inside, count = parser.chain() if not joined else ("", 0)
        except NotMath:
            inside, count = "", 0
        worth = count or any(tag in inside for tag in ("<mfrac>", "<msup>", "<msqrt>", "⋅", "|", "⟨"))
        if inside and worth and ends(line, stop := pieces[parser.at - 1].end):
            found.append(Found(pieces[at].start, stop, f"<math>{inside}</math>"))
            at = parser.at
        else:
            at += 1
    return found


def mathml(text: str, names: Collection[str] = ()) -> str:
    """A formula as MathML. Errors: NotMath for what is none from end to end."""
    pieces = tokens(text)
    parser = Parser(pieces, 0, names)
    inside, _ = parser.chain()
    if parser.at < len(pieces):
        raise NotMath
    return f"<math>{inside}</math>"
