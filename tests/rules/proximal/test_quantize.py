"""Grids: levels, scales by output or matrix, PARQ's map between them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.rules.proximal.quantize import grid_step, to_grid

X = jnp.linspace(-2.01, 2.03, 81)  # no ties


@pytest.mark.parametrize("levels", [2, 3, 4, 7])
def test_the_map_is_parq(levels):
    """From the paper: between two levels a line of the inverse slope around the middle, flat at them."""
    grid = (np.arange(levels) - (levels - 1) / 2) * 0.5
    for inverse_slope in (0.0, 0.4, 0.9):
        found = to_grid(X, jnp.float32(0.5), levels, inverse_slope)
        middle = (grid[1:] + grid[:-1]) / 2
        low = np.clip(np.searchsorted(grid, X) - 1, 0, levels - 2)
        if inverse_slope:
            expected = np.clip(middle[low] + (X - middle[low]) / inverse_slope, grid[low], grid[low + 1])
        else:
            expected = grid[np.argmin(np.abs(np.asarray(X)[:, None] - grid), axis=1)]
        np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(to_grid(X, jnp.float32(0.5), levels, 1.0), X)


def test_one_scale_for_each_output():
    w = jax.random.normal(jax.random.key(0), (3, 8, 5)) * jnp.arange(1.0, 6)
    params = {"kernel": w}
    for per, levels in (("output", 3), ("matrix", 4)):
        tx = gc.chain(gc.scale(0.0), gc.quantize_params(levels, per=per, size="max"))
        new, state = tx.step(params, tx.init(params), params)
        q = np.asarray(new["kernel"])
        groups = q.transpose(0, 2, 1).reshape(15, 8) if per == "output" else q.reshape(3, 40)
        assert all(len(np.unique(np.round(group, 5))) <= levels for group in groups)
        largest = np.abs(np.asarray(w)).max(1 if per == "output" else (1, 2))
        np.testing.assert_allclose(np.abs(q).max(1 if per == "output" else (1, 2)), largest, rtol=1e-5)
        np.testing.assert_array_equal(state["quantize_params"].latent["kernel"], w)


def test_the_scale_of_two_levels_is_the_mean():
    """The nearest binary matrix, s * sign(w): arXiv:1603.05279."""
    assert grid_step(X, 2, "mean", (0,)) / 2 == pytest.approx(float(jnp.mean(jnp.abs(X))))


def test_zero_and_empty_matrices():
    params = {"w": jnp.zeros((4, 3)), "none": jnp.zeros((0, 3))}
    tx = gc.chain(gc.sgd(0.1), gc.quantize_params(4))
    new, _ = tx.step(params, tx.init(params), params)
    assert (new["w"] == 0).all() and new["none"].shape == (0, 3)


def test_parq_ends_on_the_grid_and_learns_there():
    """A regression whose solution is binary."""
    key = jax.random.split(jax.random.key(3), 3)
    x = jax.random.normal(key[0], (128, 12))
    y = x @ jnp.sign(jax.random.normal(key[1], (12, 4))) + 0.1 * jax.random.normal(key[2], (128, 4))
    loss = lambda p: jnp.mean((x @ p["w"] - y) ** 2)  # noqa: E731
    tx = gc.parq(gc.adam(0.05), 3, steps=150, size="max")

    @jax.jit
    def train(params):
        def step(carry, _):
            return tx.step(jax.grad(loss)(carry[0]), carry[1], carry[0]), None

        return jax.lax.scan(step, (params, tx.init(params)), length=200)[0]

    params, _ = train({"w": 0.1 * jnp.ones((12, 4))})
    columns = np.asarray(params["w"]).T
    assert all(len(np.unique(np.round(np.abs(c), 4))) <= 2 for c in columns)
    assert float(loss(params)) < 0.1
