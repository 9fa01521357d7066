"""Links to where the code is published, of one setting: python -m docs.pages.repository

`Repository` under `[project.urls]` of pyproject.toml turns on the links of the site to the repository, of its
pages to their sources, and of README and notebooks to Colab. Without it there are none. Writes README.md and
the notebooks, whose first cell of code installs gradchain where it is missing.
"""

from __future__ import annotations

import functools
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import gradchain as gc

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FORM = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?")
MARKED = re.compile(r"(<!-- colab (\S+) -->).*?(<!-- end -->)", re.DOTALL)
NAMED = re.compile(r"(?<!\[)`(notebooks/\w+\.ipynb)`")
BADGE = "[Open in Colab]("
INSTALL = """\
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("gradchain") is None:  # as in Colab
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "{what}"], check=True)"""


@functools.cache
def address() -> str:
    """Where the repository is, as pyproject.toml says; nothing where it does not."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"].get("urls", {})
    return checked(urls.get("Repository", ""))


def checked(given: str) -> str:
    """The address in one form."""
    if not given:
        return ""
    found = FORM.fullmatch(given)
    if not found:
        raise ValueError(
            f"Repository is {given!r}; expected https://github.com/OWNER/NAME, which Colab can open"
        )
    return f"https://github.com/{found[1]}/{found[2]}"


def name(repository: str) -> str:
    """OWNER/NAME."""
    return repository.removeprefix("https://github.com/")


def colab(repository: str, path: str) -> str:
    """Where Colab opens a notebook."""
    return f"https://colab.research.google.com/github/{name(repository)}/blob/main/{path}"


def edited(repository: str, page: str) -> str:
    """Where the source of a page of the site is edited: of an algorithm its code."""
    folder, _, file = page.rpartition("/")
    made = file.removesuffix(".md")
    source = f"docs/{page}"
    if folder == "reference":
        source = "docs/reference.md"
    elif folder in ("algorithms", "schedules", "losses"):
        found = (
            gc.REGISTRY[made].fn if made in gc.REGISTRY else getattr(gc, made, None) or gc.SCHEDULES.get(made)
        )
        module = getattr(found, "__module__", "docs.pages.overview").replace(".", "/")
        package = (ROOT / module).is_dir()
        source = f"{module}/__init__.py" if package else f"{module}.py"
    return f"{repository}/edit/main/{source}"


def linked(markdown: str, repository: str) -> str:
    """A page of the site whose notebooks are links, to where they are shown and to Colab."""
    if not repository:
        return markdown

    def links(found: re.Match) -> str:
        path = found[1]
        return f"[`{path}`]({repository}/blob/main/{path}) ([open in Colab]({colab(repository, path)}))"

    return NAMED.sub(links, markdown)


def readme(text: str, repository: str) -> str:
    """README with a link to Colab at each of its marks."""

    def links(found: re.Match) -> str:
        link = f" ([open in Colab]({colab(repository, found[2])}))" if repository else ""
        return f"{found[1]}{link}{found[3]}"

    return MARKED.sub(links, text)


def notebook(content: dict[str, Any], path: str, repository: str) -> dict[str, Any]:
    """A notebook with its link, and the cell that installs gradchain before the others."""
    cells = [dict(cell) for cell in content["cells"] if cell.get("id") != "install"]
    lines = "".join(cells[0]["source"]).splitlines(keepends=True)
    if len(lines) > 2 and lines[2].startswith(BADGE):
        del lines[1:3]
    if repository:
        lines[1:1] = ["\n", f"{BADGE}{colab(repository, path)})\n"]
    cells[0]["source"] = lines
    what = f"gradchain[examples] @ git+{repository}" if repository else "..[examples]"
    install = {
        "cell_type": "code",
        "execution_count": 1,
        "id": "install",
        "metadata": {},
        "outputs": [],
        "source": INSTALL.format(what=what).splitlines(keepends=True),
    }
    cells.insert(next(i for i, cell in enumerate(cells) if cell["cell_type"] == "code"), install)
    for i, cell in enumerate((cell for cell in cells if cell["cell_type"] == "code"), 1):
        cell["execution_count"] = i
        results = [dict(output) for output in cell["outputs"]]
        for output in results:
            if "execution_count" in output:
                output["execution_count"] = i
        cell["outputs"] = results
    return {**content, "cells": cells}


def written(repository: str) -> dict[Path, str]:
    """The files that have such links, as they should be."""
    found = {ROOT / "README.md": readme((ROOT / "README.md").read_text("utf-8"), repository)}
    for file in NOTEBOOKS:
        content = json.loads(file.read_text("utf-8"))
        made = notebook(content, f"notebooks/{file.name}", repository)
        found[file] = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    return found


if __name__ == "__main__":
    for file, text in written(address()).items():
        file.write_text(text, "utf-8")
    print(f"links to {address() or 'nowhere: pyproject.toml names no Repository'}")
