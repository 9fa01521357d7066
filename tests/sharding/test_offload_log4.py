"""log4 and offload: codes and exponents in the host's memory, and the numbers of the state on the device."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.sharding.offload import HOST

TX = gc.adamw(1e-2)
CODEC = gc.codecs.log4(every=2)
AWAY = {"min_size": 1, "group_bytes": 0}  # all arrays, a leaf at a time
NESTED = {
    "offload(stored)": gc.offload(gc.stored(TX, CODEC, min_size=1), **AWAY),
    "stored(offload)": gc.stored(gc.offload(TX, **AWAY), CODEC, min_size=1),
}


def run(tx, steps=3):
    """Parameters and state after some steps, and the dtypes and memories of the state's arrays."""
    shapes = {"a": (16, 8), "b": (8, 4), "c": (8,)}
    params = {k: jax.random.normal(jax.random.key(i), s) for i, (k, s) in enumerate(shapes.items())}
    params = jax.device_put(params, jax.devices()[0])
    state = gc.init(tx, params)
    kept = {(str(x.dtype), x.sharding.memory_kind) for x in jax.tree.leaves(state) if x.ndim}
    step = jax.jit(lambda p, s, g: tx.step(g, s, p), donate_argnums=(0, 1))
    for i in range(steps):
        params, state = step(params, state, jax.tree.map(lambda x, i=i: jnp.sin((i + 1) * x), params))
    return params, state, kept


@pytest.fixture(scope="module")
def on_device():
    return run(gc.stored(TX, CODEC, min_size=1))


@pytest.mark.optimized
@pytest.mark.parametrize("name", NESTED)
def test_every_bit_is_that_of_the_state_on_the_device(name, on_device):
    params, state, kept = run(NESTED[name])
    assert kept == {("int4", HOST), ("int8", HOST)}
    wanted = on_device[:2]
    assert jax.tree.structure((params, state)) == jax.tree.structure(wanted)
    for x, y in zip(jax.tree.leaves((params, state)), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(np.asarray(x, np.float32), np.asarray(y, np.float32))
