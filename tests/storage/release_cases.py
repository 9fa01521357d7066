"""A small stack of layers, trained by gradient_release and by jax.grad of a scan with tx.step."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import gradchain as gc

LAYERS, WIDTH, TOKENS = 4, 32, 6

# LLVM joins a product and a sum to one operation, rounded once; which ones depends on what XLA fused, so that
# the last bit of a result depends on the program around it. At level 0 it does not join them.
EXACT = {"xla_backend_optimization_level": 0}
ROUNDING = 1e-5

WARMUP = gc.warmup_cosine_decay_schedule(0.0, 1e-2, 2, 10)
ADAMW = gc.adamw(WARMUP, weight_decay=0.1, mask="**/kernel")


def normal(seed, *shape, dtype=jnp.float32):
    return (jax.random.normal(jax.random.key(seed), shape) / shape[-1] ** 0.5).astype(dtype)


def stack(dtype=jnp.float32, width=WIDTH) -> dict[str, Any]:
    """The parameters of all layers."""
    return {
        "up": {
            "kernel": normal(0, LAYERS, width, 2 * width, dtype=dtype),
            "bias": jnp.zeros((LAYERS, 2 * width), dtype),
        },
        "down": {"kernel": normal(1, LAYERS, 2 * width, width, dtype=dtype)},
        "scale": jnp.ones((LAYERS, width), dtype),
    }


def layer(p, x):
    """A residual layer."""
    h = jnp.tanh((x * p["scale"]) @ p["up"]["kernel"] + p["up"]["bias"])
    return (x + h @ p["down"]["kernel"]).astype(x.dtype)


def loss(rest, layers, tokens, labels):
    """Embedding, layers, and the embedding again as the head."""
    logits = layers(rest["embedding"][tokens]) @ rest["embedding"].T
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1))


REST = {"embedding": normal(2, 16, WIDTH)}
BATCH = (jnp.arange(TOKENS), jnp.arange(TOKENS) * 2 % 16)


def scanned(tx, layer=layer, loss=loss, has_aux=False):
    """The step that gradient_release(tx, layer, loss) stands for."""

    def step(params, state, rest, *args, **extra):
        def f(params, rest):
            def layers(x, *shared, **each):
                return lax.scan(lambda x, a: (layer(a[0], x, *shared, **a[1]), None), x, (params, each))[0]

            return loss(rest, layers, *args)

        value, (grads, of_rest) = jax.value_and_grad(f, (0, 1), has_aux=has_aux)(params, rest)
        params, state = tx.step(grads, state, params, **extra)
        return params, state, value, of_rest

    return step


def train(step, tx, params, steps=3, rest=REST, args=BATCH, **options):
    """What the last of some steps returns."""
    step, state = jax.jit(step, **options), tx.init(params)
    for _ in range(steps):
        params, state, value, grads = step(params, state, rest, *args)
    return params, state, value, grads


def same(found, wanted, rtol=0.0):
    """The same structures, dtypes and numbers."""
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    pairs = zip(jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(wanted), strict=True)
    for (path, x), y in pairs:
        where = jax.tree_util.keystr(path)
        assert (x.dtype, x.shape, x.weak_type) == (y.dtype, y.shape, y.weak_type), where
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        assert np.isfinite(x).all(), where
        np.testing.assert_allclose(x, y, rtol, atol=rtol * np.abs(y).max(initial=0), err_msg=where)


DEEP, WIDE = 24, 384  # 13.5 MiB of gradients
MIB = 2**20


def three_ways(tx, remat: bool, compile) -> tuple[float, float, float]:
    """Scratch memory of the whole training step in MiB: unrolled, scanned and released.

    compile(step, *abstract arguments) gives the bytes of scratch memory, the first two donated.
    """

    def one(p, x):
        return x + jnp.tanh(x @ p["kernel"])

    one = jax.checkpoint(one) if remat else one
    kernel = jax.ShapeDtypeStruct((WIDE, WIDE), jnp.float32)
    stacked = jax.ShapeDtypeStruct((DEEP, WIDE, WIDE), jnp.float32)

    def distance(rest, layers, x, y):
        return jnp.mean((layers(x) - y) ** 2)

    def unrolled(params, state, x, y):
        def f(params):
            return jnp.mean((functools.reduce(lambda x, p: one(p, x), params, x) - y) ** 2)

        value, grads = jax.value_and_grad(f)(params)
        return *tx.step(grads, state, params), value

    def released(params, state, x, y):
        return gc.gradient_release(tx, one, distance)(params, state, {}, x, y)

    def plain(params, state, x, y):
        return scanned(tx, one, distance)(params, state, {}, x, y)

    def temp(step, params):
        x = jax.ShapeDtypeStruct((8, WIDE), jnp.float32)
        return compile(step, params, jax.eval_shape(tx.init, params), x, x) / MIB

    return (
        temp(unrolled, [{"kernel": kernel}] * DEEP),
        temp(plain, {"kernel": stacked}),
        temp(released, {"kernel": stacked}),
    )
