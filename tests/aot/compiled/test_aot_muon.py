"""Muon compiled for TPU and H100: less traffic and fewer flops than Optax's; on a mesh all-to-all alone."""

import math
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

import gradchain as gc
from benchmarks.aot.measure import measure, step_of
from benchmarks.aot.optimizers import optax_rows
from benchmarks.aot.shapes import gpt2, matrices
from gradchain.aot.collectives import collectives
from gradchain.aot.hlo import Program

P = PartitionSpec


def ours():
    return gc.muon(1e-3)


def short():
    return gc.muon(1e-3, ns_dtype="bfloat16")


def halves():
    return gc.muon(1e-3, ns_kernel="pallas")


def flops(jaxpr) -> int:
    """Of all products in a program; of branches for several platforms the first, of kernels as they say."""
    total = 0
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "pallas_call":
            total += eqn.params["cost_estimate"].flops
            continue
        if eqn.primitive.name == "dot_general":
            (contracted, _), _ = eqn.params["dimension_numbers"]
            left = eqn.invars[0].aval.shape
            total += 2 * math.prod(eqn.outvars[0].aval.shape) * math.prod(left[i] for i in contracted)
            continue
        inner = [v for v in jax.tree.leaves(eqn.params, is_leaf=has_jaxpr) if has_jaxpr(v)]
        inner = inner[:1] if eqn.primitive.name == "cond" else inner
        total += sum(flops(getattr(v, "jaxpr", v)) for v in inner) * eqn.params.get("length", 1)
    return total


def has_jaxpr(value) -> bool:
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")


def flops_of(make, params) -> int:
    tx = make()
    state = jax.eval_shape(tx.init, params)
    return flops(jax.make_jaxpr(step_of(tx))(params, state, params).jaxpr)


def test_flops():
    params = matrices()
    assert flops_of(optax_rows()["muon"], params) == 8 * 2 * 768**3 * (15 + 45)
    assert flops_of(ours, params) <= 0.75 * flops_of(optax_rows()["muon"], params)


def test_flops_of_kernels():
    """tests/matrices/test_halves.py counts what kernels execute, and finds what they say."""
    params = matrices()
    assert flops_of(halves, params) <= 0.57 * flops_of(optax_rows()["muon"], params)
    stack = {"kernel": jax.ShapeDtypeStruct((24, 2048, 8192), jnp.float32)}
    assert flops_of(halves, stack) <= 0.52 * 24 * 5 * 2 * (2 * 2048**2 * 8192 + 2048**3)


def test_traffic_of_kernels(target):
    """Each of these matrices is one kernel on TPU; elsewhere nothing changes."""
    if target.name != "tpu":
        pytest.skip("the kernels are TPU's")
    figures = measure(target, halves, matrices)
    assert figures.bytes <= 0.5 * measure(target, short, matrices).bytes + 4
    assert figures.kernels <= 64


@pytest.mark.parametrize("shapes", [matrices, gpt2])
def test_traffic_and_kernels(target, shapes):
    figures, other = measure(target, ours, shapes), measure(target, optax_rows()["muon"], shapes)
    assert figures.bytes <= {"tpu": 0.75, "h100": 0.67}[target.name] * other.bytes
    assert figures.unfused == 0
    if target.name == "h100":  # where alike matrices go together
        assert figures.kernels <= other.kernels / 3


def test_traffic_of_short_factors(target):
    """On TPU factors are bfloat16 anyway: there it is arrays between products that are half as large."""
    figures, other = measure(target, short, matrices), measure(target, optax_rows()["muon"], matrices)
    assert figures.bytes <= {"tpu": 0.67, "h100": 0.57}[target.name] * other.bytes
    assert figures.bytes <= 0.9 * measure(target, ours, matrices).bytes


def test_only_all_to_all_on_a_mesh(machine):
    """64 matrices: each whole on one device, in and out along each mesh axis, and nothing else moves."""
    grid = np.array(machine.devices).reshape(-1, 4)
    mesh = Mesh(grid, ("data", "model"), axis_types=(AxisType.Explicit,) * 2)
    shapes = {"up": ((1024, 4096), P("data", "model")), "down": ((4096, 1024), P("model", "data"))}
    params = {
        f"{i}/{name}/kernel": jax.ShapeDtypeStruct(shape, jnp.float32, sharding=NamedSharding(mesh, spec))
        for i in range(32)
        for name, (shape, spec) in shapes.items()
    }
    tx = ours()
    state = jax.tree.map(
        lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=s.sharding or NamedSharding(mesh, P())),
        tx.slots(params),
        is_leaf=lambda x: isinstance(x, gc.slots.Slot),
    )
    made = machine.compile(
        lambda params, state, grads: tx.step(grads, state, params), params, state, params, donate=(0, 1)
    )
    program = Program(made.text)
    found = collectives(program)
    assert Counter(c.kind for c in found) == {"all-to-all": 4}  # in and out along two mesh axes
    assert not any(c.loop for c in found)
    rows = -(-len(params) // grid.size)  # matrices on a device
    assert all(c.operand_bytes == rows * 1024 * 4096 * 4 for c in found)
