"""The kernels for half of each symmetric product, run by Pallas's interpreter: numbers and counts."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradchain.matrices import halves, linalg
from gradchain.matrices.linalg import QUINTIC
from gradchain.matrices.tiles import products, tiles, whole, worth

SHORT = jnp.dtype(jnp.bfloat16)


def interpreted(short=jnp.bfloat16):
    """The kernels without a TPU, with factors of any dtype."""
    run = {"interpret": True}
    return SimpleNamespace(
        SHORT=short,
        factor=functools.partial(halves.factor, **run),
        iterate=functools.partial(halves.iterate, **run),
    )


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def factor_in_double(x, steps):
    r, eye = x @ x.swapaxes(-1, -2), np.eye(x.shape[-2])
    q = eye
    for a, b, c in steps:
        p = a * eye + b * r + c * r @ r
        q, r = p @ q, p @ p @ r
    return q


@pytest.mark.parametrize(
    "shape, steps, dtype, rtol",
    [
        ((1, 256, 256), 1, "float32", 1e-6),
        pytest.param((2, 200, 500), 3, "float32", 1e-5, marks=pytest.mark.slow),
        pytest.param((1, 390, 391), 2, "bfloat16", 0.02, marks=pytest.mark.slow),
    ],
)
def test_factor(shape, steps, dtype, rtol):
    """Also of sizes that fill no tile; and what is made by halves is symmetric to the last bit."""
    x = jnp.asarray(normal(*shape) / np.sqrt(shape[1] * shape[2]), dtype)
    found = np.float64(halves.factor(x, (QUINTIC,) * steps, interpret=True))
    want = factor_in_double(np.float64(x), (QUINTIC,) * steps)
    if steps == 1:
        np.testing.assert_array_equal(found, found.swapaxes(1, 2))
    np.testing.assert_allclose(found, want, atol=rtol * np.abs(want).max())


def how(steps, short=None):
    return linalg._How(steps, None, "frobenius", False, short)


@pytest.mark.slow
@pytest.mark.parametrize("shape, one", [((256, 256), True), ((256, 700), False)])
@pytest.mark.parametrize("short", ["float32", "bfloat16"])
def test_error_of_each_singular_value(one, shape, short, monkeypatch):
    """As without the kernels: of large, middle and small values, in the mean of squares of four."""
    monkeypatch.setattr(linalg, "whole", lambda *_: one)
    m, n = shape
    steps, short = (QUINTIC,) * 5, jnp.dtype(short)
    run = jax.jit(lambda x: linalg._iterated(x, 0.0, how(steps), interpreted(short)))
    plain = jax.jit(lambda x: linalg._iterated(x, 0.0, how(steps, short)))
    rng = np.random.default_rng(0)
    for condition in (2, 4):
        u, v = (np.linalg.qr(rng.standard_normal((4, k, m)))[0] for k in (m, n))
        x = np.float32((u * np.logspace(0, -condition, m)) @ v.swapaxes(1, 2))
        left, s, right = np.linalg.svd(np.float64(x), full_matrices=False)
        want = s / np.linalg.norm(s, axis=-1, keepdims=True)
        for a, b, c in steps:
            want = want * (a + b * want**2 + c * want**4)
        parts, distances = [], []
        for f in (run, plain):
            found = np.float64(f(jnp.asarray(x)))
            off = np.sum((left.swapaxes(1, 2) @ found) * right, -1) / want - 1
            parts.append([np.linalg.norm(part) for part in np.array_split(off, 3, axis=1)])
            distances.append(np.linalg.norm(found - (left * want[:, None]) @ right))
        print(condition, np.divide(*parts), np.divide(*distances))
        assert np.all(np.divide(*parts) < 1.2), np.divide(*parts)
        assert distances[0] < 1.1 * distances[1]


@pytest.mark.slow
@pytest.mark.parametrize("one", [True, False])
def test_vmap_scan_and_stacks(one, monkeypatch):
    monkeypatch.setattr(linalg, "whole", lambda *_: one)
    xs = jnp.asarray(normal(3, 256, 256), jnp.float32)

    def f(x):
        return linalg._iterated(x, 1e-8, how((QUINTIC,) * 3), interpreted())

    stacked = f(xs)
    np.testing.assert_array_equal(jax.vmap(f)(xs), stacked)
    np.testing.assert_allclose(jax.lax.map(f, xs), stacked, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("one", [True, False])
def test_huge_and_tiny_matrices(one, monkeypatch):
    monkeypatch.setattr(linalg, "whole", lambda *_: one)
    x = normal(1, 256, 256)
    f = jax.jit(lambda x: linalg._iterated(x, 0.0, how((QUINTIC,) * 3), interpreted()))
    plain = f(jnp.float32(x))
    for exponent in (-50, 80, 120):
        np.testing.assert_allclose(f(jnp.float32(x * 2.0**exponent)), plain, atol=0.02)


def executed(run, monkeypatch) -> int:
    """The flops of all products that a kernel makes while it runs."""
    flops, times = [], halves._times

    def counted(x, y, axes=halves._BY_ROWS):
        ((contracted,), _), _ = axes
        flop = 2 * x.size * y.size // x.shape[contracted]
        jax.debug.callback(lambda: flops.append(flop))
        return times(x, y, axes)

    monkeypatch.setattr(halves, "_times", counted)
    jax.block_until_ready(run())
    jax.effects_barrier()
    return sum(flops)


@pytest.mark.slow
def test_flops_that_are_declared_are_those_executed(monkeypatch):
    x = jnp.zeros((2, 256, 600))
    steps = (QUINTIC,) * 3
    tile = tiles(256, 600)
    found = executed(lambda: halves.factor.__wrapped__(x, steps, True), monkeypatch)
    assert found == 2 * tile.flops(steps)
    chain = (steps, steps[:2])
    scale = jnp.ones((2, 2))
    found = executed(lambda: halves.iterate.__wrapped__(x, scale, chain, x.dtype, True), monkeypatch)
    assert found == 2 * sum(tile.flops(s) + tile.flops_of_last for s in chain)


def test_flops_of_tiles():
    """21 of 36 for a side of 768, 36 of 64 for one of 2048, and 4 of 9 products behind r in full."""
    assert [len(products((QUINTIC,) * n)) for n in (1, 2, 3)] == [1, 5, 9]
    for m, n, part in ((768, 3072, 21 / 36), (2048, 8192, 36 / 64)):
        tile = tiles(m, n)
        assert (tile.rows, tile.cols) == (m, n)
        assert tile.flops((QUINTIC,) * 3) == 2 * m * m * (part * (n + 5 * m) + 4 * m)


def test_what_is_worth_a_kernel():
    """Not what is small, is padded too much, or has products beyond VMEM."""

    def found(m, n):
        return worth(m, n, SHORT, jnp.dtype("float32"), linalg.blocks((QUINTIC,) * 5, m, n))

    assert [found(*s) for s in ((64, 256), (128, 512), (130, 520), (4096, 4096))] == [False] * 4
    assert [found(*s) for s in ((256, 256), (768, 768), (768, 3072), (1600, 6400), (2048, 8192))] == [
        True
    ] * 5
    assert whole(768, 3072, SHORT, jnp.dtype("float32"))
    assert not whole(1600, 6400, SHORT, jnp.dtype("float32"))


def test_without_a_tpu_it_is_xla():
    """The same program, derivatives too; and each case that the kernels do not take."""
    x = jnp.asarray(normal(256, 256), jnp.float32)
    plain = linalg.newton_schulz(x)
    np.testing.assert_array_equal(linalg.newton_schulz(x, ns_kernel="pallas"), plain)
    grad = jax.grad(lambda x, kernel: linalg.newton_schulz(x, ns_kernel=kernel)[0, 1])
    np.testing.assert_array_equal(grad(x, "pallas"), grad(x, "xla"))
    jaxpr = str(jax.make_jaxpr(lambda x: linalg.newton_schulz(x, ns_kernel="pallas"))(x))
    assert "pallas_call" in jaxpr
    for args in ({"precision": "highest"}, {"ns_dtype": jnp.dtype("float16")}):
        other = jax.make_jaxpr(lambda x, args=args: linalg.newton_schulz(x, ns_kernel="pallas", **args))(x)
        assert "pallas_call" not in str(other)


def test_the_error_without_pallas(monkeypatch):
    import importlib

    def absent(name):
        raise ImportError(f"no {name}")

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ImportError, match=r"ns_kernel='pallas' needs Pallas.*take ns_kernel='xla'"):
        linalg._kernels()
