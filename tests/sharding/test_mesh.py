"""make_mesh: one mesh axis for each axis of a torus, from nothing but descriptions of the devices."""

import jax
import numpy as np
import pytest
from chips import chips
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

import gradchain as gc
from gradchain.sharding.mesh import torus_of

V5E, V5P = "TPU v5 lite", "TPU v5p"


@pytest.mark.parametrize(
    ("model", "shape"), [(1, {"data": 8}), (2, {"data": 4, "model": 2}), (8, {"data": 1, "model": 8})]
)
def test_cpu_devices_are_one_axis(model, shape):
    mesh = gc.make_mesh(model)
    assert dict(mesh.shape) == shape and set(mesh.axis_types) == {AxisType.Auto}
    assert sorted(d.id for d in mesh.devices.flat) == list(range(8))
    assert set(gc.make_mesh(model, explicit=True).axis_types) == {AxisType.Explicit}


def test_arguments():
    mesh = gc.make_mesh(2, data="batch", devices=jax.devices()[:4])
    assert dict(mesh.shape) == {"batch": 2, "model": 2}
    for model in (3, 0, -2):
        with pytest.raises(ValueError, match=f"make_mesh: model={model} does not divide 8 devices"):
            gc.make_mesh(model)


@pytest.mark.parametrize(
    ("kind", "torus", "model", "shape"),
    [
        (V5E, (2, 4), 1, {"data": 8}),  # one axis of 8 chips is scattered as it is
        (V5E, (4, 4), 1, {"data0": 4, "data1": 4}),
        (V5E, (4, 4), 2, {"data0": 4, "data1": 2, "model": 2}),
        (V5E, (4, 4), 4, {"data": 4, "model": 4}),
        (V5E, (4, 4), 8, {"data": 2, "model": 8}),
        (V5E, (4, 4), 16, {"data": 1, "model": 16}),
        (V5E, (16, 16), 1, {"data0": 16, "data1": 16}),
        (V5P, (4, 4, 4), 1, {"data0": 4, "data1": 4, "data2": 4}),
        (V5P, (4, 4, 8), 8, {"data0": 4, "data1": 4, "model": 8}),
        (V5P, (2, 2, 4), 2, {"data0": 2, "data1": 2, "data2": 2, "model": 2}),
    ],
)
def test_an_axis_for_each_axis_of_the_torus(kind, torus, model, shape):
    mesh = gc.make_mesh(model, devices=chips(kind, *torus))
    assert dict(mesh.shape) == shape
    at = np.array([d.coords for d in mesh.devices.flat]).reshape(*mesh.devices.shape, 3)
    for i, name in enumerate(mesh.axis_names):
        moving = np.ptp(at, axis=i).any(axis=tuple(range(at.ndim - 2)))  # coordinates that change along it
        assert moving.sum() <= 1 or name == "model" or torus == (2, 4), f"{name} bends"
    assert sorted(d.id for d in mesh.devices.flat) == list(range(len(mesh.devices.flat)))
    assert gc.sharding.mesh.flat_over_torus(mesh, gc.data_axes(mesh)) == ""


def test_what_is_no_torus():
    slice_ = chips(V5E, 4, 4)
    assert torus_of(slice_) == (4, 4) and torus_of(slice_[:4]) == (4,)
    assert torus_of(slice_[:14]) == (14,)  # chips are missing
    assert torus_of([*slice_, *slice_]) == (32,)  # two slices, which no ring goes through
    assert torus_of(chips("NVIDIA H100", 4, 4)) == (16,)
    assert torus_of(jax.devices()) == (8,)


def test_data_axes():
    grid = np.array(jax.devices())
    flat, several = (
        Mesh(grid.reshape(4, 2), ("data", "model")),
        Mesh(grid.reshape(2, 2, 2), ("data0", "data1", "model")),
    )
    assert gc.data_axes(flat) == ("data",) and gc.data_axes(several) == ("data0", "data1")
    assert gc.data_axes(several, ("data", "model")) == ("data0", "data1", "model")
    assert gc.data_axes(several, "data1") == ("data1",)
    assert P(gc.data_axes(several)) == P(("data0", "data1"))
    with pytest.raises(ValueError, match="data_axes: the mesh has no axis 'batch'; it has 'data', 'model'"):
        gc.data_axes(flat, "batch")
