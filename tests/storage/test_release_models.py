"""gradient_release in models: shared and per-layer arguments, Flax, meshes; and what it refuses."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import gradchain as gc
from tests.storage.release_cases import (
    ADAMW,
    BATCH,
    LAYERS,
    REST,
    ROUNDING,
    TOKENS,
    WARMUP,
    WIDTH,
    layer,
    loss,
    normal,
    same,
    scanned,
    stack,
    train,
)

# Models ---------------------------------------------------------------------------------------------------


def masked_layer(p, x, mask, gain, *, key, rate):
    """What layers share (an integer mask, a gain that is learned) and what each has of its own."""
    keep = jax.random.bernoulli(key, 0.8, x.shape)
    return jnp.where(mask[:, None] > 0, x + rate * gain * (layer(p, x) - x) * keep, x)


def masked_loss(rest, layers, tokens, labels):
    keys = jax.random.split(jax.random.key(7), LAYERS)

    def stacked(x):
        return layers(x, labels % 3, rest["gain"], key=keys, rate=jnp.exp(rest["rate"]))

    value = loss(rest, stacked, tokens, labels)
    return value, {"perplexity": jnp.exp(value)}


def test_shared_and_per_layer_arguments_and_aux():
    """Their gradients are among those of the rest; keys and integers have none."""
    rest = {**REST, "gain": jnp.ones(WIDTH), "rate": jnp.zeros(LAYERS)}
    step = gc.gradient_release(ADAMW, masked_layer, masked_loss, has_aux=True)
    found = train(step, ADAMW, stack(), rest=rest)
    wanted = train(scanned(ADAMW, masked_layer, masked_loss, has_aux=True), ADAMW, stack(), rest=rest)
    same(found, wanted, ROUNDING)
    assert all(jnp.abs(g).max() > 0 for g in jax.tree.leaves(found[3]))


def test_several_arrays_run_through_the_layers():
    """Among them one without a derivative, and one that the layers add up, such as an auxiliary loss."""

    def pair(p, carry):
        x, extra, step = carry
        y = layer(p, x) * (1 + step)
        return y, extra + jnp.mean(y**2), step

    def total(rest, layers, *batch):
        def stacked(x):
            y, extra, _ = layers((x, jnp.float32(0), jnp.int32(0)))
            losses.append(extra)
            return y

        losses: list = []
        return loss(rest, stacked, *batch) + 0.1 * losses.pop()

    found = train(gc.gradient_release(ADAMW, pair, total), ADAMW, stack())
    same(found, train(scanned(ADAMW, pair, total), ADAMW, stack()), ROUNDING)


def test_a_layer_may_close_over_arrays():
    """They are no residuals of each layer: no stack of them is made."""
    mask = jnp.arange(TOKENS * WIDTH).reshape(TOKENS, WIDTH) % 5 > 0

    def step(params, state, rest, mask, *batch):
        def inner(p, x):
            return x + mask * (layer(p, x) - x)

        return gc.gradient_release(ADAMW, inner, loss)(params, state, rest, *batch)

    def wanted(params, state, rest, mask, *batch):
        return scanned(ADAMW, lambda p, x: x + mask * (layer(p, x) - x))(params, state, rest, *batch)

    args = (mask, *BATCH)
    same(train(step, ADAMW, stack(), args=args), train(wanted, ADAMW, stack(), args=args), ROUNDING)
    state = ADAMW.init(stack())
    assert f"bool[{LAYERS},{TOKENS},{WIDTH}]" not in str(jax.make_jaxpr(step)(stack(), state, REST, *args))


def test_layers_of_nnx():
    class Block(nnx.Module):
        def __init__(self, rngs):
            self.linear = nnx.Linear(WIDTH, WIDTH, rngs=rngs)

        def __call__(self, x):
            return x + jnp.tanh(self.linear(x))

    @nnx.split_rngs(splits=LAYERS)
    @nnx.vmap
    def blocks(rngs):
        return Block(rngs)

    graph, params = nnx.split(blocks(nnx.Rngs(0)))

    def block(p, x):
        return nnx.merge(graph, p)(x)

    tx = gc.adamw(WARMUP, mask="**/kernel")
    found = train(gc.gradient_release(tx, block, loss), tx, params)
    same(found, train(scanned(tx, block), tx, params), ROUNDING)
    assert gc.metrics(found[1])["learning_rate"] > 0


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_split_parameters_stay_split(kind):
    mesh = jax.make_mesh((2, 4), ("data", "model"), axis_types=(kind, kind))
    params = {"up": normal(0, LAYERS, WIDTH, 2 * WIDTH), "down": normal(1, LAYERS, 2 * WIDTH, WIDTH)}
    tx = gc.sgd(0.1, 0.9)
    specs = {"up": PartitionSpec(None, None, "model"), "down": PartitionSpec(None, "model", None)}

    def split(p, x, out=None):
        return x + jnp.matmul(jnp.tanh(x @ p["up"]), p["down"], out_sharding=out)

    whole = PartitionSpec() if kind is AxisType.Explicit else None
    wanted = train(scanned(tx, split), tx, params)
    with jax.set_mesh(mesh):
        placed = jax.tree.map(lambda x, s: jax.device_put(x, NamedSharding(mesh, s)), params, specs)
        found = train(gc.gradient_release(tx, functools.partial(split, out=whole), loss), tx, placed)
    for x, y in zip(jax.tree.leaves(found[:2]), jax.tree.leaves((placed, tx.init(placed))), strict=True):
        assert x.sharding.is_equivalent_to(y.sharding, x.ndim)
    same(jax.device_put(found[0], jax.devices()[0]), wanted[0], ROUNDING)


# Errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tx", "message"),
    [
        (gc.chain(gc.clip_by_global_norm(1.0), ADAMW), "clip_by_global_norm needs a number of all leaves"),
        (gc.chain(optax.clip_by_global_norm(1.0), ADAMW), "clip_by_global_norm takes the layers together"),
        (gc.stored(gc.chain(ADAMW, gc.snapshot("norm")), "log8"), "snapshot needs a number of all leaves"),
        (gc.masked(gc.add_noise(0.1, 0.5), "**/kernel"), "add_noise draws noise"),
        (gc.chain(gc.scale_by_trust_ratio(), gc.skip(ADAMW)), "skip takes the layers together"),
    ],
)  # fmt: skip
def test_the_link_that_forbids_it_is_named(tx, message):
    with pytest.raises(ValueError, match=f"gradient_release: {message}"):
        gc.gradient_release(tx, layer, loss)(stack(), tx.init(stack()), REST, *BATCH)


def test_a_kernel_that_reduces_over_the_stack_is_found():
    @gc.transform()
    def scale_by_largest():
        return gc.leafwise(None, lambda g: g / jnp.max(jnp.abs(g)))

    try:
        tx = gc.chain(gc.scale_by_adam(), scale_by_largest())
        with pytest.raises(ValueError, match=r"scale_by_largest takes the layers together \(reduce_max\)"):
            gc.gradient_release(tx, layer, loss)(stack(), tx.init(stack()), REST, *BATCH)
    finally:
        del gc.REGISTRY["scale_by_largest"]


def test_a_vector_whose_name_does_not_say_so_is_a_matrix_of_layers():
    """The rule of axes takes [layers, n] for a matrix: its norm would be that of all layers."""
    tx, params = gc.scale_by_trust_ratio(), {"position": normal(0, LAYERS, WIDTH)}
    with pytest.raises(ValueError, match=r"scale_by_trust_ratio takes the layers together \(reduce_sum\)"):
        gc.gradient_release(tx, lambda p, x: x + p["position"], loss)(params, tx.init(params), REST, *BATCH)


def test_misuse():
    step = functools.partial(gc.gradient_release, ADAMW, layer)
    state = ADAMW.init(stack())
    uneven = {**stack(), "scale": jnp.ones((LAYERS + 1, WIDTH))}
    with pytest.raises(ValueError, match=r"'scale' has shape \[5, 32\] and 'down/kernel' \[4, 64, 32\]"):
        step(loss)(uneven, ADAMW.init(uneven), REST, *BATCH)
    with pytest.raises(ValueError, match="did not call layers"):
        step(lambda rest, layers: jnp.float32(0))(stack(), state, REST)
    with pytest.raises(ValueError, match="twice"):
        step(lambda rest, layers: jnp.sum(layers(layers(jnp.ones(WIDTH)))))(stack(), state, REST)
    with pytest.raises(ValueError, match=r"key=...\) has shape \[2\]; expected 4 in front"):
        step(lambda rest, layers: jnp.sum(layers(jnp.ones(WIDTH), key=jnp.ones(2))))(stack(), state, REST)
    with pytest.raises(TypeError, match=r"the loss has shape \[32\]; expected a scalar"):
        step(lambda rest, layers: layers(jnp.ones(WIDTH)))(stack(), state, REST)
    with pytest.raises(ValueError, match="the state has 3 arrays"):
        step(loss)(stack(), gc.sgd(0.1, 0.9).init({"a": jnp.ones((LAYERS, 2))}), REST, *BATCH)
