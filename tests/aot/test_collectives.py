"""What compiled programs move between devices and to the host, on texts of the real compilers in hlo/.

zero         data parallel on eight devices: a gradient scattered as it is summed, the new parameters gathered
axes, hosts  the same for matrices of 4 and 8 MiB, one mesh axis after another: TPU 2x4, two hosts of 8 GPUs
flat         the same for one matrix over both axes of a TPU 4x4 at once
collectives  a loop of three psums, then an all_to_all, then a ppermute; 4 MiB each (mesh 2x4, on H100 8)
offload      two moments of 4 MiB in the host's memory: copied in, updated, copied back
"""

from collections import Counter
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from gradchain.aot.collectives import Shaped, _group, arrays, collectives, host
from gradchain.aot.hlo import Program

MIB = 2**20


def program(name: str) -> Program:
    return Program((Path(__file__).parent / "hlo" / f"{name}.hlo").read_text())


def moved(found) -> Counter:
    """MiB that reach a device, by kind."""
    total = Counter()
    for c in found:
        total[c.kind] += c.moved / MIB
    return total


@pytest.mark.parametrize("target", ["tpu", "h100"])
def test_a_scatter_and_a_gather(target):
    scatter, gather = collectives(program(f"{target}_zero"))
    assert (scatter.kind, scatter.operand_bytes, scatter.result_bytes) == ("reduce-scatter", 4 * MIB, MIB / 2)
    assert (gather.kind, gather.operand_bytes, gather.result_bytes) == ("all-gather", MIB / 2, 4 * MIB)
    assert scatter.group == gather.group == 8
    assert not scatter.loop and not gather.loop


def test_the_all_reduce_within_a_tpu_reduce_scatter_is_not_one():
    found = program("tpu_zero")
    bodies = found.computations
    assert any(
        i.op == "all-reduce" for name, body in bodies.items() if "all-reduce-scatter" in name for i in body
    )
    assert [c.kind for c in collectives(found)] == ["reduce-scatter", "all-gather"]


@pytest.mark.parametrize("name, devices", [("tpu_axes", 8), ("h100_hosts", 16)])
def test_what_moves_over_several_axes_is_what_would_over_one(name, devices):
    found = program(name)
    assert found.devices == devices
    found = collectives(found)
    assert {c.group for c in found} == ({2, 4} if devices == 8 else {2, 8})
    assert moved(found) == dict.fromkeys(("reduce-scatter", "all-gather"), 12 * (1 - 1 / devices))


def test_a_flat_axis_over_a_torus_is_seen_as_an_all_reduce():
    found = collectives(program("tpu_flat"))
    assert Counter(c.kind for c in found) == {"all-reduce": 2, "all-gather": 1}
    matrix, scalar = sorted((c for c in found if c.kind == "all-reduce"), key=lambda c: -c.operand_bytes)
    assert (matrix.group, matrix.operand_bytes, matrix.largest.shape) == (16, 4 * MIB, (1024, 1024))
    assert (scalar.group, scalar.operand_bytes) == (16, 4)


@pytest.mark.parametrize("target, groups", [("tpu", (8, 4, 8)), ("h100", (8, 8, 8)), ("cpu", (8, 4, 8))])
def test_every_kind_is_found_once_and_loops_are_known(target, groups):
    found = collectives(program(f"{target}_collectives"))
    assert [c.kind for c in found] == ["all-reduce", "all-to-all", "collective-permute"]
    assert [c.loop for c in found] == [True, False, False]
    assert [c.group for c in found] == list(groups)
    assert [c.operand_bytes for c in found] == [c.result_bytes for c in found] == [4 * MIB] * 3
    assert [c.moved / MIB for c in found] == [7, 4 * (1 - 1 / groups[1]), 4]


@pytest.mark.parametrize(
    "attributes, group",
    [
        ("replica_groups={{0,1,2},{3,4,5}}, channel_id=1", 3),
        ("replica_groups={}, to_apply=%add", 12),  # all devices
        ("to_apply=%add", 12),
        ("replica_groups=[2,4]<=[8], dimensions={0}", 4),
        ("replica_groups=[32,8]<=[8,32]T(1,0), dimensions={0}", 8),
        ("replica_groups=mesh['axis_0'=8,'axis_1'=1] {'axis_0'}, dimensions={0}", 8),
        ("replica_groups=mesh['a'=4,'b'=2,'c'=3] {'a','c'}", 12),
        ("replica_groups=mesh['a'=16] {'a':(2)4}", 4),
        ("source_target_pairs={{0,1},{1,0}}", 2),
    ],
)
def test_sizes_of_groups(attributes, group):
    found = program("tpu_zero")
    found.devices = 12
    assert _group(attributes, found) == group


def test_arrays_of_a_type():
    text = "((f32[8,128]{1,0:T(8,128)S(5)}, bf16[]{:T(256)}), u32[]{:S(2)}, token[])"
    assert arrays(text)[:2] == (Shaped("f32", (8, 128), True), Shaped("bf16", (), False))
    assert [a.bytes for a in arrays(text)] == [4096, 2, 4, 0]


def test_host_memory_of_a_tpu_program():
    found = host(program("tpu_offload"))
    assert found == (8 * MIB, 8 * MIB, 16 * MIB)
    assert host(program("tpu_zero")) == (0, 0, 0)


def test_a_gpu_reads_its_arguments_where_they_are_and_copies_the_results():
    assert host(program("h100_offload")) == (0, 8 * MIB, 8 * MIB)


def test_host_memory_of_a_program_compiled_here():
    device, pinned = (
        jax.sharding.SingleDeviceSharding(jax.devices()[0], memory_kind=kind)
        for kind in ("device", "pinned_host")
    )
    x = jax.ShapeDtypeStruct((1024,), jnp.float32, sharding=pinned)
    f = jax.jit(lambda x: jax.device_put(x, jax.memory.Space.Device) + 1, out_shardings=device)
    found = host(Program(f.lower(x).compile().as_text()))
    assert (found.arguments, found.results) == (4096, 0)
