"""Methods with factors of sides, compiled for eight TPU chips: nothing but all-to-all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

import gradchain as gc
from gradchain.aot import topology
from gradchain.aot.collectives import collectives
from gradchain.aot.hlo import Program
from tests.aot.compiled.conftest import there

P = PartitionSpec
MAKES = {
    "soap": lambda: gc.soap(1e-3),
    "shampoo": lambda: gc.shampoo(1e-3, method="newton"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKES)
def test_only_all_to_all(name):
    machine = there(topology("v5e:2x4"))
    grid = np.array(machine.devices).reshape(-1, 4)
    mesh = Mesh(grid, ("data", "model"), axis_types=(AxisType.Explicit,) * 2)
    home = NamedSharding(mesh, P("data", "model"))
    params = {
        f"{i}/{n}": jax.ShapeDtypeStruct((128, n), jnp.float32, sharding=home)
        for i in range(8)
        for n in (128, 256)
    }
    tx = MAKES[name]()
    state = jax.tree.map(
        lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=s.sharding or NamedSharding(mesh, P())),
        tx.slots(params),
        is_leaf=lambda x: isinstance(x, gc.slots.Slot),
    )
    made = machine.compile(lambda p, s, g: tx.step(g, s, p), params, state, params, donate=(0, 1))
    assert {c.kind for c in collectives(Program(made.text))} == {"all-to-all"}
