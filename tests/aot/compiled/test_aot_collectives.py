"""The reader of collectives and host copies on programs that the compilers of today make."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import PartitionSpec as P

from gradchain import aot
from gradchain.aot.program import mesh_of
from gradchain.core import place

SIDE = 4096  # times the devices: rows of an array, so that each has a part of 4096 x 1024


def one_axis(machine):
    return mesh_of(machine, {"data": len(machine.devices)})


def array(mesh, memory=None):
    return jax.ShapeDtypeStruct(
        (SIDE * mesh.size, 1024), jnp.float32, sharding=place.at(mesh, (("data",), ()), memory)
    )


def test_every_kind_in_a_loop_and_out_of_it(machine):
    mesh = one_axis(machine)
    ring = [(i, (i + 1) % mesh.size) for i in range(mesh.size)]

    def local(x, y):
        def turn(x, _):
            return jax.lax.pmean(jnp.sin(x), "data") * y, None

        x, _ = jax.lax.scan(turn, x, length=3)
        x = jax.lax.all_to_all(x, "data", 0, 0, tiled=True)
        return jax.lax.ppermute(jnp.cos(x), "data", ring)

    f = jax.shard_map(local, mesh=mesh, in_specs=P("data"), out_specs=P("data"), check_vma=False)
    program = aot.Program(machine.compile(f, array(mesh), array(mesh)).text)
    assert program.devices == mesh.size
    found = aot.collectives(program)
    assert [c.kind for c in found] == ["all-reduce", "all-to-all", "collective-permute"]
    assert [c.loop for c in found] == [True, False, False]
    part = 4 * SIDE * 1024
    assert all(c.group == mesh.size and c.operand_bytes == c.result_bytes == part for c in found)


def test_copies_to_the_host_and_back(machine):
    mesh = one_axis(machine)
    x, away = array(mesh), array(mesh, "pinned_host")

    def f(x, away):
        here = jax.device_put(away, jax.memory.Space.Device)
        return x + here, jax.device_put(0.9 * here + x, jax.memory.Space.Host)

    found = aot.host(aot.Program(machine.compile(f, x, away, donate=(0, 1)).text))
    part = 4 * SIDE * 1024
    assert found.results == part
    if machine.name == "tpu":
        assert (found.arguments, found.copied) == (part, 2 * part)
    else:  # the compiler is not told where arguments are: it reads them as if they were here
        assert (found.arguments, found.copied) == (0, part)


def test_an_axis_over_a_whole_torus_is_reduced_everywhere(machine):
    """Why a mesh has one axis for each of the torus: the compilers scatter along one of them at a time."""
    mesh = one_axis(machine)

    def local(g):
        return jax.lax.psum_scatter(g[0], "data", scatter_dimension=0, tiled=True)

    f = jax.shard_map(local, mesh=mesh, in_specs=P("data"), out_specs=P("data"))
    shape = (mesh.size, 8 * mesh.size, 1024)
    x = jax.ShapeDtypeStruct(shape, jnp.float32, sharding=place.at(mesh, (("data",), (), ())))
    (found,) = aot.collectives(aot.Program(machine.compile(f, x).text))
    flat = machine.name == "tpu" and mesh.size > 8
    assert found.kind == ("all-reduce" if flat else "reduce-scatter")
    assert found.moved == pytest.approx((2 if flat else 1) * (1 - 1 / mesh.size) * 4 * 8 * mesh.size * 1024)
