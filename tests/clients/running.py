"""Programs written for Optax, run with the one import of it changed."""

import ast
import dataclasses
import functools
import re
import types
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parent / "programs"
IMPORTED = re.compile(r"^import optax\b", re.MULTILINE)
IMPORTED_FROM = re.compile(r"^from optax\b", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Program:
    """A function of a file of programs, without arguments, that returns a tree of numbers."""

    file: str
    name: str
    needs: tuple[str, ...]  # packages that the file imports

    def run(self, library: str) -> Any:
        """What it returns, where `library` stands for Optax."""
        for package in self.needs:
            pytest.importorskip(package)
        return jax.tree.map(np.asarray, getattr(module(self.file, library), self.name)())


@functools.cache
def module(file: str, library: str) -> types.ModuleType:
    """A file of programs with its imports of Optax changed to another library."""
    path = FOLDER / f"{file}.py"
    made = types.ModuleType(f"clients_{library.replace('.', '_')}_{file}")
    exec(compile(changed(path.read_text(), library), f"{path} ({library})", "exec"), made.__dict__)
    return made


def changed(source: str, library: str) -> str:
    """A program's source with its imports of Optax changed, and nothing else."""
    return IMPORTED_FROM.sub(f"from {library}", IMPORTED.sub(f"import {library} as optax", source))


def programs() -> list[Program]:
    """All programs, read without running anything."""
    return [program for path in sorted(FOLDER.glob("*.py")) for program in programs_of(path)]


def programs_of(path: Path) -> list[Program]:
    """The public functions of a file."""
    body = ast.parse(path.read_text()).body
    needs = {
        name.split(".")[0]
        for node in body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [x.name for x in node.names])
        if name
    }
    return [
        Program(path.stem, f.name, tuple(sorted(needs)))
        for f in body
        if isinstance(f, ast.FunctionDef) and not f.name.startswith("_")
    ]
