"""The parser of plain-text math, which refuses what it does not know."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from docs.pages.mathml import (
    AFTER,
    APPLIED,
    OPERATORS,
    RELATIONS,
    bare,
    fenced,
    op,
    row,
    symbol,
    within,
    word,
)

EARLIER = [text.split() for text in ("of the step before", "of the last step")]
TOKEN = re.compile(
    r"(?P<op_>(?<= )\(x\)(?= ))|(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?(?![A-Za-z_]))"
    r"|(?P<name>[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*)"
    r"|(?P<op>\.\.\.|<=|>=|!=|<<|>>|\+-|//|[-+*/^=<>|()\[\]{},;:'~._])|(?P<other>\S)"
)


class Token(NamedTuple):
    """A piece of text."""

    kind: str
    text: str
    start: int
    end: int
    spaced: bool  # whether a space stands before it


class NotMath(Exception):
    """What stands here is no formula that is known."""


def tokens(line: str) -> list[Token]:
    """The pieces of a line."""
    return [
        Token(
            (m.lastgroup or "").rstrip("_"),
            m.group(),
            m.start(),
            m.end(),
            m.start() > 0 and line[m.start() - 1] == " ",
        )
        for m in TOKEN.finditer(line)
    ]


class Parser:
    """Reads a formula from a place in a line on; `at` is where it stopped."""

    def __init__(self, found: list[Token], at: int, names: Collection[str]):
        self.tokens, self.at, self.names = found, at, names
        self.bars = self.brackets = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else Token("end", "", -1, -1, True)

    def take(self, text: str) -> bool:
        if self.next.text == text and self.next.kind in ("op", "name"):
            self.at += 1
            return True
        return False

    def need(self, text: str) -> None:
        if not self.take(text):
            raise NotMath

    def chain(self) -> tuple[str, int]:
        """Expressions joined by relations, and how many relations there are."""
        parts, count = [self.several()], 0
        while self.next.text in RELATIONS and (self.next.spaced or count or self.brackets):
            if self.next.text in "<>" and not self._spaced_after():
                break
            sign = RELATIONS[self.next.text]
            self.at += 1
            right = self.total()
            parts += [op("←" if sign == "=" and not count and within(parts[0], right) else sign), right]
            count += 1
        return row(*parts), count

    def several(self) -> str:
        """An expression, or with a relation after them several: L, R = ..."""
        parts, start = [self.total()], self.at
        while not self.brackets and self.take(","):
            try:
                parts += [op(","), self.total()]
            except NotMath:
                break
            if self.next.text == "=":
                return row(*parts)
        self.at = start
        return parts[0]

    def total(self) -> str:
        """Products, added."""
        parts = [op("−", form="prefix")] if self.take("-") else []
        parts.append(self.product())
        while self.next.text in ("+", "-", "+-"):
            parts.append(op(OPERATORS[self.next.text]))
            self.at += 1
            parts.append(self.product())
        return row(*parts)

    def product(self) -> str:
        """Factors; a quotient is of the factor before the sign and the one after it."""
        parts = [self.power()]
        while True:
            if self.take("/"):
                under = self.power()
                parts[-1] = f"<mfrac>{row(bare(parts[-1]))}{row(bare(under))}</mfrac>"
            elif self.next.text in ("*", "(x)"):
                parts += [op({"*": "⋅", "(x)": "⊗"}[self.next.text])]
                self.at += 1
                parts += [self.power()]
            elif (factor := self._beside()) is not None:
                parts += [op("\u2062"), '<mspace width="0.17em"/>', factor]
            else:
                return row(*parts)

    def _beside(self) -> str | None:
        """A factor without a sign before it."""
        now = self.next
        opens = now.text in ("(", "<", "|") and now.kind == "op"
        if not (now.kind in ("name", "number") or opens) or now.text == "becomes":
            return None
        if now.text in AFTER - {"a"}:
            return None
        if (now.text == "<" and self._spaced_after()) or (now.text == "|" and self.bars):
            return None
        if now.kind == "name" and (
            symbol(now.text, self.names) is None or (now.text in ("a", "A", "I") and self._prose())
        ):
            return None
        at = self.at
        try:
            return self.power()
        except NotMath:
            self.at = at
            return None

    def _spaced_after(self) -> bool:
        return self.at + 1 >= len(self.tokens) or self.tokens[self.at + 1].spaced

    def _prose(self) -> bool:
        """Whether the next name is an article: a word of prose follows."""
        after = self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else None
        return after is not None and after.kind == "name" and symbol(after.text, self.names) is None

    def power(self) -> str:
        base = self.atom()
        while True:
            if self.next.text == "'" and not self.next.spaced:
                count = 0
                while self.take("'"):
                    count += 1
                if self.next.kind == "name" and not self.next.spaced:  # a genitive
                    raise NotMath
                base = f"<msup>{base}{op('′' * count)}</msup>"
            elif self.next.text == "_" and not self.next.spaced:
                self.at += 1
                base = f"<msub>{base}{self._script()}</msub>"
            elif self.take("^"):
                base = base if "<msup>" not in base[:6] or "′" in base[-20:] else fenced(base)
                base = f"<msup>{base}{self._script()}</msup>"
            elif self.next.text in ("(", "[") and not self.next.spaced:
                base = row(base, op("\u2061"), self._arguments())
            else:
                return row(base, *self._earlier())

    def _earlier(self) -> list[str]:
        """`of the step before` after a symbol."""
        for said in EARLIER:
            if [t.text for t in self.tokens[self.at : self.at + len(said)]] == said:
                self.at += len(said)
                return [word("\u00a0" + " ".join(said))]
        return []

    def _script(self) -> str:
        minus = [op("−", form="prefix")] if self.take("-") else []
        if self.next.text in ("(", "{") and self.next.kind == "op":
            close = {"(": ")", "{": "}"}[self.next.text]
            self.at += 1
            return row(*minus, self._inside(close))
        if self.next.kind == "number":
            self.at += 1
            return row(*minus, f"<mn>{self.tokens[self.at - 1].text}</mn>")
        if self.next.kind != "name" or (found := symbol(self.next.text, self.names)) is None:
            raise NotMath
        self.at += 1
        return row(*minus, found)

    def _inside(self, close: str) -> str:
        """What stands between brackets: expressions with commas, or an expression that ends in words."""
        self.brackets += 1
        bars, self.bars = self.bars, 0
        parts: list[str] = []
        while not self.take(close):
            if self.take(",") or self.take(":"):
                parts.append(op(self.tokens[self.at - 1].text))
            else:
                parts.append(self.chain()[0])
            if self.next.kind == "end":
                raise NotMath
        self.brackets -= 1
        self.bars = bars
        return row(*parts)

    def _arguments(self) -> str:
        left = self.next.text
        self.at += 1
        right = {"(": ")", "[": "]"}[left]
        return fenced(self._inside(right), left, right)

    def atom(self) -> str:
        now = self.next
        if now.kind == "number":
            self.at += 1
            return f"<mn>{now.text}</mn>"
        if self.take("..."):
            return op("⋯")
        if now.text in ("(", "[") and now.kind == "op":
            return self._arguments()
        if now.text == "|":
            self.at, self.bars = self.at + 1, self.bars + 1
            self.brackets += 1
            inside = self.total()
            self.need("|")
            self.bars, self.brackets = self.bars - 1, self.brackets - 1
            return fenced(inside, "|", "|")
        if now.text == "<" and not self._spaced_after():
            self.at, self.brackets = self.at + 1, self.brackets + 1
            left = self.total()
            self.need(",")
            right = self.total()
            self.need(">")
            self.brackets -= 1
            return fenced(row(left, op(","), right), "⟨", "⟩")
        if now.kind == "name":
            return self.named()
        raise NotMath

    def named(self) -> str:
        """A name, a root, or words such as `sum over i of`, `the product of all b so far`."""
        now = self.next
        self.at += 1
        if now.text in ("sqrt", "cbrt") and self.next.text == "(" and not self.next.spaced:
            self.at += 1
            inside = self._inside(")")
            return f"<msqrt>{inside}</msqrt>" if now.text == "sqrt" else f"<mroot>{inside}<mn>3</mn></mroot>"
        if now.text in ("sum", "mean", "product", "norm") and self.next.text in ("over", "of"):
            return self._over(now)
        if now.text in APPLIED and not (self.next.text in ("(", "|") or self._beside_ok()):
            raise NotMath
        if (found := symbol(now.text, self.names)) is not None:
            return found
        if self.brackets and now.text[0].islower():
            return self._words(now)
        raise NotMath

    def _beside_ok(self) -> bool:
        """Whether a factor follows, to which a function may apply."""
        at = self.at
        found = self._beside() is not None
        self.at = at
        return found

    def _over(self, now: Token) -> str:
        """`sum over i of x`, `mean over columns (x)`, `mean of x`."""
        said = [now.text]
        while self.next.kind == "name" and len(said) < 9:
            said.append(self.next.text)
            self.at += 1
            if said[-1] == "of":
                return row(word(" ".join(said) + "\u00a0"), self.product())
            if self.next.text == "(" and len(said) >= 3:
                return row(word(" ".join(said)), self.power())
        raise NotMath

    def _words(self, now: Token) -> str:
        """Prose within brackets, up to a sign or their end."""
        said = [now.text]
        while self.next.kind == "name":
            said.append(self.next.text)
            self.at += 1
        if len(said) < 2 and len(now.text) < 2:
            raise NotMath
        return word(" ".join(said))
