"""What a whole training step needs of memory: the compiler's own account."""

import functools

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc

WIDTH, LAYERS = 512, 4


def params(dtype):
    return {f"layer_{i}": {"kernel": jax.ShapeDtypeStruct((WIDTH, WIDTH), dtype)} for i in range(LAYERS)}


def loss(p, x):
    for i in range(LAYERS):
        x = jnp.tanh(x @ p[f"layer_{i}"]["kernel"])
    return jnp.mean(x**2)


def needed(tx, dtype=jnp.float32):
    """Bytes for each parameter of a compiled step: (held between steps, held and scratch)."""
    p = params(dtype)
    state = jax.eval_shape(tx.init, p)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(p, state, x):
        return tx.step(jax.grad(loss)(p, x), state, p)

    x = jax.ShapeDtypeStruct((8, WIDTH), dtype)
    memory = step.lower(p, state, x).compile().memory_analysis()
    n = WIDTH * WIDTH * LAYERS
    held = memory.argument_size_in_bytes
    assert memory.alias_size_in_bytes >= held - 8 * WIDTH * 4 - 100  # parameters and state, not the batch
    return held / n, (held + memory.temp_size_in_bytes) / n


@pytest.mark.parametrize(
    ("codec", "held"),
    [("float32", 12), ("bfloat16", 8), ("log8", 6), ("int8", 6 + 1 / 32), ("fp8", 6 + 1 / 32)],
)
def test_state_takes_the_bytes_that_the_codec_says(codec, held):
    between, _ = needed(gc.stored(gc.adamw(1e-3), codec))
    assert between == pytest.approx(held, abs=0.02)


def test_log8_saves_its_bytes_in_the_whole_step():
    """Not only between steps. XLA:CPU holds the decoded state of a leaf at a time, here of four; TPU and GPU
    programs hold none of it (tests/aot/compiled/test_storage.py)."""
    exact, small = needed(gc.adamw(1e-3)), needed(gc.stored(gc.adamw(1e-3), "log8"))
    assert exact[0] - small[0] == pytest.approx(6, abs=0.02)
    assert exact[1] - small[1] > 4.5


def test_bfloat16_parameters_with_an_exact_master():
    """p 2, remainder 2, log8 moments 2: half of what float32 with bfloat16 moments takes, nothing lost."""
    tx = gc.stored(gc.chain(gc.adamw(1e-3), gc.split_weights()), "log8")
    assert needed(tx, jnp.bfloat16)[0] == pytest.approx(6, abs=0.02)
