"""Orthogonal bases by a loop over blocks of reflections, against LAPACK's and in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradchain.matrices.decomposed import reflected

PANEL = 16


def matrices(kind: str, dtype: str, n: int = 40) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, n, n))
    if np.iscomplexobj(np.zeros((), dtype)):
        x = x + 1j * rng.normal(size=x.shape)
    if kind == "graded":
        x = x * 10.0 ** np.linspace(0, -12, n)
    if kind == "singular":
        x = x[:, :, : n // 4] @ x[:, : n // 4]
    if kind == "filled":
        x[:, n // 2 :], x[:, :, n // 2 :] = 0, 0
    return x.astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_is_orthogonal_whatever_the_rank(dtype):
    """As LAPACK's, to within twice its own deviation and the precision of a float32; q^H x is triangular."""
    f = jax.jit(reflected, static_argnums=1)
    for kind in ("full", "graded", "singular", "filled"):
        x = matrices(kind, dtype)
        q = np.asarray(f(x, PANEL)).astype(complex)
        adjoint = np.swapaxes(q, 1, 2).conj()
        r = adjoint @ x
        assert np.abs(adjoint @ q - np.eye(x.shape[-1])).max() < 1e-6, kind
        assert np.abs(np.tril(r, -1)).max() < 5e-7 * np.abs(r).max(), kind


def test_is_the_q_of_other_factorisations():
    """The columns' signs too."""
    x = matrices("full", "float32")
    np.testing.assert_allclose(reflected(jnp.asarray(x), PANEL), jnp.linalg.qr(x)[0], atol=2e-5)
