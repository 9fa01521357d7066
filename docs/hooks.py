"""What mkdocs fills in when it builds the pages: tables from the code, figures from the benchmarks."""

import dataclasses
import re
from pathlib import Path

import griffe
from mkdocs.structure.files import File

import gradchain as gc
from gradchain.core.glossary import GLOSSARY

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def optimizers() -> str:
    """Every optimizer with a paper: name, first line of its docstring, source."""
    rows = []
    for name, factory in gc.REGISTRY.items():
        if factory.kind == "optimizer" and "learning_rate" in factory.signature.parameters:
            first = (factory.fn.__doc__ or "").strip().splitlines()[0]
            rows.append((f"[`{name}`][gradchain.{name}]", first, factory.paper))
    return table(("optimizer", "rule", "source"), sorted(rows))


def on_page_markdown(markdown: str, page, **_) -> str:
    markdown = markdown.replace("<!-- optimizers -->", optimizers())
    rows = [(f"`{name}`", text) for name, text in GLOSSARY.items()]
    markdown = markdown.replace("<!-- glossary -->", table(("argument", "meaning"), rows))
    # Pages show benchmarks/results/ as it stands in the repository; in the site it is a folder of its own.
    return markdown.replace("](../benchmarks/results/", "](results/")


def on_files(files, config):
    for figure in sorted(RESULTS.rglob("*.png")):
        where = figure.relative_to(RESULTS).as_posix()
        files.append(File.generated(config, f"results/{where}", abs_src_path=str(figure)))
    return files


class Docstrings(griffe.Extension):
    """Docstrings as pages want them: math in lines, links to names, signatures of schedules, sources."""

    def on_instance(self, *, obj, **_) -> None:
        if not obj.docstring or not obj.path.startswith("gradchain."):
            return
        lines = obj.docstring.value.splitlines()
        text = "\n".join(line + "  " if len(line) < 88 or " = " in line else line for line in lines)
        obj.docstring.value = re.sub(r"`(\w+)`", link, text)
        if obj.is_class and obj.name in gc.SCHEDULES:
            obj.docstring.value = (
                f"```python\n{arguments(gc.SCHEDULES[obj.name])}\n```\n\n{obj.docstring.value}"
            )
        factory = gc.REGISTRY.get(obj.name)
        if factory and obj.is_function and factory.paper and factory.paper not in text:
            obj.docstring.value += f"\n\nSource: {factory.paper}"


def link(name: re.Match) -> str:
    """A public name as a link to where it is explained; tables of data have no entry."""
    explained = name[1] in gc.__all__ and not isinstance(getattr(gc, name[1]), dict)
    return f"[{name[0]}][gradchain.{name[1]}]" if explained else name[0]


def arguments(schedule: type) -> str:
    """How a schedule is called."""
    shown = [
        f.name if f.default is dataclasses.MISSING else f"{f.name}={f.default!r}"
        for f in dataclasses.fields(schedule)
    ]
    return f"{schedule.__name__}({', '.join(shown)})"
