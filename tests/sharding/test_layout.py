"""layout and init: where each array of state lies, and what of it is on a device."""

import contextlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh, AxisType, NamedSharding, PartitionSpec, SingleDeviceSharding

import gradchain as gc
from gradchain.core import place, slots
from gradchain.core.slots import Slot

P = PartitionSpec
TYPED = AbstractMesh((4, 2), ("data", "model"), axis_types=(AxisType.Explicit,) * 2)
SHAPES = {"dense": {"kernel": (8, 4), "bias": (4,)}, "layers": {"kernel": (2, 8, 4)}}
SPECS = {
    "dense": {"kernel": P("data", "model"), "bias": P("model")},
    "layers": {"kernel": P(None, "data", "model")},
}


def shaped(mesh, dtype=jnp.float32):
    """The parameters, abstract, on a mesh."""
    return jax.tree.map(
        lambda spec, shape: jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(mesh, spec)),
        SPECS,
        SHAPES,
        is_leaf=lambda x: isinstance(x, PartitionSpec),
    )


def arrays(mesh):
    """The parameters on a mesh."""
    make = lambda x: jax.device_put(jnp.linspace(-1, 1, x.size).reshape(x.shape), x.sharding)  # noqa: E731
    return jax.tree.map(make, shaped(mesh))


def table(found) -> dict[str, Any]:
    """The spec of each row by path, without the whole dimensions at its end."""
    return {row.path: tuple(place.spec_of(place.split_of(row.spec, len(row.shape)))) for row in found.rows}


# What they say of each kind of state. ----------------------------------------------------------------------


class Factors(NamedTuple):
    left: Any  # [m, m] for each matrix
    right: Any  # [n, n]


class Basis(NamedTuple):
    basis: Any  # [m, 2], along the rows of each matrix
    history: Any  # [3, ...] of each leaf


@pytest.fixture(scope="module", autouse=True)
def custom():
    """Two transforms with state of other shapes than their parameters', registered for this file."""

    def kronecker():
        right = lambda p: slots.gram(p, 1)  # noqa: E731
        return gc.leafwise(
            Factors, lambda g, s: (g, s), where="**/kernel", left=lambda p: slots.gram(p, 0), right=right
        )

    def low_rank():
        thin = lambda p: Slot((p.shape[0], 2), jnp.float32, (0, None), leaf=p)  # noqa: E731
        return gc.leafwise(
            Basis, lambda g, s: (g, s), basis=thin, history=lambda p: slots.stack(3, slots.zeros(p))
        )

    before = dict(gc.REGISTRY)
    yield {"kronecker": gc.transform()(kronecker), "low_rank": gc.transform()(low_rank)}
    gc.REGISTRY.clear()
    gc.REGISTRY.update(before)


MATRIX, BIAS = ("data", "model"), ("model",)


def moments(link, *fields):
    leaves = {"dense/kernel": MATRIX, "dense/bias": BIAS, "layers/kernel": (None, *MATRIX)}
    return {f"{link}/{f}/{path}": spec for f in fields for path, spec in leaves.items()}


CASES = {
    "moments": (
        lambda _: gc.scale_by_adam(),
        {"scale_by_adam/count": (), **moments("scale_by_adam", "mu", "nu")},
    ),
    "rows and columns": (
        lambda _: gc.scale_by_factored_rms(min_dim_size_to_factor=2),
        {
            "scale_by_factored_rms/v_row/dense/kernel": ("data",),
            "scale_by_factored_rms/v_col/dense/kernel": ("model",),
            "scale_by_factored_rms/v/dense/bias": BIAS,
            "scale_by_factored_rms/v_row/layers/kernel": (None, "data"),
            "scale_by_factored_rms/v_col/layers/kernel": (None, "model"),
        },
    ),
    "Kronecker factors": (
        lambda made: gc.masked(made["kronecker"](), "dense/kernel"),
        {"kronecker/left/dense/kernel": ("data",), "kronecker/right/dense/kernel": ("model",)},
    ),
    "low rank, history": (
        lambda made: made["low_rank"](),
        {
            "low_rank/basis/dense/kernel": ("data",),
            "low_rank/basis/dense/bias": ("model",),
            "low_rank/history/dense/kernel": (None, "data", "model"),
            "low_rank/history/dense/bias": (None, "model"),
            "low_rank/history/layers/kernel": (None, None, "data", "model"),
        },
    ),
    "8 bits": (
        lambda _: gc.stored(gc.scale_by_adam(), "log8", min_size=0),
        {"stored/count": (), **moments("scale_by_adam", "mu", "nu")},
    ),
    "8 bits in blocks": (
        lambda _: gc.stored(gc.scale_by_adam(), {"mu": gc.codecs.int8(block=2)}, min_size=0),
        {
            **moments("scale_by_adam", "mu", "nu"),
            "scale_by_adam/mu_scale/dense/kernel": MATRIX,  # two blocks, one on each device
        },
    ),
    "8 bits in blocks that devices share": (
        lambda _: gc.stored(gc.scale_by_adam(), {"mu": gc.codecs.int8(block=4)}, min_size=0),
        {**moments("scale_by_adam", "mu", "nu"), "scale_by_adam/mu_scale/dense/kernel": ("data",)},
    ),
    "masked": (
        lambda _: gc.masked(gc.scale_by_adam(), "dense/*"),
        {
            "scale_by_adam/count": (),
            **{k: v for k, v in moments("scale_by_adam", "mu", "nu").items() if "layers" not in k},
        },
    ),
    "a wrapper's own": (
        lambda _: gc.accumulate(gc.average(gc.scale(0.1)), 2),
        {**moments("accumulate", "acc_grads"), "accumulate/mini_step": ()},
    ),
    "another library's": (
        lambda _: gc.chain(pytest.importorskip("optax").scale_by_adam()),
        {"scale_by_adam/count": (), **moments("scale_by_adam", "mu", "nu")},
    ),
}  # fmt: skip


def on_a_device(state) -> int:
    """Bytes of the state that the first device holds, counted on the arrays."""
    first = jax.devices()[0]
    return sum(
        s.data.nbytes for x in jax.tree.leaves(state) for s in x.addressable_shards if s.device == first
    )


@pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
@pytest.mark.parametrize("name", CASES)
def test_layout_of(name, explicit, custom):
    """The specs by hand, the same for arrays and structs; init makes what layout says, byte for byte."""
    make, expected = CASES[name]
    tx, mesh = make(custom), gc.make_mesh(2, explicit=explicit)
    params = arrays(mesh)
    found = gc.layout(tx, params)
    specs = table(found)
    assert {path: specs[path] for path in expected} == {
        path: tuple(place.spec_of([(n,) if n else () for n in spec])) for path, spec in expected.items()
    }
    assert table(gc.layout(tx, shaped(mesh))) == specs

    state = gc.init(tx, params)
    for x, sharding in zip(jax.tree.leaves(state), jax.tree.leaves(found.shardings()), strict=True):
        assert not isinstance(x.sharding, SingleDeviceSharding)
        assert x.sharding == sharding
    assert found.bytes_per_device() == on_a_device(state)
    assert found.total_bytes == sum(x.nbytes for x in jax.tree.leaves(state))
    jax.tree.map(np.testing.assert_array_equal, state, jax.tree.map(np.asarray, tx.init(params)))


def test_parameters_of_flax_nnx():
    nnx = pytest.importorskip("flax.nnx")

    def model():
        init = nnx.with_partitioning(nnx.initializers.zeros, (None, "model"))
        return nnx.Linear(16, 32, kernel_init=init, rngs=nnx.Rngs(0))

    for explicit in (False, True):
        _, params = nnx.get_abstract_model(model, gc.make_mesh(2, explicit=explicit))
        found = gc.layout(gc.scale_by_adam(), params)
        assert table(found)["scale_by_adam/nu/kernel"] == (None, "model")
        assert table(found)["scale_by_adam/nu/bias"] == ()
        assert found.bytes_per_device() == 4 + 2 * 4 * (16 * 32 // 2 + 32)


def test_parameters_of_flax_linen():
    nn = pytest.importorskip("flax.linen")
    init = nn.with_partitioning(nn.initializers.zeros, (None, "model"))
    model = nn.Dense(32, kernel_init=init)
    boxed = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, 16)))
    for explicit in (False, True):
        mesh = gc.make_mesh(2, explicit=explicit)
        params = jax.tree.map(
            lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
            nn.meta.unbox(boxed),
            nn.get_sharding(boxed, mesh),
        )
        specs = table(gc.layout(gc.scale_by_adam(), params["params"]))
        assert specs["scale_by_adam/mu/kernel"] == (None, "model") and specs["scale_by_adam/mu/bias"] == ()


# What one may do with a layout, and what is wrong with one. -------------------------------------------------


def test_on_another_mesh():
    found = gc.layout(gc.scale_by_adam(), shaped(gc.make_mesh(2)))
    other = jax.make_mesh((2, 2), ("model", "data"), devices=jax.devices()[:4])
    there = found.shardings(other)["scale_by_adam"].mu["dense"]["kernel"]
    assert there == NamedSharding(other, P("data", "model"))
    with pytest.raises(ValueError, match="no axis 'model', over which the state is split; it has 'data'"):
        found.shardings(jax.make_mesh((8,), ("data",)))


def test_without_a_mesh():
    params = jax.tree.map(np.asarray, arrays(gc.make_mesh(2)))
    params = jax.tree.map(jnp.asarray, params)
    found = gc.layout(gc.scale_by_adam(), params)
    assert all(row.spec is None for row in found.rows) and jax.tree.leaves(found.shardings()) == []
    assert found.bytes_per_device() == found.total_bytes
    jax.tree.map(
        np.testing.assert_array_equal, gc.init(gc.scale_by_adam(), params), gc.scale_by_adam().init(params)
    )


def test_table():
    params = {
        "w": jax.ShapeDtypeStruct((64, 32), jnp.float32, sharding=NamedSharding(TYPED, P(None, "model")))
    }
    found = gc.layout(gc.chain(gc.scale_by_adam(), gc.scale(-0.1)), params)
    assert (
        found.table()
        == repr(found)
        == (
            "state                shape     dtype    spec              memory     bytes  on a device\n"
            "---------------------------------------------------------------------------------------\n"
            "scale_by_adam/count  []        int32    P()               device       4 B          4 B\n"
            "scale_by_adam/mu/w   [64, 32]  float32  P(None, 'model')  device   8.0 KiB      4.0 KiB\n"
            "scale_by_adam/nu/w   [64, 32]  float32  P(None, 'model')  device   8.0 KiB      4.0 KiB\n"
            "---------------------------------------------------------------------------------------\n"
            "total                3 arrays                                     16.0 KiB      8.0 KiB"
        )
    )
    assert found.rows[1].param == "w" and found.rows[0].param == ""


def large(spec):
    """A parameter whose Kronecker factors are of 4 MiB."""
    return {"kernel": jax.ShapeDtypeStruct((1024, 1024), jnp.float32, sharding=NamedSharding(TYPED, spec))}


def test_a_large_array_that_stays_whole_is_an_error(custom):
    tx = custom["kronecker"]()
    assert gc.layout(tx, large(P("data", "model"))).bytes_per_device() == 4 * 1024 * 1024 * (1 / 4 + 1 / 2)
    with pytest.raises(
        gc.LayoutError, match=r"'kronecker/right/kernel', float32\[1024, 1024\], 4.0 MiB, lies"
    ):
        gc.layout(tx, large(P("data")))
    with pytest.raises(gc.LayoutError, match=r"parameter is split as .*'data'"):
        gc.layout(tx, large(P("data")), replicated="kronecker/left/**")
    found = gc.layout(tx, large(P("data")), replicated="kronecker/right/**")
    assert table(found)["kronecker/right/kernel"] == ()
    assert gc.layout(tx, large(P())).bytes_per_device() == 8 * 1024 * 1024  # as the parameter: as asked for
    with pytest.raises(ValueError, match="matches none of"):
        gc.layout(tx, large(P("data")), replicated="right/**")


def test_init_needs_values():
    with pytest.raises(gc.LayoutError, match="has no values; layout"):
        gc.init(gc.scale_by_adam(), shaped(gc.make_mesh(2)))


def test_init_under_a_mesh_that_is_set():
    mesh = gc.make_mesh(2, explicit=True)
    for context in (contextlib.nullcontext(), jax.set_mesh(mesh)):
        with context:
            state = gc.init(gc.adamw(1e-3), arrays(mesh))
        assert all(isinstance(x.sharding, NamedSharding) for x in jax.tree.leaves(state))
