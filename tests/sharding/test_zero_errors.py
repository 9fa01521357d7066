"""What zero says: leaves that stay whole and why, axes that do not fit the machine, input that is wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from chips import chips
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import gradchain as gc
from gradchain import aot

WHOLE = P()


def leaf(mesh, shape=(64, 64), spec=WHOLE):
    return jax.ShapeDtypeStruct(shape, jnp.float32, sharding=NamedSharding(mesh, spec))


def abstract(explicit=True, **axes):
    kind = AxisType.Explicit if explicit else AxisType.Auto
    return AbstractMesh(tuple(axes.values()), tuple(axes), axis_types=(kind,) * len(axes))


def adam(**options):
    return gc.zero(gc.scale_by_adam(), **{"min_size": 0, **options})


def notes(params, **options):
    return gc.layout(adam(**options), params).notes


# What stays whole. -----------------------------------------------------------------------------------------


def test_a_leaf_that_cannot_be_split():
    mesh = abstract(data=8)
    (note,) = notes({"w": leaf(mesh, (12, 10)), "fine": leaf(mesh)})
    assert "'w' of shape [12, 10] stays whole along 'data'" in note
    assert "12 and 10" in note and "8; pad one of them" in note


def test_one_axis_of_several():
    mesh = abstract(data0=4, data1=4)
    (note,) = notes({"w": leaf(mesh, (12, 3))})
    assert "stays whole along 'data1'" in note and "'data0'" not in note
    found = gc.layout(adam(), {"w": leaf(mesh, (12, 3))})
    assert found.shardings()["scale_by_adam"].mu["w"].spec == P("data0", None)


def test_small_leaves_stay_whole_in_silence():
    assert notes({"w": leaf(abstract(data=8), (3, 5))}, min_size=16) == ()


@pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
def test_a_step_warns(explicit):
    mesh = gc.make_mesh(explicit=explicit)
    params = {"odd": jax.device_put(jnp.ones((3, 5)), NamedSharding(mesh, P()))}
    tx = adam()
    state = gc.init(tx, params)
    with pytest.warns(gc.ShardingWarning, match=r"'odd' of shape \[3, 5\] stays whole along 'data'"):
        jax.eval_shape(tx.step, params, state, params)
    assert state["scale_by_adam"].mu["odd"].sharding.is_fully_replicated


# A flat axis over a torus, on meshes of described chips. ----------------------------------------------------


def described(kind, *shape, **axes):
    """A mesh whose devices are only descriptions, in the order of their coordinates."""
    return Mesh(np.array(chips(kind, *shape), object).reshape(tuple(axes.values())), tuple(axes))


@pytest.mark.parametrize(
    "of", [lambda mesh: mesh, lambda mesh: mesh.abstract_mesh], ids=["mesh", "in a trace"]
)
@pytest.mark.parametrize(
    ("kind", "shape", "longest"),
    [("TPU v5 lite", (4, 4), 4), ("TPU v6 lite", (16, 16), 16), ("TPU v5", (4, 4, 4), 4)],
)
def test_a_flat_axis_over_a_torus(kind, shape, longest, of):
    flat = of(described(kind, *shape, data=int(np.prod(shape))))
    (note,) = notes({"w": leaf(flat, (1024, 1024))})
    assert f"'data' of {np.prod(shape)} lies over several axes of the torus" in note
    assert f"at most {longest} long" in note and "make_mesh" in note
    rings = of(described(kind, *shape, **{f"data{i}": n for i, n in enumerate(shape)}))
    assert notes({"w": leaf(rings, (1024, 1024))}) == ()


def test_other_machines_have_no_torus():
    assert notes({"w": leaf(described("TPU v5 lite", 2, 4, data=8))}) == ()  # scattered all the same
    assert notes({"w": leaf(abstract(data=256), (1024, 1024))}) == ()
    assert notes({"w": leaf(described("NVIDIA H100", 4, 4, data=16))}) == ()


# Bad input. ------------------------------------------------------------------------------------------------


def test_an_axis_that_the_mesh_has_not():
    with pytest.raises(ValueError, match="zero: the mesh has no axis 'batch'; it has 'data', 'model'"):
        gc.layout(adam(axis="batch"), {"w": leaf(abstract(data=4, model=2))})


def test_an_axis_that_the_mesh_in_force_has_not():
    """Of parameters that are on no mesh the one of jax.set_mesh is asked, when the state is made."""
    with jax.set_mesh(jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))):
        gc.zero(gc.adam(1e-3)).init({"w": np.ones((4, 4), np.float32)})
        with pytest.raises(ValueError, match="zero: the mesh has no axis 'batch'; it has 'data'"):
            gc.zero(gc.adam(1e-3), "batch").init({"w": np.ones((4, 4), np.float32)})


def test_several_axes_by_name():
    found = gc.layout(adam(axis=("replica", "data")), {"w": leaf(abstract(replica=2, data=4), (64, 3))})
    assert found.shardings()["scale_by_adam"].mu["w"].spec == P(("replica", "data"), None)
    assert found.params["w"].spec == P(None, None)


def test_mixed_kinds_of_axes():
    mesh = AbstractMesh((4, 2), ("data", "model"), axis_types=(AxisType.Auto, AxisType.Explicit))
    with pytest.raises(
        ValueError, match="mesh of 'w' mixes kinds of axes \\('data' Auto, 'model' Explicit\\)"
    ):
        gc.layout(adam(), {"w": leaf(mesh)})


def test_parameters_on_no_mesh():
    params = {"w": jnp.ones((64, 64))}
    with pytest.raises(gc.LayoutError, match=r"parameters are on no mesh.*make_mesh"):
        gc.init(adam(), params)


def test_inside_shard_map():
    mesh = gc.make_mesh()
    params = {"w": jax.device_put(jnp.ones((64, 64)), NamedSharding(mesh, P()))}
    tx = adam()
    state = gc.init(tx, params)
    step = jax.shard_map(
        lambda p, s: tx.step(p, s, p)[0], mesh=mesh, in_specs=P(), out_specs=P(), check_vma=False
    )
    with pytest.raises(ValueError, match="zero: 'w' is inside a shard_map; call the optimizer outside"):
        step(params, jax.tree.map(jnp.asarray, state))


def test_an_automatic_mesh_needs_specs():
    mesh = gc.make_mesh(2)
    with pytest.raises(ValueError, match=r"cannot see how 'w' is split over 'model'.*or pass specs="):
        gc.layout(adam(), {"w": leaf(mesh)})


@pytest.mark.parametrize(
    ("specs", "error"),
    [
        ({"w": ("model",)}, r"'w' is split as .*None, 'model'.*but specs say .*'model'"),
        ({}, r"'w' is split as .*None, 'model'.*but specs say"),
        ({"w": (None, None, "model")}, r"the spec \(None, None, 'model'\) of 'w' is longer than \[64, 64\]"),
    ],
)
def test_wrong_specs(specs, error):
    params = {"w": leaf(gc.make_mesh(2), spec=P(None, "model"))}
    assert gc.layout(adam(specs={"w": (None, "model")}), params)
    with pytest.raises(ValueError, match=error):
        gc.layout(adam(specs=specs), params)


def test_parameters_that_are_split_over_the_data_already():
    params = {"w": leaf(gc.make_mesh(), spec=P("data"))}
    with pytest.raises(ValueError, match=r"'w' is split over data axes already.*stage=3"):
        gc.layout(adam(), params)
    assert gc.layout(adam(stage=3), params).params["w"].spec == P("data")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"stage": 4}, "zero: stage is 4; expected 1, 2 or 3"),
        ({"stage": 0}, "zero: stage is 0"),
        ({"min_size": -1}, "zero: min_size is -1; expected a whole number"),
        ({"min_size": 0.5}, "zero: min_size is 0.5"),
    ],
)
def test_bad_arguments(options, error):
    with pytest.raises(ValueError, match=error):
        adam(**options)


def test_without_parameters():
    mesh = gc.make_mesh()
    params = {"w": jax.device_put(jnp.ones((64, 64)), NamedSharding(mesh, P()))}
    tx = adam()
    with pytest.raises(ValueError, match="zero needs the parameters"):
        tx.update(params, gc.init(tx, params))
    with pytest.raises(ValueError, match="'w' is in the gradients but not in the parameters"):
        tx.update(params, gc.init(tx, params), {"v": params["w"]})


# Gathering parameters of stage 3. --------------------------------------------------------------------------


@pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
def test_gather_params(explicit):
    mesh = gc.make_mesh(explicit=explicit)
    tx = adam(stage=3)
    values = jnp.linspace(-1, 1, 64 * 32).reshape(64, 32)
    params = {"w": jax.device_put(values, NamedSharding(mesh, P()))}
    params = jax.tree.map(jax.device_put, params, gc.layout(tx, params).params)
    assert params["w"].addressable_shards[0].data.size == 64 * 32 // 8

    def gathered(dtype):
        compiled = jax.jit(lambda p: gc.gather_params(tx, p, dtype)).lower(params).compile()
        return compiled(params)["w"], aot.collectives(aot.Program(compiled.as_text()))

    whole, (gather,) = gathered(None)
    assert gather.kind == "all-gather" and gather.result_bytes == 4 * 64 * 32
    assert whole.sharding.is_fully_replicated and (whole == values).all()
    narrow, (gather,) = gathered(jnp.bfloat16)
    assert narrow.dtype == jnp.bfloat16 and (narrow == values.astype(jnp.bfloat16)).all()
    # XLA for CPU has no gather of bfloat16 and moves the rounded numbers as float32. What it is given: a cast
    # of the part, and a gather of that; on an automatic mesh it would cast what it has gathered.
    text = jax.jit(lambda p: gc.gather_params(tx, p, jnp.bfloat16)).lower(params).as_text()
    first, second = (line for line in text.splitlines() if "sharding_constraint" in line)
    assert "bf16" in first and '{"data"}' in first
    assert "bf16" in second and '{"data"}' not in second


def test_gather_params_without_zero():
    with pytest.raises(ValueError, match=r"gather_params: scale_by_adam has no zero\(...\) in it"):
        gc.gather_params(gc.scale_by_adam(), {"w": jnp.ones(3)})


@pytest.mark.parametrize(
    "around", [lambda tx: gc.accumulate(tx, 2), gc.skip, lambda tx: gc.chain(gc.skip(tx), gc.scale(2.0))]
)
def test_zero_within_what_runs_it_in_some_steps_only(around):
    """On an automatic mesh XLA would keep the parameters as it likes; zero goes outside."""
    params = {"w": leaf(abstract(explicit=False, data=8))}
    with pytest.raises(gc.LayoutError, match=r"some steps only.*Put zero outside: zero\((accumulate|skip)"):
        gc.layout(around(adam()), params)
    gc.layout(around(adam()), {"w": leaf(abstract(data=8))})  # types hold it
    gc.layout(around(adam(stage=3)), params)
    gc.layout(gc.zero(around(gc.scale_by_adam())), params)
