"""Methods with factors of sides, compiled for TPU slices: nothing but all-to-all, none in an iteration."""

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
    "shampoo": lambda: gc.shampoo(1e-3, method="newton", grafting=None),
    "grafted": lambda: gc.shampoo(1e-3, method="newton"),
    "kl_soap": lambda: gc.kl_soap(1e-3),
    "psgd_kron": lambda: gc.psgd_kron(1e-3),
}
CASES = [("v5e:2x4", name) for name in MAKES] + [
    ("v5e:16x16", name) for name in ("soap", "shampoo", "grafted", "psgd_kron")
]


def depths(program, name="", depth=0):
    """(operation, loops around it) of all that runs."""
    for i in program.computations[name or program.entry]:
        yield i.op.removesuffix("-start"), depth
        for part in i.bodies if i.op == "while" else i.called:
            yield from depths(program, part, depth + (i.op == "while"))


@pytest.mark.slow
@pytest.mark.parametrize(("machine", "name"), CASES)
def test_only_all_to_all(machine, name):
    """Loops of renewals carry matrices there and back; a loop within them carries none."""
    machine = there(topology(machine))
    grid = np.array(machine.devices).reshape(-1, 4)
    mesh = Mesh(grid, ("data", "model"), axis_types=(AxisType.Explicit,) * 2)
    home = NamedSharding(mesh, P("data", "model"))
    params = {
        f"{i}/{n}": jax.ShapeDtypeStruct((128, n), jnp.float32, sharding=home)
        for i in range(2)
        for n in (128, 256)
    }
    tx = MAKES[name]()
    state = jax.tree.map(
        lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=s.sharding or NamedSharding(mesh, P())),
        tx.slots(params),
        is_leaf=lambda x: isinstance(x, gc.slots.Slot),
    )
    made = machine.compile(lambda p, s, g: tx.step(g, s, p), params, state, params, donate=(0, 1))
    program = Program(made.text)
    found = collectives(program)
    sums = [a.bytes for c in found if c.kind == "all-reduce" for a in c.operands]
    if name in ("grafted", "psgd_kron"):  # one or two norms of each matrix, numbers
        assert 0 < sum(sums) <= 2 * 4 * len(params)
        found = [c for c in found if c.kind != "all-reduce"]
    assert {c.kind for c in found} == {"all-to-all"}
    assert max(depth for op, depth in depths(program) if op == "all-to-all") == 1
