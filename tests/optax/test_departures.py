"""The tables of docs/optax.md: their numbers, which argument gives Optax's, and both columns of its sheet."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

installed = pytest.importorskip("optax")
departures = pytest.importorskip("tests.optax.departures")

PAGE = departures.PAGE.read_text()
ROWS = [departures.parsed(text) for text in departures.lines(PAGE)]
QUICK = {"amsgrad(0.1)", "lamb(0.1)", "normalize()", "tree.bias_correction(1.0, 0.9999, 1)"}
QUICK_PAIRS = {"gc.adamw(", "gc.partition(", "gc.chain(gc.freeze("}  # what a line of the sheet begins with
THIS = pytest.mark.skipif(installed.__version__ != departures.VERSION, reason="another Optax than the page's")
SHEET = re.findall(r"^\| `(optax\.[^|]*\))` \| `(gc\.[^|]*\))` \|$", PAGE, re.MULTILINE)
GIVEN = {"optax": installed, "gc": gc, "jax": jax, "jnp": jnp, "lr": 0.02, "wd": 0.1}


def marked(given, name, quick):
    """A parameter; most are run in the slow suite alone."""
    return pytest.param(*given, id=name, marks=[] if quick else pytest.mark.slow)


ONES = [marked([row], f"{row.code} {row.on}", row.code in QUICK) for row in ROWS]
OTHERS = [p for p in ONES if p.values[0].other]
PAIRS = [marked(pair, pair[1], pair[1].startswith(tuple(QUICK_PAIRS))) for pair in SHEET]


def test_rows_are_found():
    assert len(ROWS) >= 55 and len(OTHERS) >= 25 and len(SHEET) >= 12
    assert f"Optax {departures.VERSION}" in PAGE
    assert {row.code for row in ROWS} >= QUICK


@THIS
@pytest.mark.parametrize("row", ONES)
def test_numbers_are_those_of_the_page_and_differ(row):
    assert departures.line(row) in PAGE.splitlines(), "run: python -m tests.optax.departures"
    here, theirs, _ = departures.numbers(row)
    assert departures.shown(here) != departures.shown(theirs)


@THIS
@pytest.mark.parametrize("row", OTHERS)
def test_the_argument_gives_optaxs_number(row):
    libraries = departures.libraries()
    found = departures.number(row.as_optax, row.on, libraries["gradchain"])
    assert departures.same(found, departures.number(row.code, row.on, libraries["Optax"]))


def trajectory(tx, steps=4):
    """Parameters after some steps, with gradients that are drawn."""
    rng = np.random.default_rng(0)
    params = {"layer": {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}}
    tx = departures.with_extra(tx)
    state = tx.init(params)
    for _ in range(steps):
        grads = jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape)), params)
        updates, state = tx.update(grads, state, params)
        params = installed.apply_updates(params, updates)
    return params


@pytest.mark.parametrize(("theirs", "ours"), PAIRS)
def test_both_columns_of_the_sheet_are_the_same(theirs, ours, x64):
    found, expected = trajectory(eval(ours, GIVEN)), trajectory(eval(theirs, GIVEN))
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-7, atol=1e-7), found, expected)


def test_names_of_the_page_are_here():
    named = set(re.findall(r"`gc\.([a-z_]\w*)", PAGE))
    assert len(named) > 15 and not [name for name in named if not hasattr(gc, name)]
