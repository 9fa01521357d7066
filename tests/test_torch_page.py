"""Both columns of the tables of docs/torch.md are the same (torch_page.py has run the left one)."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from torch_page import NUMBERS, POINTS, TABLES, lines, only_matrices, problem, rows

import gradchain as gc

RUNS = dict(np.load(Path(__file__).parent / "torch_page.npz"))
ROWS = {f"{table}: {there}": (there, here) for table, there, here in rows()}


def test_the_rows_are_those_that_were_run():
    assert sorted(ROWS) == sorted(RUNS), "run: python tests/torch_page.py"
    assert {name.split(":")[0] for name in ROWS} == set(TABLES)


@pytest.mark.parametrize("name", ROWS)
def test_both_columns_are_the_same(name, x64):
    there, here = ROWS[name]
    made = eval(here, {**vars(gc), **NUMBERS, "jnp": jnp})
    if "schedule" in name.split(":")[0]:
        found = [float(made(jnp.asarray(t))) for t in range(POINTS)]
        np.testing.assert_allclose(found, RUNS[name], rtol=1e-6, atol=1e-12)
        return
    params, grads = problem(only_matrices(there))

    def step(carry, g):
        params, state = made.step(g, carry[1], carry[0])
        return (params, state), jnp.concatenate([params[k].ravel() for k in problem(False)[0] if k in params])

    start = jax.tree.map(jnp.asarray, params)
    found = jax.jit(lambda s: jax.lax.scan(step, (start, s), grads)[1])(made.init(start))
    np.testing.assert_allclose(found, RUNS[name], rtol=1e-10, atol=1e-10)


def test_every_name_on_the_right_is_here():
    called = {name for _, _, here in lines() for name in re.findall(r"(?<![\w.])([a-z]\w+)\(", here)}
    assert len(called) > 40 and not [name for name in called if not hasattr(gc, name)], called
