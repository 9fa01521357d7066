"""Stacks of matrices: Newton-Schulz against singular values, what low precision does to it, inverse roots."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradchain.matrices import linalg
from gradchain.matrices.linalg import QUINTIC
from gradchain.rules.matrix.coefficients import steps_of

# arXiv:2505.16932, the first five steps: much steeper at 0 than the quintic's
EXPRESS = [
    (8.2872, -23.5959, 17.3004), (4.1071, -2.9478, 0.5448), (3.9487, -2.9089, 0.5518),
    (3.3184, -2.4885, 0.51), (2.3007, -1.6689, 0.4188),
]  # fmt: skip
CONVERGING = (1.875, -1.25, 0.375)  # to 1 exactly, slowly


def with_singular_values(values, m: int, n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    u, _ = np.linalg.qr(rng.standard_normal((m, m)))
    v, _ = np.linalg.qr(rng.standard_normal((n, m)))
    return (u * values) @ v.T


def quintic(s: np.ndarray, steps) -> np.ndarray:
    for a, b, c in steps:
        s = a * s + b * s**3 + c * s**5
    return s


@pytest.mark.parametrize("shape", [(2, 6, 40), (2, 6, 7), (40, 6), (1, 9), (9, 1)])
@pytest.mark.parametrize("steps", [1, 2, 5, 8])
def test_singular_values_follow_the_polynomial(shape, steps, x64):
    """Whatever steps share a Gram matrix: the vectors stay, the values go through a + b s^2 + c s^4."""
    x = np.random.default_rng(1).standard_normal(shape)
    found = linalg.newton_schulz(jnp.asarray(x), (QUINTIC,) * steps, 1e-3)
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    s = quintic(s / (np.linalg.norm(x, axis=(-2, -1))[..., None] + 1e-3), [QUINTIC] * steps)
    np.testing.assert_allclose(found, (u * s[..., None, :]) @ vt, rtol=1e-9, atol=1e-10)


def test_other_coefficients(x64):
    values = np.linspace(0.2, 1, 6)
    x = with_singular_values(values, 6, 30)
    exact = with_singular_values(np.ones(6), 6, 30)
    np.testing.assert_allclose(linalg.newton_schulz(jnp.asarray(x), (CONVERGING,) * 12), exact, atol=1e-7)
    s = np.linalg.svd(linalg.newton_schulz(jnp.asarray(x), tuple(EXPRESS)), compute_uv=False)
    want = quintic(values / np.linalg.norm(values), EXPRESS)
    np.testing.assert_allclose(np.sort(s), np.sort(want), rtol=1e-6)


def test_complex_matrices(x64):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((4, 9)) + 1j * rng.standard_normal((4, 9))
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    want = (u * quintic(s / np.linalg.norm(x), [QUINTIC] * 5)) @ vt
    np.testing.assert_allclose(linalg.newton_schulz(jnp.asarray(x), eps=0.0), want, rtol=1e-8, atol=1e-9)


def test_zeros_around_a_matrix_change_nothing(x64):
    x = jnp.asarray(np.random.default_rng(3).standard_normal((2, 5, 20)))
    for kind in ("frobenius", "spectral", "schatten", "aol"):
        plain = linalg.newton_schulz(x, preconditioning=kind)
        padded = linalg.newton_schulz(jnp.pad(x, ((0, 0), (0, 3), (0, 8))), preconditioning=kind)
        assert not np.any(padded[:, 5:]) and not np.any(padded[:, :, 20:])
        atol = 1e-4 if kind == "spectral" else 1e-12  # its norm is found by iteration, from another start
        np.testing.assert_allclose(padded[:, :5, :20], plain, atol=atol)


@pytest.mark.parametrize("eps", [1e-8, 0.0])
def test_zero_stays_zero(eps):
    for kind in ("frobenius", "spectral", "schatten", "aol"):
        assert not np.any(linalg.newton_schulz(jnp.zeros((2, 3, 4)), eps=eps, preconditioning=kind))


def test_tighter_bounds_of_the_singular_values():
    """What they are for: with the Frobenius norm the iteration starts from smaller values."""
    x = jnp.asarray(np.random.default_rng(4).standard_normal((12, 60)), jnp.float32)

    def largest(kind):
        scaled = linalg.newton_schulz(x, ((1.0, 0.0, 0.0),), 0.0, preconditioning=kind)
        return float(np.linalg.svd(scaled, compute_uv=False).max())

    plain, *others = map(largest, ("frobenius", "schatten", "aol", "spectral"))
    assert all(1.7 * plain < found <= 1 + 1e-5 for found in others)
    assert abs(others[-1] - 1) < 1e-2


def test_unknown_words():
    with pytest.raises(ValueError, match="preconditioning='nuclear'; expected 'frobenius'"):
        linalg.newton_schulz(jnp.ones((2, 3)), preconditioning="nuclear")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="method='svd'; expected 'eigh'"):
        linalg.inverse_root(jnp.eye(2), 2, method="svd")  # type: ignore[arg-type]


def test_blocks_of_steps():
    """Steps on long matrices share a Gram matrix, but where an error would grow too far."""
    sizes = lambda steps, n: [len(block) for block in linalg.blocks(steps, 1, n)]  # noqa: E731
    assert sizes([QUINTIC] * 5, 4) == [3, 2]
    assert sizes([QUINTIC] * 8, 4) == [3, 2, 2, 1]
    assert sizes([QUINTIC] * 5, 1) == [1] * 5
    assert sizes(EXPRESS, 4) == [2, 2, 1]


def in_bfloat16(x: np.ndarray, steps) -> np.ndarray:
    """The iteration with the factors of every product rounded to bfloat16, blocks as the caller says."""
    rounded = lambda y: np.asarray(jnp.asarray(y, jnp.bfloat16), np.float32)  # noqa: E731
    times = lambda y, z: rounded(y) @ rounded(z)  # noqa: E731
    x = np.float32(x / np.linalg.norm(x))
    for block in steps:
        r, q = times(x, x.T), np.eye(len(x), dtype=np.float32)
        for a, b, c in block:
            p = a * np.eye(len(x), dtype=np.float32) + b * r + c * times(r, r)
            q, r = times(p, q), times(p, times(p, r))
        x = times(q, x)
    return x


SPECTRA = {
    "rank 8": np.r_[np.ones(8), np.zeros(56)],
    "one large": np.r_[1, np.full(63, 1e-4)],
    "1e-3": np.logspace(0, -3, 64),
    "1e-6": np.logspace(0, -6, 64),
}


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("steps", [[QUINTIC] * 5, EXPRESS], ids=["quintic", "express"])
def test_products_of_bfloat16(name, steps):
    """The blocks are no worse than a Gram matrix for each step; all steps on one Gram matrix diverge."""
    x = with_singular_values(SPECTRA[name], 64, 256)
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    exact = (u * quintic(s / np.linalg.norm(x), steps)) @ vt
    off = lambda found: np.linalg.norm(found - exact, 2)  # noqa: E731
    single = off(in_bfloat16(x, [[step] for step in steps]))
    assert off(in_bfloat16(x, linalg.blocks(steps, 64, 256))) < 1.5 * single + 0.02
    with np.errstate(over="ignore", invalid="ignore"):
        found = in_bfloat16(x, [steps])
    assert not np.all(np.isfinite(found)) or off(found) > 3 * single


@pytest.mark.parametrize("name", SPECTRA)
def test_float32_is_near_float64(name):
    x = with_singular_values(SPECTRA[name], 64, 256)
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    exact = (u * quintic(s / np.linalg.norm(x), [QUINTIC] * 5)) @ vt
    found = linalg.newton_schulz(jnp.asarray(x, jnp.float32))
    assert np.linalg.norm(found - exact, 2) < 1e-4


@pytest.mark.parametrize("shape", [(64, 256), (64, 64)])
@pytest.mark.parametrize("ns_dtype, floor", [(None, 1e-5), ("float16", 0.012), ("bfloat16", 0.1)])
def test_error_of_each_singular_value(shape, ns_dtype, floor):
    """Relative, against float64: a small value has the rounding error of the largest."""
    digits = float(jnp.finfo(ns_dtype or "float32").eps)
    dtype = ns_dtype and jnp.dtype(ns_dtype)
    for steps in ((QUINTIC,) * 5, steps_of("polar_express", 5)):
        for condition in (0, 2, 4, 6):
            x = np.float32(with_singular_values(np.logspace(0, -condition, 64), *shape))
            u, s, vt = np.linalg.svd(np.float64(x), full_matrices=False)
            want = quintic(s / np.linalg.norm(s), steps)
            found = linalg.newton_schulz(jnp.asarray(x), steps, 0.0, "highest", ns_dtype=dtype)
            assert found.dtype == jnp.float32
            off = np.abs(np.sum((u.T @ np.float64(found)) * vt, -1) - want) / want
            assert np.all(off < floor + 0.1 * digits * s[0] / s), (steps[0], condition, off.max())


def test_huge_and_tiny_matrices():
    """The norm is taken in one pass, of the matrix and of the matrix made small."""
    x = np.float32(np.random.default_rng(8).standard_normal((2, 5, 8)))
    for kind in ("frobenius", "schatten", "aol"):
        plain = linalg.newton_schulz(jnp.asarray(x), eps=0.0, preconditioning=kind)
        for exponent in (-50, 20, 47, 49, 80, 124):
            y = jnp.asarray(x * np.float32(2.0**exponent))
            found = linalg.newton_schulz(y, eps=0.0, preconditioning=kind)
            np.testing.assert_allclose(found, plain, rtol=1e-4, atol=1e-5)
            short = linalg.newton_schulz(y, eps=0.0, preconditioning=kind, ns_dtype=jnp.dtype("float16"))
            np.testing.assert_allclose(short, plain, atol=0.03)


def test_short_factors_of_complex_and_double_matrices(x64):
    x = jnp.asarray(np.random.default_rng(9).standard_normal((4, 9)))
    short = jnp.dtype("bfloat16")
    found = linalg.newton_schulz(x, ns_dtype=short)
    assert found.dtype == jnp.float64 and 1e-5 < np.abs(found - linalg.newton_schulz(x)).max() < 0.1
    z = x + 1j * x[:, ::-1]
    np.testing.assert_array_equal(linalg.newton_schulz(z, ns_dtype=short), linalg.newton_schulz(z))


@pytest.mark.parametrize("method", ["eigh", "newton"])
@pytest.mark.parametrize("p", [1, 2, 4])
def test_inverse_root(method, p, x64):
    values = np.logspace(0, -4, 12) * 7
    rng = np.random.default_rng(5)
    q, _ = np.linalg.qr(rng.standard_normal((3, 12, 12)))
    x = (q * values) @ np.swapaxes(q, -1, -2)
    want = (q * (values + 1e-5 * 7) ** (-1 / p)) @ np.swapaxes(q, -1, -2)
    found = linalg.inverse_root(jnp.asarray(x), p, 1e-5, method)
    np.testing.assert_allclose(found, want, rtol=1e-6, atol=1e-6 * np.abs(want).max())


@pytest.mark.parametrize("method", ["eigh", "newton"])
def test_inverse_root_of_zero_and_in_float32(method):
    assert not np.any(linalg.inverse_root(jnp.zeros((2, 3, 3)), 4, method=method))
    q, _ = np.linalg.qr(np.random.default_rng(6).standard_normal((40, 40)))
    values = np.logspace(3, 0, 40)
    found = linalg.inverse_root(jnp.asarray((q * values) @ q.T, jnp.float32), 4, 0.0, method)
    want = (q * values**-0.25) @ q.T
    np.testing.assert_allclose(found, want, atol=1e-4)


def test_largest_eigenvalue(x64):
    q, _ = np.linalg.qr(np.random.default_rng(7).standard_normal((2, 20, 20)))
    values = np.r_[np.linspace(0, 2, 19), 3]
    x = jnp.asarray((q * values) @ np.swapaxes(q, -1, -2))
    found = linalg.largest_eigenvalue(x, steps=60)
    assert np.all(found <= 3 + 1e-12) and np.all(found > 2.99999)
    assert jax.jit(linalg.largest_eigenvalue)(jnp.zeros((2, 4, 4))).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("shape", [(3, 16, 8), (3, 8, 16), (2, 3, 9, 4)])
def test_short_factors_of_stacks(shape):
    """Also of tall matrices, whose products in bfloat16 XLA for CPU has not."""
    x = jnp.asarray(np.random.default_rng(0).standard_normal(shape), jnp.float32)
    found = linalg.newton_schulz(x, ns_dtype=jnp.dtype("bfloat16"))
    np.testing.assert_allclose(found, linalg.newton_schulz(x), atol=0.1)
    assert np.any(np.asarray(found) != np.asarray(linalg.newton_schulz(x)))
