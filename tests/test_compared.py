"""How near each algorithm is to another implementation, as the site says: measured, and of all of them."""

import importlib
import inspect
import re

import jax
import pytest

import gradchain as gc
from docs.pages import algorithm, compared, deviations
from docs.pages.held import HELD, REASONS

MEASURED = compared.measured()
AGAIN = "run: make deviations"


def test_every_algorithm_has_a_deviation_or_a_reason():
    cases = {case["name"]: case for case in compared.golden()}
    assert sorted(MEASURED["golden"]) == sorted(cases), AGAIN
    assert sorted(MEASURED["tests"]) == sorted(HELD), AGAIN
    for name in gc.REGISTRY:
        rows, why = compared.rows(name), compared.reason(name)
        assert bool(rows) != bool(why), f"{name}: a comparison in docs/pages/held.py, or a reason, not both"
        assert all(row.by.partition(" ")[2] and row.call for row in rows), name
    assert not (set(HELD) | set(REASONS)) - set(gc.REGISTRY)


def test_deviations_are_within_what_is_allowed():
    kept = [*MEASURED["golden"].values(), *MEASURED["tests"].values()]
    assert all(0 <= one["deviation"] <= one["allowed"] < deviations.BOUND for one in kept)
    for case in compared.golden():
        assert MEASURED["golden"][case["name"]]["allowed"] == case["rtol"], AGAIN


@pytest.mark.parametrize("name", ["ivon", "sm3"])
def test_a_sample_of_the_tests_has_the_recorded_deviation(name):
    """The golden tests hold theirs; of the others these two are run."""
    file, _, test = HELD[name].test.partition("::")
    module = importlib.import_module("tests." + file.removesuffix(".py").replace("/", "."))
    with deviations.watched() as seen, jax.enable_x64(True):
        getattr(module, test)(*inspect.signature(getattr(module, test)).parameters)
    assert seen.count and compared.alike(seen.deviation, MEASURED["tests"][name]["deviation"]), AGAIN


def test_sizes_are_told_apart():
    assert compared.alike(0, 1e-14) and compared.alike(3e-12, 1e-11) and compared.alike(1e-7, 1e-7)
    assert not compared.alike(1e-16, 1e-8) and not compared.alike(1e-5, 1e-8)


def test_watching_sees_what_is_compared():
    import numpy as np

    with deviations.watched() as seen:
        np.testing.assert_allclose(np.float64([1.0, 2.0]), [1.0, 2.0 + 2e-10], rtol=1e-9)
        np.testing.assert_allclose(1.0, 2.0, rtol=1.0)  # a bound
    assert seen.count == 1 and seen.difference == pytest.approx(2e-10, rel=1e-3)
    assert seen.deviation == pytest.approx(1e-10, rel=1e-3) and seen.allowed == 1e-9


def test_pages_show_it():
    assert re.search(
        r"\| torch 2.13.0 \| \d.*e-1\d \| 1e-10 \| `torch.optim.adamw.AdamW\(", algorithm.page("adamw")
    )
    assert re.search(r"\| NumPy .*, from the paper \| \d.* \| \[arXiv:2504.05295\]", algorithm.page("dion"))
    assert "It is a part of what is run there." in algorithm.page("scale_by_adan")
    assert "No other implementation's numbers: it draws noise" in algorithm.page("add_noise")
