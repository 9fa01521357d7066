"""docs/reference.md as pages, one for each of its headings, made when the site is built."""

from __future__ import annotations

import inspect
import re
from typing import NamedTuple

import gradchain as gc

HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
NAME = re.compile(r"^::: gradchain\.([\w.]+)$", re.MULTILINE)


class Section(NamedTuple):
    """A heading of the reference with what stands under it."""

    title: str
    path: str  # from the root of the pages
    text: str
    names: tuple[str, ...]


def slug(title: str) -> str:
    """A heading as a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def sections(source: str) -> list[Section]:
    """The sections of the reference that explain names, in order."""
    parts = HEADING.split(source)[1:]
    found = []
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        names = tuple(NAME.findall(text))
        if names:
            found.append(Section(title, f"reference/{slug(title)}.md", text, names))
    return found


def page(section: Section) -> str:
    """The page of a section."""
    text = re.sub(r"\]\((?=[\w/-]+\.md)", "](../", section.text)  # it lies one folder deeper than its source
    return f"# {section.title}\n{NAME.sub(_told_apart, text)}"


def _told_apart(match: re.Match) -> str:
    """A function in a module of its name, which would be taken for the module: where it is defined."""
    shown = getattr(gc, match[1], None)
    where = getattr(shown, "__module__", "")
    if inspect.ismodule(shown) or where.rpartition(".")[2] != match[1]:
        return match[0]
    return f'<a id="gradchain.{match[1]}"></a>\n\n::: {where}.{match[1]}'


def index(source: str) -> str:
    """The first page of the reference: every name under its heading."""
    lines = [
        "# Reference",
        "Every public name, with its arguments. Algorithms have [pages of their own](algorithms/index.md).",
    ]
    for section in sections(source):
        named = " · ".join(f"[`{name.rpartition('.')[2]}`][gradchain.{name}]" for name in section.names)
        lines.append(f"## [{section.title}]({section.path})\n\n{named}")
    return "\n\n".join(lines) + "\n"


def relinked(markdown: str, source: str) -> str:
    """Links into docs/reference.md as links to where their targets are in the site."""
    where = {slug(s.title): s.path for s in sections(source)} | {"glossary": "glossary.md"}

    def turned(match: re.Match) -> str:
        up, anchor = match[1], match[2]
        if anchor.startswith("gradchain."):
            return f"][{anchor}]"
        return f"]({up}{where.get(anchor, 'reference.md')})"

    return re.sub(r"\]\(((?:\.\./)*)reference\.md#([\w.-]+)\)", turned, markdown)
