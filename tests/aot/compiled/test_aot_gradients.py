"""Whole training steps of dense layers, as the TPU v5e and H100 compilers make them: where gradients go.

XLA for TPU computes the product of a weight's gradient within the kernel that updates the weight; XLA for GPU
casts a 16-bit gradient within the update, and fuses a product with SGD in float32 for some shapes only.
"""

import functools

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain import aot

D, H, TOKENS = 512, 1024, 2048
WEIGHTS = {"up": (D, H), "down": (H, D)}
NUMBERS = 2 * D * H
OPTIMIZERS = {
    "sgd": lambda: gc.sgd(1e-3),
    "adamw": lambda: gc.adamw(1e-3),
    "clip": lambda: gc.chain(gc.clip_by_global_norm(1.0), gc.adamw(1e-3)),
}


def step_of(tx, dtype, apart):
    """A training step; with `apart` all gradients are there before the update begins."""

    def loss(params, x, y):
        h = jax.nn.gelu(x @ params["up"].astype(dtype))
        return jnp.mean((x + h @ params["down"].astype(dtype) - y).astype(jnp.float32) ** 2)

    def step(params, state, x, y):
        grads = jax.grad(loss)(params, x, y)
        grads = jax.lax.optimization_barrier(grads) if apart else grads
        return tx.step(grads, state, params)

    return step


@functools.cache
def compiled(target, name, dtype, apart):
    tx, x = OPTIMIZERS[name](), jax.ShapeDtypeStruct((TOKENS, D), dtype)
    params = {k: jax.ShapeDtypeStruct(shape, jnp.float32) for k, shape in WEIGHTS.items()}
    made = target.compile(
        step_of(tx, dtype, apart), params, jax.eval_shape(tx.init, params), x, x, donate=(0, 1)
    )
    return aot.Program(made.text)


def saved(target, name, dtype):
    """Bytes of memory traffic for each parameter that the update apart from the gradients has more."""
    one, apart = (compiled(target, name, dtype, apart).cost.bytes for apart in (False, True))
    return (apart - one) / NUMBERS


def within(program) -> int:
    """Kernels that compute a product and write a new weight."""
    count = 0
    for i in program.computations[program.entry]:
        ops = {o.op for part in i.called for _, o, _ in program.running(part)} if i.op == "fusion" else set()
        weight = any(f"f32[{','.join(map(str, shape))}]" in i.result for shape in WEIGHTS.values())
        reads = any("params" in o for o in i.operands)
        count += weight and reads and bool(ops & {"dot", "convolution"})
    return count


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_tpu_computes_gradients_where_they_are_used(target, name):
    """8 bytes a parameter less: no gradient in float32 is written, and none read."""
    if target.name != "tpu":
        pytest.skip("of the compiler for TPU")
    assert saved(target, name, jnp.bfloat16) >= 7.9


def test_an_h100_casts_16_bit_gradients_where_they_are_used(target):
    """A gradient in bfloat16 is written and read; in float32 it would be written and read once more."""
    if target.name != "h100":
        pytest.skip("of the compiler for GPU")
    assert saved(target, "adamw", jnp.bfloat16) == pytest.approx(8, abs=0.5)


def test_after_a_global_norm_gradients_are_all_there(target):
    """The norm needs all of them before the first update."""
    assert within(compiled(target, "clip", jnp.bfloat16, False)) == 0
