"""offload: the same numbers with state in the host's memory, wherever it is put; what it is told wrong."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

import gradchain as gc
from gradchain.core import place
from gradchain.core.slots import Slot

HOST = "pinned_host"
SHAPES = {"embedding": (64, 32), "layers": {"kernel": (2, 32, 48), "bias": (2, 48)}, "scale": (32,)}


def random(seed):
    rng = np.random.default_rng(seed)
    draw = lambda shape: jnp.asarray(rng.standard_normal(shape), jnp.float32)  # noqa: E731
    return jax.tree.map(draw, SHAPES, is_leaf=lambda x: isinstance(x, tuple))


def loss(params, x):
    hidden = x @ params["embedding"] * params["scale"]
    for kernel, bias in zip(params["layers"]["kernel"], params["layers"]["bias"], strict=True):
        hidden = hidden + jnp.tanh(hidden @ kernel + bias) @ kernel.T
    return jnp.mean(hidden**2)


def train(tx, put, steps=4):
    """Losses, parameters and state; the step donates, and is compiled once."""
    params = put(random(0))
    state = gc.init(tx, params)
    x = put({"x": jnp.asarray(np.random.default_rng(9).standard_normal((8, 64)), jnp.float32)})["x"]

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params, state, x):
        value, grads = jax.value_and_grad(loss)(params, x)
        params, state = tx.step(grads, state, params)
        return params, state, value

    losses = []
    for _ in range(steps):
        old = [y for y in jax.tree.leaves((params, state)) if y.size > 1]
        params, state, value = step(params, state, x)
        assert all(y.is_deleted() for y in old)
        losses.append(float(value))
    assert step._cache_size() == 1
    return losses, params, state


def one_device(tree):
    return jax.device_put(tree, jax.devices()[0])  # committed to it, as what is in the host's memory is


def on_mesh(explicit):
    mesh = gc.make_mesh(explicit=explicit)
    return lambda tree: jax.tree.map(lambda x: jax.device_put(x, place.at(mesh, ((),) * x.ndim)), tree)


PLACES = {"one device": one_device, "auto": on_mesh(False), "explicit": on_mesh(True)}


def memories(state) -> dict[str, str]:
    leaves = jax.tree.leaves(state)
    return {p: x.sharding.memory_kind for p, x in zip(gc.tree.paths(state), leaves, strict=True)}


def away(state) -> set[str]:
    return {path for path, kind in memories(state).items() if kind == HOST}


def adamw():
    return gc.adamw(1e-2)


OPTIMIZERS = {
    "adamw": (adamw, lambda tx: gc.offload(tx, min_size=64, group_bytes=0)),
    "nu": (adamw, lambda tx: gc.offload(tx, "nu", min_size=0, group_bytes=2**14)),
    "clip": (
        lambda: gc.chain(gc.clip_by_global_norm(0.5), gc.adamw(1e-2)),
        lambda tx: gc.offload(tx, min_size=0, group_bytes=0),
    ),
    "log8": (
        lambda: gc.stored(adamw(), "log8", min_size=0),
        lambda tx: gc.offload(tx, min_size=0, group_bytes=0),
    ),
    "around the chain's middle": (
        lambda: gc.chain(gc.clip(0.1), gc.scale_by_adam(), gc.scale(-0.01)),
        lambda tx: gc.chain(gc.clip(0.1), gc.offload(gc.scale_by_adam(), min_size=0), gc.scale(-0.01)),
    ),
    "masked": (
        lambda: gc.chain(gc.masked(gc.scale_by_adam(), "**/kernel"), gc.scale(-0.01)),
        lambda tx: gc.offload(tx, min_size=0, group_bytes=0),
    ),
    "inside a mask": (
        lambda: gc.chain(gc.masked(gc.scale_by_adam(), "layers/**"), gc.scale(-0.01)),
        lambda tx: gc.chain(
            gc.masked(gc.offload(gc.scale_by_adam(), min_size=0), "layers/**"), gc.scale(-0.01)
        ),
    ),
    "inside accumulate": (
        lambda: gc.accumulate(adamw(), 2),
        lambda tx: gc.accumulate(gc.offload(adamw(), min_size=0, group_bytes=0), 2),
    ),
    "around accumulate": (
        lambda: gc.accumulate(adamw(), 2),
        lambda tx: gc.offload(tx, min_size=0, group_bytes=0),
    ),
    "average": (lambda: gc.average(adamw(), decay=0.9), lambda tx: gc.offload(tx, "average/*", min_size=0)),
}  # fmt: skip


QUICK = {("adamw", "auto"), ("adamw", "explicit"), ("clip", "one device"), ("log8", "explicit")}
QUICK |= {("inside accumulate", "auto"), ("masked", "explicit"), ("average", "explicit")}
EVERYWHERE = ("adamw", "clip", "inside accumulate")


@pytest.mark.parametrize(
    ("name", "where"),
    [
        pytest.param(name, at, marks=() if (name, at) in QUICK else pytest.mark.slow)
        for name in OPTIMIZERS
        for at in (PLACES if name in EVERYWHERE else ["explicit"])
    ],
)
def test_losses_are_bit_equal(name, where):
    make, wrap = OPTIMIZERS[name]
    losses, params, state = train(make(), PLACES[where])
    found, after, kept = train(wrap(make()), PLACES[where])
    assert found == losses and found[-1] != found[0]
    jax.tree.map(np.testing.assert_array_equal, after, params)
    values = dict(zip(gc.tree.paths(state), jax.tree.leaves(state), strict=True))
    for path, x in zip(gc.tree.paths(kept), jax.tree.leaves(kept), strict=True):
        np.testing.assert_array_equal(x, values[path])
    assert away(kept)


@pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
@pytest.mark.parametrize(
    "wrap", [lambda tx, z, o: z(o(tx)), lambda tx, z, o: o(z(tx))], ids=["zero(offload)", "offload(zero)"]
)
def test_with_zero(wrap, explicit):
    tx = wrap(adamw(), lambda t: gc.zero(t, min_size=0), lambda t: gc.offload(t, min_size=64, group_bytes=0))
    losses, params, state = train(gc.zero(adamw(), min_size=0), on_mesh(explicit))
    found, after, kept = train(tx, on_mesh(explicit))
    assert found == losses
    jax.tree.map(np.testing.assert_array_equal, (after, kept), (params, state))
    moments = {
        p: x for p, x in zip(gc.tree.paths(kept), jax.tree.leaves(kept), strict=True) if "/embedding" in p
    }
    assert set(moments) <= away(kept) and len(moments) == 2
    assert all(x.addressable_shards[0].data.size * 8 == x.size for x in moments.values())
    assert jax.tree.map(lambda x: x.sharding, kept) == gc.layout(tx, after).shardings()


def test_layout_names_the_memory():
    mesh = gc.make_mesh(2)
    params = {
        "w": jax.ShapeDtypeStruct((256, 64), jnp.float32, sharding=NamedSharding(mesh, P("data", "model")))
    }
    found = gc.layout(gc.offload(gc.scale_by_adam(), "nu", min_size=0), params)
    assert {row.path: row.memory for row in found.rows} == {
        "scale_by_adam/count": "device", "scale_by_adam/mu/w": "device", "scale_by_adam/nu/w": HOST
    }  # fmt: skip
    assert found.shardings()["scale_by_adam"].nu["w"].memory_kind == HOST and HOST in found.table()


# Which arrays are chosen. ----------------------------------------------------------------------------------

MU, NU = "scale_by_adam/mu/", "scale_by_adam/nu/"
LEAVES = ("embedding", "layers/bias", "layers/kernel", "scale")


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("**", {f + leaf for f in (MU, NU) for leaf in LEAVES}),
        ("mu", {MU + leaf for leaf in LEAVES}),
        ("scale_by_adam/nu", {NU + leaf for leaf in LEAVES}),
        ("nu/**/kernel", {NU + "layers/kernel"}),
        (["mu/scale", "scale_by_adam/nu/layers/*"], {MU + "scale", NU + "layers/bias", NU + "layers/kernel"}),
        (lambda path, slot: path.endswith("bias") and slot.positive, {NU + "layers/bias"}),
    ],
)
def test_selection(select, expected):
    tx = gc.offload(adamw(), select, min_size=0)
    params = random(0)
    slots = jax.tree.leaves(tx.slots(params), is_leaf=lambda x: isinstance(x, Slot))
    assert {p for p, s in zip(gc.tree.paths(tx.slots(params)), slots, strict=True) if s.memory} == expected
    assert away(tx.init(params)) == away(gc.init(tx, params)) == away(jax.jit(tx.init)(params)) == expected


def test_parts_of_a_stored_field_go_with_it():
    tx = gc.offload(
        gc.stored(gc.scale_by_adam(), {"mu": gc.codecs.int8(block=8)}, min_size=0), "mu", min_size=0
    )
    found = away(tx.init(random(0)))
    assert "scale_by_adam/mu_scale/embedding" in found and not any("/nu" in path for path in found)


def test_small_arrays_stay():
    assert away(gc.offload(adamw(), min_size=64 * 32).init(random(0))) == {
        f + leaf for f in (MU, NU) for leaf in ("embedding", "layers/kernel")
    }


def test_nothing_large_enough_is_warned_of():
    tx, params = gc.offload(adamw()), random(0)
    with pytest.warns(gc.ShardingWarning, match=r"offload: no array of state that '\*\*' matches has 16384"):
        jax.eval_shape(tx.step, params, tx.init(params), params)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"offload: 'mv' matches no state of adamw; it has 'mu'"):
        gc.offload(adamw(), "mv").init(random(0))
    for name in ("min_size", "group_bytes"):
        with pytest.raises(ValueError, match=f"offload: {name} is -1; expected a whole number"):
            gc.offload(adamw(), **{name: -1})
    assert gc.offload(adamw(), "nu") == gc.from_config(gc.to_config(gc.offload(adamw(), "nu")))


# How it is streamed. ---------------------------------------------------------------------------------------


def test_each_group_waits_for_the_one_before():
    """Ten leaves are brought, computed and stored; then a barrier on what was stored, and ten more."""
    params = {
        f"layer{i}": jnp.ones((8, 8)) for i in range(100)
    }  # more than 64 alike: the engine takes blocks
    tx = gc.offload(adamw(), min_size=0, group_bytes=2 * 8 * 8 * 4 * 10)
    shown = ""
    for eqn in jax.make_jaxpr(tx.step)(params, tx.init(params), params).eqns:
        if eqn.primitive.name == "device_put":
            shown += "in " if eqn.params["devices"][0] == jax.memory.Space.Device else "out "
        elif eqn.primitive.name == "custom_jvp_call":  # a barrier that has a derivative
            assert "optimization_barrier" in str(eqn)
            shown += "| "
    groups = [group.split() for group in shown.split("|")]
    assert [sorted(group) for group in groups] == [20 * ["in"] + 20 * ["out"]] * 10


def test_another_librarys_state():
    optax = pytest.importorskip("optax")
    tx = gc.offload(gc.chain(optax.scale_by_adam(), gc.scale(-0.01)), min_size=0, group_bytes=0)
    losses, _, _ = train(gc.chain(optax.scale_by_adam(), gc.scale(-0.01)), on_mesh(True))
    found, _, kept = train(tx, on_mesh(True))
    assert found == losses and len(away(kept)) == 8
