"""What a type checker says of users' programs, and that the stubs are what .ci/stubs.py writes."""

import ast
import importlib.util
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import gradchain as gc

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STUBS = [ROOT / "gradchain" / name for name in ("__init__.pyi", "optax/__init__.pyi")]
FILES = ("good.py", "optax_good.py", "bad.py")
COMMENT = re.compile(r"  # (report\w+)$")


@pytest.fixture(scope="module")
def found():
    """The errors of pyright by file: {line: rules}."""
    if importlib.util.find_spec("pyright") is None:
        pytest.skip("pyright is not installed")
    env = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", "PYTHONWARNINGS": "default"}
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    files = [str(HERE / name) for name in FILES]
    done = subprocess.run([*command, *files], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    try:
        said = json.loads(done.stdout)
    except ValueError:
        pytest.fail(f"pyright did not run: {done.stdout[-500:]}{done.stderr[-500:]}")
    assert said["summary"]["filesAnalyzed"] == len(FILES)
    errors: dict[str, dict[int, set[str]]] = {name: {} for name in FILES}
    for one in said["generalDiagnostics"]:
        line = one["range"]["start"]["line"] + 1
        errors[Path(one["file"]).name].setdefault(line, set()).add(one.get("rule", one["message"]))
    return errors


@pytest.mark.parametrize("name", ["good.py", "optax_good.py"])
def test_a_program_in_order_has_no_errors(name, found):
    assert found[name] == {}


def test_each_mistake_is_found(found):
    lines = enumerate((HERE / "bad.py").read_text().splitlines(), 1)
    expected = {i: {match[1]} for i, line in lines if (match := COMMENT.search(line))}
    assert len(expected) > 12 and found["bad.py"] == expected


def test_the_stubs_are_up_to_date():
    for file, text in runpy.run_path(str(ROOT / ".ci" / "stubs.py"))["stubs"]().items():
        assert text == file.read_text(), f"{file.name}: run: make stubs"


@pytest.mark.parametrize("stub", STUBS, ids=lambda file: file.parent.name)
def test_a_stub_has_every_name_and_explains_arguments(stub):
    body = ast.parse(stub.read_text()).body
    functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
    imported = {alias.asname for node in body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(gc.__all__) <= functions.keys() | imported
    ours = {n for n, f in gc.REGISTRY.items() if f.fn.__module__.startswith("gradchain.")}
    assert set(functions) == ours - ({"freeze"} if stub == STUBS[1] else set())
    assert ast.get_docstring(functions["adamw"]) == gc.adamw.__doc__
    arguments = [a.arg for a in functions["adamw"].args.args + functions["adamw"].args.kwonlyargs]
    assert arguments == list(gc.REGISTRY["adamw"].signature.parameters)


def test_the_stub_of_optax_returns_pairs_with_optaxs_numbers():
    text = STUBS[1].read_text()
    returned = set(re.findall(r"^\) -> (\w+):$", text, re.MULTILINE))
    assert returned == {"Transformation"}
    (fill,) = re.findall(r"def yogi\(.*?fill_mu: bool = (\w+)", text, re.DOTALL)
    assert fill == "True" and "fill_mu: bool = False" in STUBS[0].read_text()
