"""Figures are drawn from tables alone: none knows how to measure, and no measurement knows a figure."""

import shutil

import pytest
from layout_checks import import_graph

from benchmarks import figures, results


def test_figures_and_measurements_do_not_know_each_other():
    graph = import_graph("benchmarks")
    known = {other for name, others in graph.items() if "figures" in name for other in others}
    assert {name for name in known if "figures" not in name} == {"benchmarks.results"}
    users = {name for name, others in graph.items() if any("figures" in other for other in others)}
    assert {name for name in users if "figures" not in name} == {
        "benchmarks.__main__",
        "benchmarks.aot.__main__",
    }


def test_every_kept_table_has_its_figure():
    tables = sorted(results.RESULTS.glob("*.csv"))
    assert {table.stem.split("_")[0] for table in tables} <= figures.DRAWN.keys()
    assert all(table.with_suffix(".png").exists() for table in tables)


@pytest.mark.parametrize("name", ["step", "aot_tpu_matrices"])
def test_a_figure_is_drawn_beside_its_table(name, tmp_path, capsys):
    table = tmp_path / f"{name}.csv"
    shutil.copy(results.RESULTS / table.name, table)
    figures.show(table)
    assert capsys.readouterr().out.split() == [str(table), str(tmp_path / f"{name}.png")]
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    figures.show(None)  # nothing was kept, and nothing is drawn
    assert not capsys.readouterr().out
