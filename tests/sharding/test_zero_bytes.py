"""zero in the compiled programs of the CPU: bytes on a device, what is donated, what is moved."""

import functools

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec, SingleDeviceSharding

import gradchain as gc
from gradchain import aot

P = PartitionSpec
N = 1024
PARAMS, STATE, BATCH, COUNT = 2 * N * N * 4, 4 * N * N * 4, 64 * N * 4, 4  # bytes of all devices
DEVICES = 8

# Optax's Adam: its state has one counter. adam(1e-3) has 8 bytes more, a counter of the schedule and the
# learning rate that it records, and a jitted step is given 4 of them: the rate is only written.
ADAM = functools.partial(gc.chain, gc.scale_by_adam(), gc.scale(-1e-3))


def loss(params, batch):
    return jnp.mean((jnp.tanh(batch @ params["up"]) @ params["down"]) ** 2)


def placed(mesh):
    keys = jax.random.split(jax.random.key(0), 3)
    at = NamedSharding(mesh, P())
    params = {
        k: jax.device_put(jax.random.normal(keys[i], (N, N)) / 32, at) for i, k in enumerate(("up", "down"))
    }
    batch = jax.device_put(jax.random.normal(keys[2], (64, N)), NamedSharding(mesh, P("data")))
    return params, batch


def train(tx, stage):
    """step(params, state, batch) -> (params, state, loss), the first two donated."""

    def step(params, state, batch):
        whole = gc.gather_params(tx, params) if stage == 3 else params
        value, grads = jax.value_and_grad(loss)(whole, batch)
        params, state = tx.step(grads, state, params)
        return params, state, value

    return jax.jit(step, donate_argnums=(0, 1))


@pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
@pytest.mark.parametrize(
    ("stage", "arguments"), [(0, 25_198_596), (1, 10_518_532), (2, 10_518_532), (3, 3_178_500)]
)
def test_bytes_on_a_device(stage, arguments, explicit):
    mesh = gc.make_mesh(explicit=explicit)
    tx = gc.zero(ADAM(), stage=stage) if stage else ADAM()
    params, batch = placed(mesh)
    found = gc.layout(tx, params)
    params = jax.tree.map(jax.device_put, params, found.params)
    state = gc.init(tx, params)
    parts = (DEVICES if stage == 3 else 1), (DEVICES if stage else 1)
    held = PARAMS // parts[0] + STATE // parts[1] + COUNT
    assert found.bytes_per_device() == STATE // parts[1] + COUNT
    assert held + BATCH // DEVICES == arguments  # the figure is nothing but the arrays

    step = train(tx, stage)
    memory = step.lower(params, state, batch).compile().memory_analysis()
    assert memory.argument_size_in_bytes == arguments
    assert memory.alias_size_in_bytes == held
    for _ in range(3):
        params, state, _ = step(params, state, batch)
    assert step._cache_size() == 1
    assert not any(isinstance(x.sharding, SingleDeviceSharding) for x in jax.tree.leaves((params, state)))
    assert jax.tree.map(lambda x: x.sharding, state) == found.shardings()
    assert jax.tree.map(lambda x: x.sharding, params) == found.params
    for x in jax.tree.leaves(params):
        assert x.addressable_shards[0].data.nbytes * parts[0] == x.nbytes
    moments = state["scale_by_adam"]._replace(count=None)
    for x in jax.tree.leaves(moments):
        assert x.addressable_shards[0].data.nbytes * parts[1] == x.nbytes


def test_what_adam_has_besides():
    """The counter of its learning rate; the rate itself is only written, and JAX does not pass it in."""
    params, batch = placed(gc.make_mesh())
    tx = gc.zero(gc.adam(1e-3))
    memory = train(tx, 1).lower(params, gc.init(tx, params), batch).compile().memory_analysis()
    assert memory.argument_size_in_bytes == 10_518_532 + COUNT


# The update alone, of parameters split over both axes, with gradients where they are. -----------------------

SHAPES = {"embedding": (512, 256), "layers": {"kernel": (4, 256, 512), "bias": (4, 512)}, "scale": (256,)}
SPECS = {
    "embedding": P("data", "model"),
    "layers": {"kernel": P(None, "data", "model"), "bias": P(None, "model")},
    "scale": P("model"),
}
ROWS_AND_COLUMNS = 4 * (512 + 256 + 4 * (256 + 512))  # bytes, of all matrices
NOTHING = {
    "adamw": lambda: gc.adamw(1e-3),
    "lion": lambda: gc.lion(1e-3),
    "chain": lambda: gc.chain(gc.clip(1.0), gc.trace(0.9), gc.add_decayed_weights(0.1), gc.scale(-0.1)),
    "masked": lambda: gc.masked(gc.adamw(1e-3), "**/kernel"),
    "log8": lambda: gc.stored(gc.adamw(1e-3), "log8", min_size=0),
    "bfloat16": lambda: gc.stored(gc.adamw(1e-3), "bfloat16_stochastic", min_size=0),
    "int8 in blocks of a device": lambda: gc.stored(gc.adamw(1e-3), gc.codecs.int8(block=64), min_size=2**12),
    "offloaded": lambda: gc.offload(gc.adamw(1e-3), min_size=0, group_bytes=0),
}
SCALARS = {
    "clip": lambda: gc.chain(gc.clip_by_global_norm(1.0), gc.adamw(1e-3)),
    "skip": lambda: gc.skip(gc.adamw(1e-3)),
    "accumulate": lambda: gc.accumulate(gc.average(gc.adamw(1e-3)), 4),
    "lamb": lambda: gc.lamb(1e-3),
    "lars": lambda: gc.lars(1e-3),
    "clip, 8 bits": lambda: gc.stored(
        gc.chain(gc.clip_by_global_norm(1.0), gc.lion(1e-3)), "log8", min_size=0
    ),
}


def moved(tx, explicit):
    """The collectives of a step, and the shapes that went into them."""
    mesh = gc.make_mesh(2, explicit=explicit)
    of = lambda spec, shape: jax.ShapeDtypeStruct(shape, jnp.float32, sharding=NamedSharding(mesh, spec))  # noqa: E731
    params = jax.tree.map(of, SPECS, SHAPES, is_leaf=lambda x: isinstance(x, PartitionSpec))
    state = jax.tree.map(
        lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=s.sharding), gc.layout(tx, params).slots
    )
    step = jax.jit(lambda params, state, grads: tx.step(grads, state, params), donate_argnums=(0, 1))
    compiled = step.lower(params, state, params).compile()
    return aot.collectives(aot.Program(compiled.as_text()))


@pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
@pytest.mark.parametrize("name", NOTHING)
def test_elementwise_updates_move_nothing(name, explicit):
    assert moved(NOTHING[name](), explicit) == []


@pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
@pytest.mark.parametrize("name", SCALARS)
def test_norms_move_scalars(name, explicit):
    found = moved(SCALARS[name](), explicit)
    assert found and {c.kind for c in found} == {"all-reduce"}
    # A number for each layer of a stack and each leaf at most.
    assert max(c.result_bytes for c in found) <= 4 * 2 * (4 + 4 + 1 + 1)


@pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
def test_adafactor_moves_rows_and_columns(explicit):
    found = moved(gc.adafactor(1e-3), explicit)
    assert {c.kind for c in found} == {"all-reduce"}
    vectors = sum(x.bytes for c in found for x in c.results if x.bytes > 4 * 4)
    assert 0 < vectors <= ROWS_AND_COLUMNS


def test_a_gather_is_seen():
    """Blocks of 8 bits that devices share are gathered: the reader of these tests sees such a thing."""
    tx = gc.stored(gc.adamw(1e-3), gc.codecs.int8(block=192), min_size=2**12)
    assert "all-gather" in {c.kind for c in moved(tx, True)}
