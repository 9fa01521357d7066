"""The code of every notebook runs, in this process and without Jupyter; its outputs are committed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def code_cells(file: Path) -> list[dict]:
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.fixture
def no_window():
    """Figures are drawn in memory, and closed afterwards."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def run(file: Path) -> dict:
    """Every code cell in order, in one namespace."""
    names: dict = {"__name__": "__notebook__"}
    for i, cell in enumerate(code_cells(file)):
        exec(compile("".join(cell["source"]), f"{file.name}[{i}]", "exec"), names)
    return names


@pytest.mark.slow
@pytest.mark.example
def test_quickstart_runs_and_shows_what_it_says(no_window, capsys):
    names = run(ROOT / "notebooks/quickstart.ipynb")
    first, *_, last = [float(row["bits per byte"]) for row in names["rows"]]
    assert first > 7.5 and last < 5.0
    assert int(names["losses"].argmin()) not in (0, len(names["rates"]) - 1)
    printed = capsys.readouterr().out
    assert "embed unchanged" in printed and "hidden unchanged" in printed and "head trained" in printed


@pytest.mark.slow
@pytest.mark.example
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda f: f.name)
def test_runs_by_itself(file, tmp_path):
    """As a program of its own, for a notebook may choose its devices before JAX starts."""
    if "jax[tpu]" in file.read_text(encoding="utf-8"):
        pytest.importorskip("libtpu", reason="compiles for TPU: make test-aot runs it")
    code = "\n\n".join("".join(cell["source"]) for cell in code_cells(file))
    (tmp_path / "cells.py").write_text(code, encoding="utf-8")
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)}
    env.pop("XLA_FLAGS", None)
    done = subprocess.run([sys.executable, "cells.py"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda f: f.name)
def test_outputs_are_committed(file):
    cells = code_cells(file)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not any(output["output_type"] == "error" or output.get("name") == "stderr" for output in outputs)
