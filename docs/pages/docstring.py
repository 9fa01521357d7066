"""Docstrings as pages want them: formulas typeset, prose in paragraphs, names linked, tables as they are."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Collection

from docs.pages import formula, mathml

MATH: list[str] = []  # formulas by number; Markdown sees a mark, and `filled` puts them in afterwards
MARK = "\ue000{}\ue001"
OPEN = re.compile(r"(?:\s[-+*/=]|\()$")  # the end of a line that goes on in the next one
LABEL = re.compile(r"(?:[\w ,]+?(?:=[\w.\"]+)?:\s+|every \S+ steps:?\s+|then |with )?")
CODE = re.compile(
    r"`[^`]+`|(?<![\w.])[A-Za-z]\w*=(?:\"[^\"]*\"|-?\w[\w.]*\w|\w)|\"[^\"\s]+\"|\{[^{}]*\}"
    r"|(?<![\w.`])(?:[a-z]+_\w+|chain|jax\.\w+)\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
)
ARXIV = re.compile(r"(?:arXiv:|\barxiv )(\d{4}\.\d{4,5})")
LETTER = re.compile(r"(?<![\w`'\"(-])([b-hj-zB-HJ-Z])('?)(?![\w'`\"(-])(?!\.\w)")

Link = Callable[[str], str]


def named(doc: str) -> list[str]:
    """The names between backticks."""
    return re.findall(r"`(\w+)`", doc)


def mark(markup: str) -> str:
    """What stands for a formula until Markdown is done."""
    MATH.append(markup)
    return MARK.format(len(MATH) - 1)


def filled(page: str) -> str:
    """A page with its formulas."""
    return re.sub("\ue000(\\d+)\ue001", lambda m: MATH[int(m[1])], page)


def markdown(doc: str, names: Collection[str] = (), link: Link = str) -> str:
    """A docstring as Markdown. `link` makes of `name` what a page shows for it."""
    out: list[str] = []
    for paragraph in re.split(r"\n\s*\n", doc.strip("\n")):
        out += _paragraph(_joined(paragraph.splitlines()), names, link)
    return "\n\n".join(out)


def _joined(lines: list[str]) -> list[str]:
    """Lines, with one that ends within a formula and the next as one."""
    found: list[str] = []
    for line in lines:
        if found and OPEN.search(found[-1]) and not _tabular(line):
            found[-1] += " " + line.strip()
        else:
            found.append(line.rstrip())
    return found


def _tabular(line: str) -> bool:
    return line.startswith("    ") or len(re.findall(r"\S {3,}\S", line)) > 1


def _paragraph(lines: list[str], names: Collection[str], link: Link) -> list[str]:
    """Blocks of a paragraph: rows of formulas, text, and what is set in columns."""
    out: list[str] = []
    prose: list[str] = []
    table: list[str] = []

    def flush() -> None:
        if prose:
            out.append(_prose(prose, names, link))
        if table:
            shown = "\n".join(table)
            out.append(mark(f"<pre><code>{html.escape(shown)}</code></pre>"))
        prose.clear()
        table.clear()

    for i, line in enumerate(lines):
        if _tabular(line):
            if prose:
                flush()
            table.append(line)
        elif _is_rule(line, names) and not _goes_on(line, lines[i + 1 : i + 2], names):
            flush()
            out.append(_rows(line, names, link))
        else:
            if table:
                flush()
            prose.append(line.strip())
    flush()
    return out


def _is_rule(line: str, names: Collection[str]) -> bool:
    """Whether a line is a rule, not a sentence with a formula in it."""
    found = formula.find(line.strip(), names)
    if not found:
        return False
    text = line.strip()
    label = LABEL.match(text)
    first = found[0].start <= (label.end() if label else 0)
    if first and label and label[0].endswith("  "):
        return True
    share = sum(f.end - f.start for f in found) / len(text)
    return (first and (";  " in text or share > 0.45)) or share > 0.85


def _goes_on(line: str, following: list[str], names: Collection[str]) -> bool:
    """Whether a full line that ends in words is a sentence that the next line ends."""
    last = formula.find(line, names)[-1]
    tail = line[last.end :].strip(" .;,")
    if not following or len(line) < 85 or len(tail.split()) < 3 or _is_rule(following[0], names):
        return False
    word = following[0].split()[0].strip(",;.'")
    return word.islower() and mathml.symbol(word, names) is None


def _rows(line: str, names: Collection[str], link: Link) -> str:
    """The clauses of a rule, one a row."""
    clauses = [c.strip() for c in re.split(r";\s{2,}|(?<=\S),\s{2,}", line.strip()) if c.strip()]
    rows = "".join(f'<span class="gc-row">{_clause(clause, names, link)}</span>' for clause in clauses)
    return f'<div class="gc-rule" markdown="span">{rows}</div>'


def _clause(text: str, names: Collection[str], link: Link) -> str:
    """A clause of a rule; one with an equation that is not understood stays code."""
    left, at = "", 0
    for found in formula.find(text, names):
        left, at = left + text[at : found.start], found.end
    left += text[at:]
    return f"<code>{html.escape(text)}</code>" if " = " in left else inline(text, names, link)


def _prose(lines: list[str], names: Collection[str], link: Link) -> str:
    """Sentences; a short line ends where it ended."""
    out, text = [], ""
    for i, line in enumerate(lines):
        text += (" " if text else "") + line
        following = lines[i + 1] if i + 1 < len(lines) else ""
        if not following or len(line) + len(following.split()[0]) < 92:
            out.append(inline(text, names, link))
            text = ""
    return "<br>\n".join(out)


def inline(text: str, names: Collection[str] = (), link: Link = str, letters: bool = True) -> str:
    """A line of text as Markdown, with its formulas typeset and its code marked as code."""
    out, at = [], 0
    codes = [(m.start(), m.end()) for m in CODE.finditer(text)]
    for found in formula.find(text, names):
        if any(a < found.end and found.start < b and text[a] != "{" for a, b in codes):
            continue
        shown = mark(f'<span class="gc-math">{found.html}</span>')
        out += [_text(text[at : found.start], names, link, letters), shown]
        at = found.end
    return "".join([*out, _text(text[at:], names, link, letters)])


def _text(text: str, names: Collection[str], link: Link, letters: bool) -> str:
    """Text between formulas."""
    out, at = [], 0
    for match in CODE.finditer(text):
        out.append(_words(text[at : match.start()], names, letters))
        code = match[0]
        inside = code[1:-1] if code.startswith("`") else code
        named = re.fullmatch(r"`(\w+)`", code)
        out.append(link(inside) if named else f"<code>{html.escape(inside)}</code>")
        at = match.end()
    return "".join([*out, _words(text[at:], names, letters)])


def _words(text: str, names: Collection[str], letters: bool) -> str:
    """Words without code in them: arguments as code, lone letters as symbols, papers as links."""
    parts, at = [], 0
    known = {n for n in names if len(n) > 2 and ((n not in mathml.AFTER and "_" in n) or n == "eps")}
    pattern = re.compile("|".join([ARXIV.pattern, LETTER.pattern, *(rf"\b{re.escape(n)}\b" for n in known)]))
    for match in pattern.finditer(text):
        parts.append(_plain(text[at : match.start()]))
        if match[1]:
            parts.append(f"[arXiv:{match[1]}](https://arxiv.org/abs/{match[1]})")
        elif match[0] in known:
            parts.append(f"<code>{match[0]}</code>")
        elif letters:
            prime = f"<msup><mi>{match[2]}</mi><mo>′</mo></msup>" if match[3] else f"<mi>{match[2]}</mi>"
            parts.append(mark(f"<math>{prime}</math>"))
        else:
            parts.append(match[0])
        at = match.end()
    return "".join([*parts, _plain(text[at:])])


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\*_\[\]|#`])", r"\\\1", html.escape(text, quote=False))
