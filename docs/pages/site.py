"""The pages that are made when the site is built, by path, and the navigation that leads to them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradchain as gc
from docs.pages import algorithm, beside, docstring, facts, overview, reference, small
from gradchain.absent import TABLE

DOCS = Path(__file__).resolve().parent.parent
KINDS = (("optimizer", "optimizers"), ("wrapper", "wrappers"), ("transform", "links"))


@functools.cache
def source() -> str:
    """docs/reference.md."""
    return (DOCS / "reference.md").read_text("utf-8")


@functools.cache
def pages() -> dict[str, str]:
    """Every page that is made of the code, by its path from the root of the pages."""
    found = {"algorithms/index.md": overview.page()}
    found |= {algorithm.page_of(name): algorithm.page(name) for name in gc.REGISTRY}
    found |= {f"schedules/{name}.md": small.schedule(name) for name in gc.SCHEDULES}
    found |= {f"losses/{name}.md": small.loss(name) for name in small.loss_names()}
    found["reference.md"] = reference.index(source())
    found |= {section.path: reference.page(section) for section in reference.sections(source())}
    return found


def families() -> dict[str, list[str]]:
    """The registered names by family: optimizers, then wrappers, then links, each by name."""
    order = [kind for kind, _ in KINDS]
    found: dict[str, list[str]] = {}
    for name in sorted(gc.REGISTRY, key=lambda n: (order.index(gc.REGISTRY[n].kind), n)):
        found.setdefault(gc.REGISTRY[name].family, []).append(name)
    return dict(sorted(found.items()))


def navigation(nav: list[Any]) -> list[Any]:
    """mkdocs.yml's navigation with the algorithms and the reference in their places."""
    made = {
        "Algorithms": [
            {"All algorithms": "algorithms/index.md"},
            *(
                {family.capitalize().replace("_", " "): _entries("algorithms", names)}
                for family, names in families().items()
            ),
            {"Schedules": _entries("schedules", sorted(gc.SCHEDULES))},
            {"Losses": _entries("losses", small.loss_names())},
        ],
        "Reference": [
            {"All names": "reference.md"},
            *({section.title: section.path} for section in reference.sections(source())),
        ],
    }
    return [{title: made.get(title, where) for title, where in entry.items()} for entry in nav]


def _entries(folder: str, names: list[str]) -> list[dict[str, str]]:
    return [{name: f"{folder}/{name}.md"} for name in names]


def relinked(markdown: str) -> str:
    """Markdown whose links into docs/reference.md lead to where their targets are."""
    return reference.relinked(markdown, source())


def glossary() -> str:
    """The arguments that several factories share."""
    rows = [
        (f"`{name}`", docstring.inline(text, letters=False), f"{_used(name)}")
        for name, text in facts.GLOSSARY.items()
    ]
    return algorithm.table(("argument", "meaning", "algorithms"), rows, (2,))


def _used(name: str) -> int:
    return sum(name in factory.signature.parameters for factory in gc.REGISTRY.values())


def about(name: str, doc: str) -> str:
    """What the reference says under a registered factory's docstring: its arguments, its source, its page."""
    rows = [
        (
            f"`{argument}`",
            docstring.inline(said, letters=False),
            default,
            docstring.inline(meaning, letters=False),
        )
        for argument, said, default, meaning in facts.arguments(gc.REGISTRY[name])
    ]
    parts = [algorithm.table(("argument", "values", "default", "meaning"), rows)] if rows else []
    paper = gc.REGISTRY[name].paper
    if paper and paper not in doc:
        parts.append(f"Source: {docstring.inline(paper, letters=False)}")
    parts.append(f'<a href="../../algorithms/{name}/">State, traffic, a picture and a program of {name}</a>')
    return "\n\n".join(parts)


def absent() -> str:
    """Names of other libraries, and what to write here: as code, and a note."""
    rows = [
        (f"`{name}`", f"`{written}`", docstring.inline(note, letters=False))
        for name, (written, note) in sorted(TABLE.items(), key=lambda row: row[0].lower())
    ]
    return algorithm.table(("you write", "here", "note"), rows)


FILLED: dict[str, Callable[[], str]] = {
    "<!-- glossary -->": glossary,
    "<!-- absent -->": absent,
    "<!-- gallery -->": overview.gallery,
    "<!-- count -->": lambda: str(len(gc.REGISTRY)),
    **{f"<!-- beside: {name} -->": functools.partial(beside.tabs, name) for name in beside.programs()},
}
