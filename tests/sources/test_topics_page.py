"""docs/topics.md: each row names tests and programs that are there, and each small program has its row."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    line
    for line in (ROOT / "docs/topics.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and "shown by |" not in line and not line.startswith("| ---")
]
PROOF = re.compile(r"`((?:tests|examples)/[\w/]+\.py)(?:::(\w+))?`")


@functools.cache
def defined(path: str) -> set[str]:
    """The functions of a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_a_row_names_what_shows_it(row):
    proofs = PROOF.findall(re.split(r"(?<!\\)\|", row)[3])
    assert proofs, row
    for path, test in proofs:
        assert (ROOT / path).is_file(), path
        assert (test in defined(path)) if path.startswith("tests/") else not test, (path, test)


def test_every_small_program_has_its_row():
    programs = {file.name for file in (ROOT / "examples").glob("*.py")} - {"show.py"}
    named = {Path(path).name for row in ROWS for path, _ in PROOF.findall(row)}
    assert programs - named <= {"keras_fit.py", "ppo.py", "vae.py"}, programs - named
