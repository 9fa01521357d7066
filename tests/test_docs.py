"""Every python block of README.md and docs/ runs, what stands printed after it is what it prints.

The blocks of a page share their names. A `text` block right after a python block is the block's output;
`<!-- no test -->` before a block leaves it out; `...` in what is printed is any text within a line. In a
`console` block each `$ gradchain ...` is run, and `$ cat FILE` shows a file that one has written.
"""

import contextlib
import io
import re
import shlex
import sys
import types
from pathlib import Path

import pytest

import gradchain as gc
from benchmarks.docs import render
from gradchain.cli import main
from gradchain.core.glossary import GLOSSARY

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"^(?P<skip><!-- no test -->\n+)?```python\n(?P<code>.*?)^```\n(?:\n*```text\n(?P<printed>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)

CONSOLE = re.compile(r"^```console\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
CONSOLE_PAGES = [page for page in PAGES if CONSOLE.search(page.read_text())]


def same(found: str, printed: str) -> bool:
    """Whether a text is what stands printed."""
    return bool(re.fullmatch(".*".join(map(re.escape, printed.split("..."))), found))


def run_page(text: str, name: str) -> int:
    """Run a page's blocks in one namespace; how many there were."""
    page = types.ModuleType("__docs__")  # a module, so that pickle finds what a page defines
    sys.modules["__docs__"], names, count = page, vars(page), 0
    for block in BLOCK.finditer(text):
        if block["skip"]:
            continue
        line = text[: block.start("code")].count("\n")
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile("\n" * line + block["code"], name, "exec"), names)
        if block["printed"] is not None:
            found = "\n".join(s.rstrip() for s in out.getvalue().splitlines())
            assert same(found, block["printed"].rstrip("\n")), f"{name}: line {line} prints\n{found}"
        count += 1
    return count


def run_console(text: str, name: str) -> int:
    """Run the commands of a page's console blocks in the folder that is current; how many there were."""
    count = 0
    for block in CONSOLE.finditer(text):
        for command, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block[1], re.MULTILINE):
            program, *argv = shlex.split(command)
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                assert program in ("gradchain", "cat"), f"{name}: {program} is no command that is run here"
                print(Path(argv[0]).read_text(), end="") if program == "cat" else main(argv)
            found = "\n".join(s.rstrip() for s in out.getvalue().splitlines()).rstrip("\n")
            assert same(found, printed.rstrip("\n")), f"{name}: $ {command} prints\n{found}"
            count += 1
    return count


@pytest.fixture
def registry():
    """The registry as it was, after a page that enters its own algorithms."""
    before = dict(gc.REGISTRY)
    yield
    gc.REGISTRY.clear()
    gc.REGISTRY.update(before)


# What a newcomer reads first runs in the quick suite, the other pages in `make test-examples`.
FIRST = ("README.md", "quickstart.md")
LATER = [pytest.mark.slow, pytest.mark.example]
RUN = [pytest.param(p, marks=[] if p.name in FIRST else LATER) for p in PAGES]


@pytest.mark.parametrize("page", RUN, ids=lambda p: str(p.relative_to(ROOT)))
def test_page_runs(page, registry):
    text = page.read_text()
    assert run_page(text, page.name) == text.count("```python\n") - text.count("<!-- no test -->")


@pytest.mark.parametrize("page", CONSOLE_PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")  # a worker of pytest-xdist says 80
    text = page.read_text()
    assert run_console(text, page.name) == len(re.findall(r"^\$ ", text, re.MULTILINE)) > 0


def test_runner_of_commands_sees_what_is_wrong():
    one = "$ gradchain config validate 'sgd(0.1)'\nvalid: sgd(learning_rate=0.1)\n"
    assert run_console(f"```console\n{one}\n{one}```\n", "page") == 2
    with pytest.raises(AssertionError):
        run_console(f"```console\n{one.replace('0.1', '0.2', 1)}```\n", "page")


def test_runner_sees_what_is_wrong():
    with pytest.raises(ZeroDivisionError):
        run_page("```python\nx = 1\n```\n\ntext\n\n```python\nx / 0\n```\n", "page")
    with pytest.raises(AssertionError):
        run_page("```python\nprint(1)\n```\n\n```text\n2\n```\n", "page")
    with pytest.raises(AssertionError):
        run_page("```python\nprint('3 of 4, 5')\n```\n\n```text\n3 of ..., 6\n```\n", "page")
    assert run_page("```python\nprint('3 of 4, 5')\n```\n\n```text\n3 of ..., 5\n```\n", "page") == 1
    assert run_page("<!-- no test -->\n```python\n1 / 0\n```\n", "page") == 0


def test_reference_has_every_public_name_once():
    listed = re.findall(r"^::: gradchain\.(\w+)$", (ROOT / "docs/reference.md").read_text(), re.MULTILINE)
    modules = {"REGISTRY", "SCHEDULES"}  # data, named in the text
    assert sorted(listed) == sorted(set(gc.__all__) - modules)


def test_bytes_of_state_in_the_pages():
    """`name` (4.004) is an optimizer with its bytes of state for each parameter."""
    pages = "".join((ROOT / f"docs/guide/{name}.md").read_text() for name in ("choosing", "matrices"))
    stated = re.findall(r"`(\w+)` \((\d[\d.]*)\)", pages)
    measured = {entry.name: entry.state for entry in gc.search()}
    assert len(stated) > 30 and stated == [(name, f"{measured[name]:g}") for name, _ in stated]


def test_pages_say_how_many_there_are():
    (stated,) = re.findall(r"[Mm]ore than (\d+) registered", (ROOT / "docs/index.md").read_text())
    assert int(stated) < len(gc.REGISTRY) <= int(stated) + 30
    (counts,) = re.findall(r"\| (\d+), and (\d+) wrappers", (ROOT / "README.md").read_text())
    kinds = [factory.kind for factory in gc.REGISTRY.values()]
    assert counts == (str(kinds.count("optimizer")), str(kinds.count("wrapper")))


def test_glossary_has_the_arguments_of_two_or_more_factories():
    used: dict[str, int] = {}
    for factory in gc.REGISTRY.values():
        for name in factory.signature.parameters if factory.fn.__module__.startswith("gradchain.") else ():
            used[name] = used.get(name, 0) + 1
    assert sorted(GLOSSARY) == sorted(name for name, n in used.items() if n >= 2)


def test_help_joins_the_glossary():
    doc = gc.adamw.__doc__ or ""
    assert GLOSSARY["mask"] in doc and "arXiv:1711.05101" in doc and "decoupled=True" in doc
    assert GLOSSARY["eps"] not in (gc.identity.__doc__ or "")


def test_benchmarks_page_shows_the_results():
    page = (ROOT / "docs/benchmarks.md").read_text()
    assert render(page) == page, "run: python -m benchmarks.docs"


def test_benchmarks_page_takes_every_result(tmp_path):
    (tmp_path / "step_cpu.csv").write_text("name,ms,n\nadam|w,1.23456,10\n")
    (tmp_path / "step_cpu.png").write_bytes(b"")
    (tmp_path / "odd.csv").write_text("a\n1\n")
    page = "<!-- results: step | ms name -->\n<!-- end -->\n<!-- results: * -->\n<!-- end -->\n"
    filled = render(page, tmp_path)
    step, rest = filled.split("<!-- results: * -->")
    assert "| 1.235 | adam\\|w |\n" in step and "step_cpu.png)" in step
    assert "**odd**" in rest and "**odd**" not in step
    assert render(filled, tmp_path) == filled and render(filled, tmp_path / "none") != filled
