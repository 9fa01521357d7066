"""The tree algebra: paths, reductions in float32, application of updates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.core import tree


def random(n, shape=(3,), dtype=jnp.float32):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.standard_normal(shape), dtype) for _ in range(n)]


def test_paths_of_nnx_models():
    from flax import nnx

    class Model(nnx.Module):
        def __init__(self):
            self.layers = nnx.List([nnx.Linear(2, 2, rngs=nnx.Rngs(0)) for _ in range(2)])
            self.norm = nnx.LayerNorm(2, rngs=nnx.Rngs(0))

    expected = ["layers/0/bias", "layers/0/kernel", "layers/1/bias", "layers/1/kernel"]
    assert [*tree.paths(nnx.state(Model(), nnx.Param))] == [*expected, "norm/bias", "norm/scale"]


def test_paths_of_containers():
    assert tree.paths({"b": [1, (2, {"c": 3})], "a": None}) == ("b/0", "b/1/0", "b/1/1/c")
    assert tree.paths({}) == () and tree.paths(0.5) == ("",)


def test_blocks_hold_every_row_once_and_alike_ones_together():
    for n in (0, 1, 63, 64, 100, 300, 1000):
        rows = [("a", "b", "c")[i % 3] for i in range(n)]
        found = list(tree.blocks(rows, lambda x: x))
        assert sorted(i for block in found for i in block) == list(range(n))
        assert all(len({rows[i] for i in block}) == 1 for block in found)
        assert len({len(block) for block in found}) <= 2, "a block size is a program"


@pytest.mark.parametrize("n", [1, 2, 200])
def test_global_norm(n):
    xs = random(n)
    expected = np.linalg.norm(np.concatenate([np.asarray(x, np.float64) for x in xs]))
    np.testing.assert_allclose(gc.global_norm(xs), expected, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(gc.global_norm)(xs), expected, rtol=1e-6)


def test_global_norm_of_mixed_and_large_leaves():
    xs = {"large": jnp.ones(2**15), "half": jnp.full(4, 100, jnp.float16), "complex": jnp.asarray([3 + 4j])}
    assert gc.global_norm(xs) == np.float32(np.sqrt(2**15 + 4e4 + 25))
    assert gc.global_norm(xs).dtype == jnp.float32
    assert gc.global_norm({"a": jnp.full(8, 1e4, jnp.float16)}) == np.float32(np.sqrt(8e8))  # no overflow
    assert gc.global_norm({}) == 0 and gc.global_norm({"a": None}) == 0


def test_global_norm_is_differentiable_at_zero():
    assert not np.any(jax.grad(lambda x: gc.global_norm({"a": x, "b": x}))(jnp.zeros(3)))


@pytest.mark.parametrize("n", [1, 200])
def test_vdot(n):
    xs, ys = random(n), random(n)[::-1]
    expected = sum(np.vdot(np.asarray(x, np.float64), y) for x, y in zip(xs, ys, strict=True))
    np.testing.assert_allclose(tree.vdot(xs, ys), expected, rtol=1e-5, atol=1e-5)
    z = {"a": jnp.asarray([1 + 2j, 3j])}
    assert tree.vdot(z, z) == 14


def test_all_finite():
    assert tree.all_finite({"a": jnp.ones(3), "b": jnp.ones((), jnp.bfloat16)}) and tree.all_finite({})
    for bad in (jnp.nan, jnp.inf, -jnp.inf):
        assert not tree.all_finite([*random(100), jnp.asarray([0, bad], jnp.float16)])


@pytest.mark.parametrize("n", [1, 200])
def test_apply_updates(n):
    params = random(n, dtype=jnp.bfloat16)
    updates = [jnp.asarray([2**-10, 1, jnp.pi]) for _ in range(n)]
    for p, new in zip(params, gc.apply_updates(params, updates), strict=True):
        assert new.dtype == jnp.bfloat16
        np.testing.assert_array_equal(new, (p.astype(jnp.float32) + updates[0]).astype(jnp.bfloat16))


def test_apply_updates_casts_once():
    """1 + 2^-8 is a tie in bfloat16 and goes to 1: an update rounded before the sum would be lost to it."""
    params, updates = {"a": jnp.bfloat16(1)}, {"a": jnp.float32(2**-8 + 2**-18)}
    assert gc.apply_updates(params, updates)["a"] == 1 + 2**-7


def test_apply_updates_leaves_none_alone():
    params = {"a": jnp.ones(2), "b": jnp.ones(2), "c": None}
    new = gc.apply_updates(params, {"a": None, "b": jnp.ones(2), "c": None})
    assert new["a"] is params["a"] and new["c"] is None
    np.testing.assert_array_equal(new["b"], [2, 2])


def test_same_structure_of_a_tree_itself():
    tree.same_structure({"x": {"a": 1}, "y": {"a": 2}}, "test")
    with pytest.raises(
        ValueError, match=r"^test: x \(1 leaves\) and y \(2 leaves\) .* 'b' is in y but not in x"
    ):
        tree.same_structure({"x": {"a": 1}, "y": {"a": 2, "b": 3}}, "test")
