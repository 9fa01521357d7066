"""The version stands in one place, and what .ci/try_wheel.py finds wrong with a wheel."""

import re
import runpy
import tomllib
from pathlib import Path

import gradchain as gc

ROOT = Path(__file__).resolve().parent.parent
TRY = runpy.run_path(str(ROOT / ".ci" / "try_wheel.py"))


def test_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"] and "version" not in project["project"]
    source = ROOT / project["tool"]["hatch"]["version"]["path"]
    assert TRY["version_of"](source.read_text()) == gc.__version__
    assert re.findall(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE) == [
        gc.__version__
    ]


def test_faults_of_a_wheel():
    faults = TRY["faults"]
    info = [f"gradchain-{gc.__version__}.dist-info/{name}" for name in TRY["ABOUT"]]
    files = [str(f.relative_to(ROOT)) for f in (ROOT / "gradchain").rglob("*") if "__pycache__" not in str(f)]
    whole = [*files, *info]
    assert faults(whole, gc.__version__) == []
    assert faults([f for f in whole if f != "gradchain/py.typed"], gc.__version__) == [
        "no gradchain/py.typed"
    ]
    assert faults([*whole, "tests/conftest.py"], gc.__version__) == ["tests/ in it"]
    assert faults([f for f in whole if "CITATION" not in f], gc.__version__) == [f"no {info[-1]}"]
    without = [f for f in whole if f != "gradchain/core/tree.py"]
    assert faults(without, gc.__version__) == ["no gradchain/core/tree.py"]


def test_extras_that_commands_name_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = set()
    for file in (ROOT / "gradchain").rglob("*.py"):
        named |= set(re.findall(r'need\("[\w.]+", "(\w+)"', file.read_text()))
    assert "cli" in named and named <= set(project["optional-dependencies"])
    assert project["scripts"]["gradchain"] == "gradchain.cli:run"


def test_the_quickstart_is_the_first_program_of_the_readme():
    assert "import gradchain as gc" in TRY["quickstart"]((ROOT / "README.md").read_text())
