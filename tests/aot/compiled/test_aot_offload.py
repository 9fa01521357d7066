"""State in the host's memory, as the TPU v5e and H100 compilers make it: streamed, moved once each way."""

import functools

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, SingleDeviceSharding
from jax.sharding import PartitionSpec as P

import gradchain as gc
from gradchain import aot

LEAVES, N = 24, 1024
ONE = 4 * N * N  # bytes of an array
STATE = 2 * LEAVES * ONE
MESHES = {"tpu": "v5e:2x4", "h100": "h100:1x8"}  # of 8 devices

OPTIMIZERS = {
    "adamw": lambda: gc.adamw(1e-3),
    "clip": lambda: gc.chain(gc.clip_by_global_norm(1.0), gc.adamw(1e-3)),
}


def compiled(target, tx, of):
    """The update of the leaves, `of` their sharding."""
    params = {f"layer{i}": jax.ShapeDtypeStruct((N, N), jnp.float32, sharding=of) for i in range(LEAVES)}
    state = jax.tree.map(
        lambda s: jax.ShapeDtypeStruct(
            s.shape, s.dtype, sharding=s.sharding or (of.with_memory_kind(s.memory) if s.memory else of)
        ),
        gc.layout(tx, params).slots,
    )
    made = target.compile(lambda p, s, g: tx.step(g, s, p), params, state, params, donate=(0, 1))
    return made, aot.host(aot.Program(made.text))


@functools.cache
def on_one_chip(target, name, group_bytes):
    tx = gc.offload(OPTIMIZERS[name](), group_bytes=group_bytes)
    return compiled(target, tx, SingleDeviceSharding(target.devices[0]))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_device_holds_a_few_arrays_at_a_time(target, name):
    """Two leaves' moments on their way in, two on their way out; all in one group, a TPU brings all first."""
    made, moved = on_one_chip(target, name, 0)
    assert made.temp <= 10 * ONE < STATE / 4
    assert moved.copied == 2 * STATE and moved.results == STATE
    if target.name == "tpu":  # the H100's program does not say where arguments are
        assert moved.arguments == STATE
        assert on_one_chip(target, name, STATE)[0].temp >= STATE


def test_a_window_of_several_leaves(target):
    """While the moments of one group of four are computed, others come and go."""
    made, moved = on_one_chip(target, "adamw", 8 * ONE)
    assert made.temp <= 3.5 * 8 * ONE < STATE and moved.copied == 2 * STATE


@pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
@pytest.mark.parametrize("outer", [gc.zero, gc.offload])
def test_split_over_a_mesh(target, outer, explicit):
    """The host of each device holds its part of the state, and no more is moved."""
    machine = aot.topology(MESHES[target.name])
    mesh = gc.make_mesh(devices=machine.devices, explicit=explicit)
    tx = gc.zero(gc.offload(gc.adamw(1e-3))) if outer is gc.zero else gc.offload(gc.zero(gc.adamw(1e-3)))
    _, moved = compiled(machine, tx, NamedSharding(mesh, P()))
    assert moved.results == STATE / len(machine.devices)
    if target.name == "tpu":  # JAX does not pass the memory of described GPUs to their compiler
        assert moved.arguments == STATE / len(machine.devices)
        assert moved.copied == 2 * STATE / len(machine.devices)


@pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
def test_parameters_are_gathered_in_a_narrow_dtype(target, explicit):
    """What is moved is bfloat16, which XLA for CPU cannot do."""
    machine = aot.topology(MESHES[target.name])
    mesh = gc.make_mesh(devices=machine.devices, explicit=explicit)
    tx = gc.zero(gc.scale_by_adam(), stage=3)
    params = {"w": jax.ShapeDtypeStruct((N, N), jnp.float32, sharding=NamedSharding(mesh, P()))}
    held = gc.layout(tx, params).params["w"]
    params = {"w": jax.ShapeDtypeStruct((N, N), jnp.float32, sharding=held)}
    made = machine.compile(lambda p: gc.gather_params(tx, p, jnp.bfloat16), params)
    (gather,) = aot.collectives(aot.Program(made.text))
    assert gather.kind == "all-gather" and gather.result_bytes == 2 * N * N
