"""What the benchmarks count and compare, by hand on small cases; no time is measured here."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import results, torch_adamw
from benchmarks.aot import shapes
from benchmarks.aot.measure import Figures, step_of
from benchmarks.step import numbers, transformations
from benchmarks.timing import Spread, ratio, rounds
from benchmarks.trace import distinct, inlined


def test_equations_are_counted_at_the_top_once_each_and_inlined():
    @jax.jit
    def inner(x):
        return jnp.sin(x) * 2

    def f(x):
        return inner(inner(x)) + inner(x) + 1

    jaxpr = jax.make_jaxpr(f)(1.0).jaxpr
    assert len(jaxpr.eqns) == 5  # three calls, two additions
    assert distinct(jaxpr) == 5 + 2
    assert inlined(jaxpr) == 3 * 2 + 2


def test_ratios_are_taken_within_rounds():
    assert ratio([1.0, 20.0, 3.0], [2.0, 10.0, 6.0]) == 0.5
    assert Spread.of([3.0, 1.0, 2.0, 5.0, 4.0]) == (3.0, 2.0, 4.0)
    assert Spread.of([7.0]) == (7.0, 7.0, 7.0)


def test_contestants_take_turns_and_warm_rounds_do_not_count():
    calls = []
    contestants = {name: lambda name=name: calls.append(name) or float(len(calls)) for name in "ab"}
    found = rounds(contestants, repeats=2, warm=1)
    assert "".join(calls) == "ab" + "ab" + "ba"
    assert found == {"a": [3.0, 6.0], "b": [4.0, 5.0]}


def test_tables_survive_being_written(tmp_path):
    rows = [{"name": "a, b", "n": 3, "x": 0.125}, {"name": "c", "n": -1, "x": 1e-9}]
    results.write("table", rows, tmp_path)
    assert results.read("table", tmp_path) == rows
    with pytest.raises(ValueError, match="nothing was measured"):
        results.write("table", [], tmp_path)


def test_the_average_has_one_dear_step_in_so_many():
    figures = Figures(
        *(0, 40.0, 12.0, 0, 0, 0, 0),
        lower_seconds=0,
        compile_seconds=0,
        operations=0,
        cycles=0,
    )
    assert figures.average(8) == 15.5
    assert figures.average(1) == 40.0


def test_sizes_of_trees():
    tree = {"a": shapes.abstract(2, 3), "b": shapes.abstract(5, dtype=jnp.bfloat16), "c": shapes.abstract()}
    assert shapes.size(tree) == 12
    assert shapes.nbytes(tree) == 24 + 10 + 4
    assert len({x.shape for x in shapes.distinct(300).values()}) == 300


@pytest.mark.parametrize("clip", [False, True])
def test_the_contestants_take_the_same_step(clip):
    """As in benchmarks/step.py, on small leaves; PyTorch takes its part where it is installed."""
    tree = {"a": shapes.abstract(20, 30), "b": shapes.abstract(7)}
    grads = jax.tree.map(lambda x: jnp.asarray(numbers("grads", x.shape)), tree)
    ends = {}
    for name, tx in transformations(clip).items():
        params = jax.tree.map(lambda x: jnp.asarray(numbers("params", x.shape)), tree)
        state, step = tx.init(params), jax.jit(step_of(tx))
        for _ in range(3):
            params, state = step(params, state, grads)
        ends[name] = np.concatenate([np.ravel(x) for x in jax.tree.leaves(params)])
    start = np.concatenate([np.ravel(numbers("params", x.shape)) for x in jax.tree.leaves(tree)])
    assert np.abs(ends["gradchain"] - start).max() > 1e-3
    np.testing.assert_allclose(ends["gradchain"], ends["optax"], rtol=0, atol=1e-7)
    remote = torch_adamw.start(None, [x.shape for x in jax.tree.leaves(tree)], clip, threads=1)
    if remote:
        for _ in range(3):
            remote.step()
        np.testing.assert_allclose(ends["gradchain"][:600], remote.sample(), rtol=0, atol=2e-6)
