"""Kin of Muon on a mesh of eight devices: numbers as on one, and what travels between them."""

import re
from collections import Counter

import jax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import gradchain as gc
from gradchain.aot.collectives import collectives
from gradchain.aot.hlo import Program
from tests.rules.steps import close, problem

P = PartitionSpec
SPECS = {"up/kernel": P("data", "model"), "down/kernel": P("model", "data"), "bias": P()}
SHAPES = {"up/kernel": (16, 32), "down/kernel": (32, 16), "bias": (32,)}
MAKE = {
    "normuon": lambda: gc.normuon(
        0.1, ns_coeffs="polar_express", equilibrate="outputs", renormalize="inputs"
    ),
    "adamuon": lambda: gc.adamuon(0.1),
    "muonh": lambda: gc.muonh(0.1),
    "scion": lambda: gc.scion(0.1),
}


@pytest.mark.parametrize(
    "name", ["normuon", *(pytest.param(n, marks=pytest.mark.slow) for n in list(MAKE)[1:])]
)
def test_whole_matrices_travel_and_small_sums(name: str):
    """All-to-all for matrices, in and out along each axis; sums of vectors and scalars; none in a loop."""
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(AxisType.Explicit,) * 2)
    params, grads = problem(SHAPES, 1)
    put = lambda tree: {k: jax.device_put(x, NamedSharding(mesh, SPECS[k])) for k, x in tree.items()}  # noqa: E731
    tx = MAKE[name]()
    u, _ = jax.jit(tx.update)(grads[0], tx.init(params), params)
    here = put(params)
    update = jax.jit(tx.update).lower(put(grads[0]), tx.init(here), here).compile()
    close(update(put(grads[0]), tx.init(here), here)[0], u, 2e-5)
    text = update.as_text()
    found = Counter(re.findall(r" (all-[a-z-]+?|reduce-scatter|collective-[a-z-]+?)(?:-start)?\(", text))
    assert found["all-to-all"] == 4 and set(found) <= {"all-to-all", "all-reduce"}
    assert not any(c.loop for c in collectives(Program(text)))
    running = [(i.op, i.bytes) for _, i, _ in Program(text).running()]
    sums = sum(size for op, size in running if op.startswith("all-reduce"))
    assert (sums > 0) == (name != "scion") and sums < 400  # bytes; the matrices have 4,096
