"""The programs that docs/optax.md shows beside Optax: the same numbers, and those of the page."""

import difflib

import jax.numpy as jnp
import numpy as np
import pytest

from docs.pages import beside
from docs.pages.beside import programs, source
from tests.optax.beside import run, table
from tests.optax.departures import PAGE, VERSION

optax = pytest.importorskip("optax")
PAGE_TEXT = PAGE.read_text()
pytestmark = pytest.mark.filterwarnings("ignore")  # of libraries, of each other


# Of the largest number of each array. Flax's parameters are float32, and so is what Optax's MultiSteps adds.
LIMITS = {"changed_rate": ("float32", 1e-5), "fine_tune": ("float64", 1e-12),
          "train_state": ("float64", 1e-6), "wrapped": ("float64", 1e-6)}  # fmt: skip


@pytest.mark.parametrize("name", programs())
def test_both_end_with_the_same_parameters_and_state(name, request):
    dtype, limit = LIMITS[name]
    if dtype == "float64":
        request.getfixturevalue("x64")
    theirs, ours = run(name, "Optax", dtype), run(name, "gradchain", dtype)
    assert list(ours.arrays) == list(theirs.arrays) and len(ours.arrays) > 5
    for path, expected in theirs.arrays.items():
        bound = limit * np.max(np.abs(expected)) if jnp.issubdtype(expected.dtype, jnp.floating) else 0
        np.testing.assert_allclose(ours.arrays[path], expected, rtol=0, atol=bound, err_msg=path)


@pytest.mark.parametrize("name", programs())
def test_both_print_the_same(name):
    theirs, ours = run(name, "Optax"), run(name, "gradchain")
    assert ours.lines == theirs.lines and len(ours.lines) >= 4
    if optax.__version__ == VERSION:
        assert table(name, theirs, ours) in PAGE_TEXT, "run: python -m tests.optax.beside"


def test_one_line_differs_and_is_marked():
    assert len(programs()) >= 4
    for name in programs():
        pair = [source(name, library).splitlines() for library in ("Optax", "gradchain")]
        changed = [line for line in difflib.ndiff(*pair) if line[0] in "+-"]
        assert changed == [f"- {beside.THERE}", f"+ {beside.HERE}"]
        assert f"<!-- beside: {name} -->\n" in PAGE_TEXT
        assert beside.tabs(name).count("hl_lines") == 2
