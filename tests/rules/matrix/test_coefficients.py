"""Coefficients by name: against their construction, and what they leave of singular values."""

import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.rules.matrix.coefficients import TABLES, steps_of
from tests.reference import polar_express as reference

FOUND = {  # singular values in [1e-3, 1] after that many steps
    ("standard", 5): (0.4705, 1.2024),
    ("dion", 5): (0.4749, 1.1451),
    ("polar_express", 5): (0.8461, 1.1236),
    ("polar_express", 6): (0.9944, 1.0012),
    ("polar_express", 8): (1 - 1e-12, 1 + 1e-12),
    ("cans", 5): (0.8865, 1.1135),
    ("cans", 6): (0.9990, 1.0010),
}


def left(steps, x):
    for triple in steps:
        x = reference.value(triple, x)
    return x


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_their_construction(name: str):
    np.testing.assert_allclose(TABLES[name], getattr(reference, name)(), atol=1e-9)


def test_published_numbers():
    """Those of the paper have no safety factor yet."""
    first = np.array(TABLES["polar_express"])[:3] * 1.01 ** np.array([1, 3, 5])
    paper = [
        (8.28721201814563, -23.595886519098837, 17.300387312530933),
        (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
        (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    ]
    np.testing.assert_allclose(first, paper, atol=1e-6)


@pytest.mark.parametrize("name, steps", FOUND)
def test_what_is_left_of_singular_values(name: str, steps: int):
    x = left(steps_of(name, steps), np.geomspace(1e-3, 1, 20001))
    low, high = FOUND[name, steps]
    assert low <= x.min() and x.max() <= high
    assert x.min() < low + 2e-4 and x.max() > high - 2e-4


def test_no_composition_is_nearer():
    """The error of every minimax step goes up and down by the same height, four times: none can do better."""
    low, high = 1e-3, 1.0
    for triple in reference.cans(5):
        x = np.geomspace(low, high, 100001)
        off = reference.value(triple, x) - 1
        size = np.max(np.abs(off))
        turns = off[np.abs(off) > 0.9999 * size]
        assert np.sum(np.diff(np.sign(turns)) != 0) == 3
        low, high = 1 - size, 1 + size
    assert size == pytest.approx(0.11345, abs=1e-5)


def test_the_last_step_is_repeated():
    assert steps_of("polar_express", 9)[-2:] == (TABLES["polar_express"][-1],) * 2
    for wrong in (0, 101, 2**31):
        with pytest.raises(ValueError, match=rf"ns_coeffs='cans', ns_steps={wrong}.*1 to 100"):
            steps_of("cans", wrong)


def test_a_matrix_becomes_orthogonal(x64):
    x = jnp.asarray(np.random.default_rng(0).standard_normal((3, 6, 9)))
    found = gc.linalg.newton_schulz(x, steps_of("polar_express", 8), 0.0)
    u, _, v = np.linalg.svd(x, full_matrices=False)
    np.testing.assert_allclose(found, u @ v, atol=1e-7)
