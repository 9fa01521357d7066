"""Shampoo: the papers' algorithm in NumPy, orthogonal updates without decay, and the diagonal of vectors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.reference import soap as reference
from tests.rules.matrix.test_soap import draw, updates

KWARGS = {"b1": 0.7, "b2": 0.85, "eps": 1e-3, "precondition_frequency": 3}


MORE = [{"sums": True}, {"root": 2, "sides": "short"}, {"method": "newton"}, {"block_size": 7}]


@pytest.mark.parametrize("more", [{}, *(pytest.param(m, marks=pytest.mark.slow) for m in MORE)], ids=str)
def test_reference(more, x64):
    gradients = draw((5, 7))

    def expected(b1, b2, eps, precondition_frequency):
        one = more.get("sides") == "short"
        root, sums = more.get("root", 4), more.get("sums", False)
        return reference.shampoo(gradients, b1, b2, eps, precondition_frequency, root, sums, right=not one)

    want = expected(**KWARGS)
    found = updates(gc.scale_by_shampoo(**KWARGS, **more), gradients)
    for u, v in zip(found, want, strict=True):
        # Newton's largest eigenvalue, which eps is a part of, is found from below.
        np.testing.assert_allclose(u, v, rtol=1e-9, atol=1e-6 if "method" in more else 1e-9)
    for name in ("b1", "b2", "eps"):
        other = expected(**{**KWARGS, name: 0.9 * KWARGS[name]})
        moved = max(abs(u - v).max() for u, v in zip(other, want, strict=True))
        assert moved > 1e-7 or (name == "b2" and "sums" in more), name


def test_uneven_blocks(x64):
    """A side of 7 in blocks of 4 and 3: the row that fills up the second changes nothing."""
    gradients = draw((7, 4))
    found = updates(gc.scale_by_shampoo(**KWARGS, block_size=4), gradients)
    for rows in (slice(0, 4), slice(4, 7)):
        want = reference.shampoo([g[rows] for g in gradients], *KWARGS.values())
        for u, v in zip(found, want, strict=True):
            np.testing.assert_allclose(u[rows], v, atol=1e-9)


@pytest.mark.parametrize("shape", [(6, 6), pytest.param((9, 4), marks=pytest.mark.slow)])
def test_without_decay_it_is_muon_without_momentum(shape, x64):
    (g,) = draw(shape, 1)
    u, _, v = np.linalg.svd(g, full_matrices=False)
    tx = gc.scale_by_shampoo(0.0, 0.0, 1e-14, 1)
    np.testing.assert_allclose(updates(tx, [g])[0], u @ v, atol=2e-3 if shape[0] != shape[1] else 1e-9)


def test_caspr_without_decay_is_muon_without_momentum(x64):
    (g,) = draw((6, 6), 1)
    u, _, v = np.linalg.svd(g)
    tx = gc.scale_by_shampoo(0.0, 0.0, 1e-14, 1, combine="sum")
    np.testing.assert_allclose(updates(tx, [g])[0], u @ v, atol=1e-9)


@pytest.mark.parametrize("sides", ["left", "right"])
def test_caspr_of_one_side_is_one_sided_shampoo(sides, x64):
    gradients = draw((5, 7))
    found = updates(gc.scale_by_shampoo(**KWARGS, sides=sides, combine="sum"), gradients)
    expected = updates(gc.scale_by_shampoo(**KWARGS, sides=sides, root=2), gradients)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_vector_has_the_diagonal():
    gradients = draw((6,))
    tx = gc.scale_by_shampoo(**KWARGS)
    adam = gc.scale_by_adam(0.7, 0.85, 1e-3)
    for u, v in zip(updates(tx, gradients, "bias"), updates(adam, gradients, "bias"), strict=True):
        np.testing.assert_array_equal(u, v)


def test_state():
    params = {"kernel": jnp.zeros((64, 64))}
    assert gc.describe(gc.scale_by_shampoo(), params).total_bytes == pytest.approx(12 * 64**2, rel=0.02)
    assert jax.tree.leaves(gc.scale_by_shampoo().init(params)["scale_by_shampoo"].nu)[0].shape == ()
