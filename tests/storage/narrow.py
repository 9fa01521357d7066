"""What the tests of narrow parameters share: the links, trees of either dtype, comparisons."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

LINKS = {
    "round_stochastically": gc.round_stochastically(),
    "kahan": gc.kahan(),
    "master_weights": gc.master_weights(),
    "split_weights": gc.split_weights(),
    "split_weights(8)": gc.split_weights(8),
}
PAIRS = [
    pytest.param(link, dtype, id=f"{name} {dtype}")
    for name, link in LINKS.items()
    for dtype in ("bfloat16", "float16")
    if dtype == "bfloat16" or "split" not in name
]
every = pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
every_pair = pytest.mark.parametrize("link, dtype", PAIRS)


def normal(*shape, seed=0, dtype="bfloat16"):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def tree_of(dtype="bfloat16", seed=0):
    """A tree of two leaves of normal numbers."""
    kernel, bias = normal(8, 16, seed=seed, dtype=dtype), normal(16, seed=seed + 50, dtype=dtype)
    return {"dense": {"kernel": kernel, "bias": bias}}


def wide(x) -> np.ndarray:
    return np.asarray(x, np.float32)


def same(found, expected) -> None:
    """Assert that two trees hold the same bits."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert x.dtype == y.dtype and np.asarray(x).tobytes() == np.asarray(y).tobytes()
