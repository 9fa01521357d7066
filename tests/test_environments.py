"""Which Python and which versions the Makefile takes: .ci/newest-python and .ci/lowest.py."""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FAKE = """#!/bin/sh
exec {real} -I -S -c '
import collections, sys
Version = collections.namedtuple("Version", "major minor micro releaselevel serial")
sys.version_info = Version(3, {minor}, 0, "{level}", 0)
sys.modules |= dict.fromkeys("{without}".split())
exec(sys.argv[-1])
' "$@"
"""
SHIM = """#!/bin/sh
echo "pyenv: python: command not found" >&2
exit 127
"""


@pytest.fixture
def machine(tmp_path):
    """A machine without any Python: a folder with nothing in it but what a script needs."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("ls", "sh", "make", "awk"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    return tmp_path


def install(path: Path, minor: int, level: str = "final", without: str = "") -> Path:
    """An interpreter that says it is another version."""
    return write(path, FAKE.format(real=sys.executable, minor=minor, level=level, without=without))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def environment(machine: Path, **more: str) -> dict[str, str]:
    folders = [str(machine / name) for name in ("first", "second", "tools")]
    return {"PATH": os.pathsep.join(folders), "HOME": str(machine / "home"), **more}


def newest(machine: Path, *args: str, **more: str) -> str:
    command = [str(ROOT / ".ci" / "newest-python"), *args]
    done = subprocess.run(command, env=environment(machine, **more), capture_output=True, text=True)
    assert done.returncode == (0 if done.stdout else 1) and not done.stderr
    return done.stdout.strip()


def test_the_newest_on_path_and_in_version_managers(machine):
    assert newest(machine) == ""
    only = install(machine / "second" / "python3", 11)
    assert newest(machine) == str(only)
    install(machine / "first" / "python3", 10)
    install(machine / "first" / "python3.11", 11)
    twelve = install(machine / "second" / "python3.12", 12)
    write(machine / "first" / "python3.13", SHIM)
    assert newest(machine) == str(twelve)
    in_pyenv = install(machine / "home" / ".pyenv" / "versions" / "3.13.1" / "bin" / "python3.13", 13)
    assert newest(machine) == str(in_pyenv)
    of_uv = machine / "home" / ".local" / "share" / "uv" / "python" / "cpython-3.14" / "bin" / "python3.14"
    assert newest(machine, PYENV_ROOT=str(machine)) == str(twelve)
    install(of_uv, 14)
    assert newest(machine) == str(of_uv)
    assert newest(machine, "3.12") == str(twelve) and newest(machine, "3.10") == ""


def test_what_cannot_make_an_environment_is_left(machine):
    old = install(machine / "first" / "python3", 11)
    install(machine / "first" / "python3.15", 15, level="candidate")
    install(machine / "first" / "python3.14", 14, without="ensurepip")
    install(machine / "second" / "python3.13", 13, without="venv")
    assert newest(machine) == str(old)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_takes_the_newest_and_obeys_PYTHON(machine):
    thirteen = install(machine / "first" / "python3.13", 13)
    eleven = install(machine / "second" / "python3.11", 11)

    def commands(*args: str, **more: str) -> str:
        command = ["make", "-C", str(ROOT), "--dry-run", "--always-make", *args]
        kept = environment(machine, **more)
        return subprocess.run(command, env=kept, capture_output=True, text=True, check=True).stdout

    assert f"{thirteen} -m venv .envs/oracle\n" in commands(".envs/oracle/.installed")
    assert "mine -m venv .envs/oracle\n" in commands(".envs/oracle/.installed", "PYTHON=mine")
    assert "mine -m venv .envs/oracle\n" in commands(".envs/oracle/.installed", PYTHON="mine")
    assert f"{eleven} -m venv .envs/lowest\n" in commands(".envs/lowest/.installed", "PYTHON=mine")


def test_the_lowest_versions():
    lowest = runpy.run_path(str(ROOT / ".ci" / "lowest.py"))["lowest"]
    text = """
    [project]
    dependencies = ["jax>=0.10.0", "numpy"]
    [project.optional-dependencies]
    flax = ["flax[all] >= 1.2; python_version > '3'", "gradchain[other]"]
    test = ["pytest>=8"]
    """
    assert lowest(text) == ["flax==1.2", "jax==0.10.0"]
    found = lowest((ROOT / "pyproject.toml").read_text())
    names = {line.partition("==")[0] for line in found}
    assert {"jax", "jaxlib", "flax", "optax", "orbax-checkpoint"} <= names
    assert len(names) == len(found)  # each bound is written once
