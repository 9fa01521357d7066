"""Every codec under 64-bit types: the same codes as without them, and steps that run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from codec_cases import NAMES, codecs, noise, variants, wide_values

import gradchain as gc

CASES = list(variants((16, 256)))
every = pytest.mark.parametrize(("name", "codec", "positive"), CASES, ids=[f"{n}-{p}" for n, _, p in CASES])


@every
def test_codes_are_the_same(name, codec, positive):
    x = wide_values((16, 256), positive)

    def there_and_back(x):
        kept = codec.encode(x, noise(x.shape))
        return kept, codec.decode(*kept)

    kept, values = jax.jit(there_and_back)(x)
    with jax.enable_x64(True):
        again, decoded = jax.jit(there_and_back)(x)
        assert [(a.dtype, a.shape) for a in again] == [(a.dtype, a.shape) for a in kept]
        for a, b in zip(again, kept, strict=True):
            np.testing.assert_array_equal(np.asarray(a).view(np.uint8), np.asarray(b).view(np.uint8))
        assert decoded.dtype == jnp.float32
        np.testing.assert_array_equal(decoded, values)


@pytest.mark.parametrize("name", [*NAMES, *codecs.SHORT])
def test_steps_run(name, x64):
    params = {"kernel": jnp.ones((16, 256), "float64")}
    codec = {"nu": codecs.rank_one(min_dim_size_to_factor=1)} if name == "rank_one" else name
    codec = {"mu": name} if name == "int8_linear" else codec
    tx = gc.stored(gc.adam(0.1), codec, min_size=0)
    state = tx.init(params)
    kinds = jax.tree.map(lambda x: (x.dtype, x.shape), state)
    step = jax.jit(tx.step)
    for _ in range(2):
        params, state = step(jax.tree.map(jnp.ones_like, params), state, params)
    assert jax.tree.map(lambda x: (x.dtype, x.shape), state) == kinds
    assert params["kernel"].dtype == jnp.float64
    np.testing.assert_allclose(params["kernel"], 0.8, atol=0.05)
