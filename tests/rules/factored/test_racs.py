"""RACS: the nearest product of a row and a column, stacks, sizes that overflow squares of squares."""

import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.steps import close, draw, problem, stack_is_layers, take


def test_fits_the_squares(x64):
    """Many iterations end at the singular vectors of |g|^2; one fits a product of rank one."""
    g = draw({"kernel": (4, 6)}, 1, "float64")
    kept = take(gc.scale_by_racs(0.0, iterations=60), g, [g]).state["scale_by_racs"]
    u, s, v = np.linalg.svd(np.square(g["kernel"]))
    close(np.outer(kept.v_row["kernel"], kept.v_col["kernel"]), s[0] * np.outer(u[:, 0], v[0]), 1e-10)
    flat = {"kernel": jnp.outer(jnp.arange(1.0, 5), jnp.arange(-3.0, 3))}
    found = take(gc.scale_by_racs(0.0, iterations=1), flat, [flat]).updates[0]
    close(found["kernel"], np.sign(flat["kernel"]), 1e-6)


@pytest.mark.parametrize("size", [1e-15, 1e14])
def test_size_does_not_matter(size):
    g = draw({"kernel": (4, 6)}, 1)
    expected = take(gc.scale_by_racs(eps=0.0), g, [g]).updates[0]
    found = take(gc.scale_by_racs(eps=0.0), g, [{"kernel": size * g["kernel"]}]).updates[0]
    close(found, expected, 1e-5)


def test_growth_is_limited(x64):
    params, grads = problem({"kernel": (4, 6)}, 5, "float64")
    grads = [{"kernel": g["kernel"] * (t + 1) ** 4} for t, g in enumerate(grads)]
    updates = take(gc.racs(0.1, 0.9, 0.5, 1.1), params, grads).updates
    norms = np.asarray([np.linalg.norm(u["kernel"]) for u in updates])
    assert np.all(norms[1:] <= 1.1 * norms[:-1] * (1 + 1e-6)) and np.any(norms[1:] > 1.05 * norms[:-1])


def test_stack_is_layers():
    stack_is_layers(gc.racs(0.1))


def test_what_is_kept():
    slots = gc.scale_by_racs().slots({"layers": {"kernel": jnp.ones((2, 5, 7))}, "bias": jnp.ones(7)})
    kept = slots["scale_by_racs"]
    assert kept.v_row["layers"]["kernel"].shape == (2, 5) and kept.v_col["layers"]["kernel"].shape == (2, 7)
    assert kept.v_row["bias"].shape == () and kept.v_col["bias"].shape == (7,)
