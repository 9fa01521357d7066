"""Plain-text math of the docstrings as MathML: a small parser, which refuses what it does not know.

    mathml("u = m' / (sqrt(v') + eps)", names={"eps"})

Names are single letters, Greek letters by name, the arguments of the factory, and the functions below; any other
word is prose, and prose ends a formula. What does not parse is no formula: it stays text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection
from typing import NamedTuple

LETTERS = "alpha beta gamma delta eps zeta eta theta kappa lamb mu nu xi pi rho sigma tau phi omega Omega"
GREEK = dict(zip(LETTERS.split(), "αβγδεζηθκλμνξπρστφωΩ", strict=True)) | {"lambd": "λ", "lambda": "λ"}
FUNCTIONS = frozenset(
    "sqrt cbrt max min clip sign mean sum rms std exp log cos sin erfi qr diag triu round floor newton_schulz map "
    "optimizer grad_fn base inner outer adam adv sigmoid softmax argmax normal median lmo mean_j largest smallest".split()
)
APPLIED = frozenset("min max mean sum largest smallest sign exp log clip diag triu round floor".split())  # to something
WORDS = frozenset(
    "lr loss value rate count step slow average mask anchor rows columns left right cols inputs labels logits output "
    "target prediction scale low high peak classes height cycle temperature multiple scores radius weights label "
    "noise kept size factor params updates value_fn max_logits decay begin batch full same".split()
)
RELATIONS = {"=": "=", "<=": "≤", ">=": "≥", "<": "<", ">": ">", "!=": "≠", "becomes": "←", "~": "∼"}
OPERATORS = {"+": "+", "-": "−", "*": "⋅", "+-": "±"}
# What may follow a formula in a sentence; after any other word it is refused.
AFTER = frozenset(
    "where if with by and or at in over for of see else elsewhere from as also so which because until when then is "
    "are to the per nearly after before but while it on has means being such only unless whose above below about "
    "up without beyond times every holds a an that not otherwise between along each about".split()
)
EARLIER = [text.split() for text in ("of the step before", "of the last step")]
TOKEN = re.compile(
    r"(?P<op_>(?<= )\(x\)(?= ))|(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?(?![A-Za-z_]))|(?P<name>[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*)"
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


class Found(NamedTuple):
    """A formula in a line."""

    start: int
    end: int
    html: str


def tokens(line: str) -> list[Token]:
    """The pieces of a line."""
    return [
        Token((m.lastgroup or "").rstrip("_"), m.group(), m.start(), m.end(), m.start() > 0 and line[m.start() - 1] == " ")
        for m in TOKEN.finditer(line)
    ]


def row(*parts: str) -> str:
    return parts[0] if len(parts) == 1 else f"<mrow>{''.join(parts)}</mrow>"


def op(text: str, **how: str) -> str:
    told = "".join(f' {k}="{v}"' for k, v in how.items())
    return f"<mo{told}>{html.escape(text)}</mo>"


def fenced(inside: str, left: str = "(", right: str = ")") -> str:
    return row(op(left, stretchy="true"), inside, op(right, stretchy="true"))


def upright(text: str) -> str:
    return f'<mi mathvariant="normal">{html.escape(text)}</mi>' if len(text) == 1 else f"<mi>{html.escape(text)}</mi>"


def word(text: str) -> str:
    return f"<mtext>{html.escape(text)}</mtext>"


def symbol(name: str, names: Collection[str] = ()) -> str | None:
    """A name as MathML; None for a word of prose."""
    stem = re.fullmatch(r"([A-Za-z]+?)(\d*)(?:_([A-Za-z0-9]+))?", name)
    base = stem and (GREEK.get(stem[1]) or (stem[1] if len(stem[1]) == 1 else None))
    if not base and name not in names and stem and stem[1] in {*WORDS, *names} and len(stem[3] or "") == 1:
        base = stem[1]
    if base and stem and not (name in names and stem[3]):
        under = [f"<mn>{stem[2]}</mn>"] if stem[2] else []
        under += [*([op(",")] if under else []), f"<mi>{stem[3]}</mi>"] if stem[3] else []
        return f"<msub><mi>{base}</mi>{row(*under)}</msub>" if under else f"<mi>{base}</mi>"
    if name in names or name in FUNCTIONS or name in WORDS:
        return upright(name.rstrip("_"))
    return None


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
            parts += [op("←" if sign == "=" and not count and _within(parts[0], right) else sign), right]
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
        """Factors; a quotient is of the factor before the sign and the one after it, so it is read from the left."""
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
        if now.kind == "name" and (symbol(now.text, self.names) is None or now.text in ("a", "A", "I") and self._prose()):
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


def _within(left: str, right: str) -> bool:
    """Whether what is set is read on the right: the new value is made of the old one."""
    return re.search(re.escape(left) + "(?!<mo>′)", right) is not None


def bare(part: str) -> str:
    """What is over or under a fraction's bar, without brackets around all of it."""
    match = re.fullmatch(r'<mrow><mo stretchy="true">\(</mo>(.*)<mo stretchy="true">\)</mo></mrow>', part)
    if not match:
        return part
    depth = 0
    for piece in re.finditer(r"<mo[^>]*>([()])</mo>", match[1]):
        depth += 1 if piece[1] == "(" else -1
        if depth < 0:
            return part
    return match[1] if _balanced(match[1]) else part


def _balanced(inside: str) -> bool:
    depth = 0
    for piece in re.finditer(r"<(/?)mrow>", inside):
        depth += -1 if piece[1] else 1
        if depth < 0:
            return False
    return True


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
        joined = before is not None and (before.text in "^*/+-_'|<=" or not pieces[at].spaced and before.text != "(")
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
