"""The training step of `compiled/test_aot_gradients.py`: a barrier around the gradients changes no number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.aot.compiled.test_aot_gradients import OPTIMIZERS, WEIGHTS, step_of
from tests.storage.release_cases import EXACT


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_numbers_are_the_same_with_gradients_apart(name):
    tx, scale = OPTIMIZERS[name](), 0.05
    keys = dict(zip(WEIGHTS, jax.random.split(jax.random.key(0)), strict=True))
    params = {k: scale * jax.random.normal(keys[k], shape) for k, shape in WEIGHTS.items()}
    x = jax.random.normal(jax.random.key(1), (8, WEIGHTS["up"][0]))
    found = []
    for apart in (False, True):
        step = jax.jit(step_of(tx, jnp.float32, apart), compiler_options=EXACT)
        now = params, tx.init(params)
        for _ in range(2):
            now = step(*now, x, jnp.sin(x))
        found.append(jax.tree.leaves(now))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(found[0][0], params["down"])
