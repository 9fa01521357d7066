"""What mkdocs fills in when it builds the site: pages of algorithms, the reference by topic, figures."""

import dataclasses
import re
import sys
from pathlib import Path

import griffe
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)] * (str(ROOT) not in sys.path)

import gradchain as gc  # noqa: E402
from docs.pages import docstring, repository, site, words  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
RESULT = re.compile(r"\*\*([^*\n]+)\*\*\n\n((?:\|[^\n]*\n)+)\n(!\[[^\n]*\n)")


def on_config(config):
    """The navigation with the pages that are made here, and the repository where it has an address."""
    config.nav = site.navigation(config.nav)
    if repository.address():
        config.repo_url, config.repo_name = repository.address(), repository.name(repository.address())
    return config


def on_files(files, config):
    """Figures of the benchmarks, and the pages that are made of the code."""
    for figure in sorted(RESULTS.rglob("*.png")):
        where = figure.relative_to(RESULTS).as_posix()
        files.append(File.generated(config, f"results/{where}", abs_src_path=str(figure)))
    for path, text in site.pages().items():
        if path == "reference.md":  # the file is the source of its pages
            files.remove(files.get_file_from_path(path))
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page, **_) -> str:
    path = page.file.src_uri
    if found := words.tags(path):
        page.meta["tags"] = found
    page.meta.setdefault("search", {})["boost"] = words.boost(path)
    for marked, fill in site.FILLED.items():
        if marked in markdown:
            markdown = markdown.replace(marked, fill())
    # Pages show benchmarks/results/ as it stands in the repository; in the site it is a folder of its own.
    markdown = markdown.replace("](../benchmarks/results/", "](results/")
    if path == "benchmarks.md":
        markdown = RESULT.sub(_folded, markdown)
    if repository.address():
        page.edit_url = repository.edited(repository.address(), path)
    return repository.linked(site.relinked(markdown), repository.address())


def _folded(found: re.Match) -> str:
    """A result with its figure first and its table folded."""
    title, rows, figure = found[1], found[2], found[3]
    shown = "".join("    " + row + "\n" for row in rows.splitlines())
    return f'**{title}**\n\n{figure}\n\n??? note "Table: {title}"\n\n{shown}\n'


def on_page_content(html: str, page, config, **_) -> str:
    """The formulas, and to autorefs the names that `reference.page` told apart."""
    if page.file.src_uri.startswith("reference/"):
        for name in re.findall(r'<a id="(gradchain\.\w+)"></a>', html):
            config.plugins["autorefs"].register_anchor(page=page, identifier=name)
    return docstring.filled(html)


def on_post_page(output: str, **_) -> str:
    """The theme's script asks the repository's host for stars wherever it finds this mark."""
    return output.replace(' data-md-component="source"', "")


class Docstrings(griffe.Extension):
    """Docstrings as pages want them: formulas typeset, links to names, signatures of schedules, sources."""

    def on_instance(self, *, obj, **_) -> None:
        if not obj.docstring or not obj.path.startswith("gradchain."):
            return
        text = obj.docstring.value
        factory = gc.REGISTRY.get(obj.name) if obj.is_function else None
        names = frozenset(factory.signature.parameters) if factory else ()
        obj.docstring.value = docstring.markdown(text, names, link)
        if obj.is_class and obj.name in gc.SCHEDULES:
            obj.docstring.value = (
                f"```python\n{arguments(gc.SCHEDULES[obj.name])}\n```\n\n{obj.docstring.value}"
            )
        if factory:
            obj.docstring.value += "\n\n" + site.about(obj.name, text)


def link(name: str) -> str:
    """A public name as a link to where it is explained; tables of data have no entry."""
    explained = name in gc.__all__ and not isinstance(getattr(gc, name), dict)
    return f"[`{name}`][gradchain.{name}]" if explained else f"`{name}`"


def arguments(schedule: type) -> str:
    """How a schedule is called."""
    shown = [
        f.name if f.default is dataclasses.MISSING else f"{f.name}={f.default!r}"
        for f in dataclasses.fields(schedule)
    ]
    return f"{schedule.__name__}({', '.join(shown)})"
