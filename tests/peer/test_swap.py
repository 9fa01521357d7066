"""Optax's own tests on gradchain.optax: one file of them; `make test-peer` runs all."""

import os
import pathlib
import subprocess
import sys

import pytest

optax = pytest.importorskip("optax")
HERE = pathlib.Path(__file__).parents[2]
FILE = pathlib.Path(next(iter(optax.__path__))) / "_src" / "lookahead_test.py"


def test_optax_runs_its_tests_on_gradchains_names():
    command = [
        "-m",
        "pytest",
        "-q",
        "-c",
        os.devnull,
        "--rootdir",
        str(FILE.parents[1]),
        "-p",
        "tests.peer.swap",
    ]
    options = {**os.environ, "PYTHONPATH": str(HERE), "PYTEST_ADDOPTS": "", "PYTHONWARNINGS": "ignore"}
    run = subprocess.run(
        [sys.executable, *command, "-p", "no:cacheprovider", "--least", "7", str(FILE)],
        capture_output=True,
        text=True,
        cwd=HERE,
        env=options,
        timeout=100,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Optax's tests on gradchain.optax: 7 passed" in run.stdout


def test_the_swap_reaches_all_of_optaxs_modules():
    program = """
import tests.peer.swap as swap
import gradchain.optax as ours
from optax._src import alias, transform
import optax

assert alias.adam is optax.adam is ours.adam and transform.scale_by_adam is ours.scale_by_adam
assert optax.contrib.muon is ours.contrib.muon and optax.tree.scale is ours.tree.scale
assert len(swap.SWAPPED) > 350, len(swap.SWAPPED)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=HERE, timeout=100
    )
    assert run.returncode == 0, run.stderr
