"""describe(..., budget=...) of parameters on a mesh: zero among the choices, bytes of a device."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

import gradchain as gc
from gradchain.sharding.storages import weigh

M, N = 256, 512
SIZE = M * N
SCALARS = 12


def params(mesh, *spec):
    at = NamedSharding(mesh, P(*spec))
    return {"kernel": jax.ShapeDtypeStruct((M, N), jnp.float32, sharding=at)}


def choices(tx, p):
    return {c.name: c for c in gc.describe(tx, p, budget=1).budget.choices}


@pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
def test_zero_over_the_mesh_of_the_parameters(explicit):
    mesh = gc.make_mesh(explicit=explicit)
    found, n = choices(gc.adamw(1e-3), params(mesh)), mesh.size
    one, three = found["zero 1"], found["zero 3"]
    assert n > 1 and one.steps == three.steps == "the same"
    assert one.state == three.state == 8 * SIZE // n + SCALARS
    assert (one.params, three.params) == (4 * SIZE, 4 * SIZE // n)
    assert one.gradients == three.gradients == 4 * SIZE
    assert found["zero 3, offload"].host == 8 * SIZE // n
    assert three.code == "tx = gc.zero(tx, stage=3)"
    tx = gc.zero(gc.adamw(1e-3), stage=3)
    assert gc.layout(tx, params(mesh)).bytes_per_device() == three.state
    assert "log8" not in found  # zero needs less, and changes no number


def test_zero_that_is_there_already_is_the_choice_as_it_is():
    mesh = gc.make_mesh()
    found = choices(gc.zero(gc.adamw(1e-3)), params(mesh))
    assert found["as it is"].state == 8 * SIZE // mesh.size + SCALARS
    assert not any("zero" in name for name in found)
    budget = gc.describe(gc.zero(gc.adamw(1e-3)), params(mesh), budget=1).budget
    assert budget.parameters == SIZE and budget.operations == pytest.approx(17 * SIZE / mesh.size, rel=0.01)


def test_parameters_split_over_another_axis():
    mesh = jax.make_mesh((8,), ("model",), axis_types=(jax.sharding.AxisType.Auto,))
    found = choices(gc.adamw(1e-3), params(mesh, None, "model"))
    first = found["as it is"]
    assert first.params == first.gradients == 4 * SIZE // 8 and first.state == 8 * SIZE // 8 + SCALARS
    assert not any("zero" in name for name in found) and "log8" in found


def test_what_does_not_compile_is_left_out():
    tx, given = gc.sgd(0.1), {"kernel": jax.ShapeDtypeStruct((M, N), jnp.float32)}

    def scratch(tx, params, name):
        return None if name == "round_stochastically" else 7

    found = {c.name: c.scratch for c in weigh(tx, given, 2**30, scratch=scratch).choices}
    assert "round_stochastically" not in found and "split_weights" in found and set(found.values()) == {7}
