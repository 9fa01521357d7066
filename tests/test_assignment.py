"""The assignment of least cost, against scipy's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

import gradchain as gc
from gradchain.assignment import hungarian_algorithm

SHAPES = [
    *(pytest.param(shape, marks=pytest.mark.slow) for shape in ((1, 1), (7, 3), (4, 4))),
    (3, 7),
    (8, 8),
]


OTHERS = [pytest.param(d, marks=pytest.mark.slow) for d in (jnp.float32, jnp.int8, jnp.int32, bool)]


def costs_of(kind: str, shape: tuple[int, int]) -> np.ndarray:
    """100 matrices: of floats, of few integers (many ties), of one column's multiples, of large integers."""
    r = np.random.default_rng(0)
    match kind:
        case "floats":
            return r.normal(size=(100, *shape))
        case "ties":
            return r.integers(-2, 2, (100, *shape)).astype(np.float64)
        case "products":  # every assignment of one row order costs nearly the same
            return r.integers(0, 4, (100, shape[0], 1)) * r.integers(0, 4, (100, 1, shape[1])) * 1.0
    return r.integers(-(2**28), 2**28, (100, *shape), np.int32)


@pytest.mark.parametrize(
    "kind", ["floats", "ties", pytest.param("products", marks=pytest.mark.slow), "large"]
)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_least_cost(kind, shape, x64):
    costs = costs_of(kind, shape)
    rows, columns = jax.vmap(hungarian_algorithm)(jnp.asarray(costs))
    assert rows.shape == columns.shape == (100, min(shape))
    for c, i, j in zip(costs, np.asarray(rows), np.asarray(columns), strict=True):
        assert len(set(i)) == len(set(j)) == min(shape) and list(i) == sorted(i)
        best = c[linear_sum_assignment(c)].sum(dtype=np.float64)
        found = c[i, j].sum(dtype=np.float64)
        np.testing.assert_allclose(found, best, rtol=0 if kind != "floats" else 1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.uint8, *OTHERS])
def test_dtypes(dtype):
    costs = jnp.asarray(np.random.default_rng(1).integers(0, 100, (20, 6, 5))).astype(dtype)
    rows, columns = jax.vmap(hungarian_algorithm)(costs)
    for c, i, j in zip(np.asarray(costs.astype(jnp.float32)), rows, columns, strict=True):
        assert c[i, j].sum() == c[linear_sum_assignment(c)].sum()


def test_forbidden_pairs():
    """Infinite costs are avoided; where they cannot be, or all is NaN, the result is an assignment still."""
    r = np.random.default_rng(2)
    costs = r.random((50, 5, 5))
    costs[r.random(costs.shape) < 0.4] = np.inf
    costs[:, range(5), r.permutation(5)] = 5.0  # one assignment is allowed
    rows, columns = jax.vmap(hungarian_algorithm)(jnp.asarray(costs, jnp.float32))
    for c, i, j in zip(costs, rows, columns, strict=True):
        np.testing.assert_allclose(c[i, j].sum(), c[linear_sum_assignment(c)].sum(), rtol=1e-6)
    for bad in (jnp.inf, jnp.nan, -jnp.inf):
        i, j = hungarian_algorithm(jnp.full((5, 5), bad))
        assert sorted(i.tolist()) == sorted(j.tolist()) == [0, 1, 2, 3, 4]
    blocked = jnp.full((5, 5), jnp.inf).at[:, 0].set(1.0).at[0].set(0.5)
    assert sorted(hungarian_algorithm(blocked)[1].tolist()) == [0, 1, 2, 3, 4]


def test_float32_is_near_the_best_of_a_large_matrix():
    costs = np.random.default_rng(3).random((60, 60)).astype(np.float32)
    i, j = hungarian_algorithm(costs)
    best = costs[linear_sum_assignment(costs)].sum(dtype=np.float64)
    assert costs[i, j].sum(dtype=np.float64) <= best + 60 * 60 * np.finfo(np.float32).eps


def test_empty_and_wrong_shapes():
    for shape in ((0, 3), (3, 0), (0, 0)):
        i, j = hungarian_algorithm(jnp.zeros(shape))
        assert i.shape == j.shape == (0,) and i.dtype == jnp.int32
    with pytest.raises(ValueError, match=r"float32\[2, 3, 3\]; expected a real matrix .*use jax.vmap"):
        hungarian_algorithm(jnp.zeros((2, 3, 3)))
    i, j = gc.assignment.base_hungarian_algorithm(jnp.array([[8, 4, 7], [5, 2, 3], [9, 6, 7], [9, 4, 8]]))
    assert (i.tolist(), j.tolist()) == ([0, 1, 3], [0, 2, 1])
