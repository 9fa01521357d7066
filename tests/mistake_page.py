"""The list of mistakes, docs/guide/mistakes.md, and their answers: python -m tests.mistake_page writes it.

A mistake is a heading, `py` code, a comment with words of its answer, and the answer as `text`. There are
words of what was found, what was expected and what to do; of a mistake that is none any more words of what it
`works` with, and of one that no library can see what is `silent`. `said by: JAX`: other words in other
versions.
"""

import contextlib
import io
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).resolve().parent.parent / "docs" / "guide" / "mistakes.md"
SETUP = re.compile(r"^```python\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
ENTRY = re.compile(
    r"^### (?P<title>[^\n]+)\n\n[^#]*?```py\n(?P<code>.*?)^```\n\n"
    r"<!-- (?P<words>[^\n]+) -->\n```text\n(?P<answer>.*?)^```\n",
    re.MULTILINE | re.DOTALL,
)
WIDTH = 96


class Mistake(NamedTuple):
    """What somebody writes, and what the answer must have."""

    title: str
    code: str
    words: dict[str, str]
    answer: str  # on the page


def mistakes(page: str) -> Iterator[Mistake]:
    """The mistakes of a page."""
    for entry in ENTRY.finditer(page):
        words = dict(part.split(": ", 1) for part in entry["words"].split(" | "))
        yield Mistake(entry["title"], entry["code"], words, entry["answer"])


def setup(page: str) -> str:
    """What stands before all of them."""
    return SETUP.findall(page)[0]


def answer(before: str, mistake: Mistake) -> str:
    """What a mistake prints, and the error that it ends with."""
    names: dict = {"__name__": "__mistake__"}
    exec(before, names)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(mistake.code, mistake.title, "exec"), names)
        except Exception as error:
            said, notes = str(error), [n for n in getattr(error, "__notes__", ()) if "JAX" not in n]
            said = said.split("\n")[0] if type(error).__module__.startswith("jax") else said  # paths of files
            print("\n".join([f"{type(error).__name__}: {said}", *notes]))
    return out.getvalue()


def folded(text: str) -> str:
    """An answer in lines that the page has room for."""
    lines = [textwrap.fill(line, WIDTH, break_long_words=False, break_on_hyphens=False) if len(line) > WIDTH
             else line for line in text.rstrip().splitlines()]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the answers into the page."""
    page = PAGE.read_text()
    before = setup(page)
    for mistake in mistakes(page):
        old = f"-->\n```text\n{mistake.answer}```\n"
        start = page.index(f"### {mistake.title}\n")
        at = page.index(old, start)
        made = f"-->\n```text\n{folded(answer(before, mistake))}```\n"
        page = page[:at] + made + page[at + len(old) :]
    PAGE.write_text(page)


if __name__ == "__main__":
    sys.exit(main())
