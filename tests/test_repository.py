"""Links that one setting turns on: of the site, README and notebooks, to the repository and to Colab."""

import importlib.util
import json
import re
from types import SimpleNamespace

import pytest

from docs.pages import repository

SAMPLE = "https://github.com/someone/gradchain"
COLAB = re.compile(
    r"https://colab\.research\.google\.com/github/someone/gradchain/blob/main/(notebooks/\w+\.ipynb)\)"
)


@pytest.fixture(scope="module")
def hooks():
    pytest.importorskip("mkdocs")
    from docs import hooks

    return hooks


def test_files_are_as_the_setting_says():
    for file, text in repository.written(repository.address()).items():
        assert file.read_text("utf-8") == text, f"{file.name}: run: make links"


def test_without_the_setting_there_are_no_links():
    texts = [*repository.written("").values(), repository.linked("`notebooks/quickstart.ipynb`", "")]
    assert not any("colab.research" in text or "github.com/someone" in text for text in texts)
    assert len(texts) == len(repository.NOTEBOOKS) + 2


def test_links_lead_to_notebooks_that_exist():
    found = repository.written(SAMPLE)
    pages = "".join(file.read_text("utf-8") for file in (repository.ROOT / "docs").rglob("*.md"))
    texts = {**{file.name: text for file, text in found.items()}, "site": repository.linked(pages, SAMPLE)}
    for name, text in texts.items():
        paths = COLAB.findall(text)
        assert paths and text.count("colab.research.google.com") == len(paths), name
        assert all((repository.ROOT / path).exists() for path in paths), name
        assert name in ("README.md", "site") or paths == [f"notebooks/{name}"]
    assert {f"notebooks/{file.name}" for file in repository.NOTEBOOKS} == set(COLAB.findall(texts["site"]))


def test_setting_and_taking_back_changes_nothing():
    for file in repository.NOTEBOOKS:
        path, now = f"notebooks/{file.name}", json.loads(file.read_text("utf-8"))
        there = repository.notebook(now, path, SAMPLE)
        assert there != now and repository.notebook(there, path, SAMPLE) == there
        assert repository.notebook(there, path, "") == repository.notebook(now, path, "")


@pytest.mark.parametrize("found", [True, False])
def test_first_cell_installs_where_gradchain_is_missing(found, monkeypatch):
    calls: list[list[str]] = []
    monkeypatch.setattr("subprocess.run", lambda command, check: calls.append(command))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if found else None)
    for file in repository.NOTEBOOKS:
        content = json.loads(repository.written(SAMPLE)[file])
        first = next(cell for cell in content["cells"] if cell["cell_type"] == "code")
        exec("".join(first["source"]), {})
    assert len(calls) == (0 if found else len(repository.NOTEBOOKS))
    assert all(command[-1] == f"gradchain[examples] @ git+{SAMPLE}" for command in calls)


@pytest.mark.parametrize("given", ["https://example.org/a/b", "github.com/a/b", "https://github.com/a"])
def test_an_address_that_colab_cannot_open(given):
    with pytest.raises(ValueError, match="which Colab can open"):
        repository.checked(given)
    assert repository.checked(f"{SAMPLE}.git") == repository.checked(f"{SAMPLE}/") == SAMPLE


@pytest.mark.parametrize(
    ("page", "source"),
    [
        ("quickstart.md", "docs/quickstart.md"),
        ("algorithms/index.md", "docs/pages/overview.py"),
        ("algorithms/lion.md", "gradchain/rules/sign/lion.py"),
        ("schedules/wsd_schedule.md", None),
        ("losses/l2_loss.md", None),
        ("reference/optimizers.md", "docs/reference.md"),
    ],
)
def test_pages_lead_to_their_sources(page, source):
    at = repository.edited(SAMPLE, page).removeprefix(f"{SAMPLE}/edit/main/")
    assert (repository.ROOT / at).is_file() and source in (None, at)


def test_the_site_leads_to_the_repository(hooks, monkeypatch):
    monkeypatch.setattr(repository, "address", lambda: SAMPLE)
    config = SimpleNamespace(nav=[], repo_url=None, repo_name=None)
    assert hooks.on_config(config).repo_url == SAMPLE and config.repo_name == "someone/gradchain"
    page = SimpleNamespace(file=SimpleNamespace(src_uri="gallery.md"), meta={}, edit_url=None)
    assert COLAB.search(hooks.on_page_markdown("`notebooks/quickstart.ipynb`", page))
    assert page.edit_url == f"{SAMPLE}/edit/main/docs/gallery.md"
    assert "md-component" not in hooks.on_post_page('<a data-md-component="source">')
    monkeypatch.setattr(repository, "address", lambda: "")
    config.repo_url = page.edit_url = None
    assert hooks.on_config(config).repo_url is None
    assert hooks.on_page_markdown("`notebooks/quickstart.ipynb`", page) == "`notebooks/quickstart.ipynb`"
    assert page.edit_url is None
