"""Parameters, states and comparisons that the tests of checkpoints share."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import gradchain as gc

SHAPES = {"encoder": {"kernel": (8, 16), "bias": (16,)}, "head": {"kernel": (16, 8)}}
PARAMS = {
    "encoder": {"kernel": jnp.linspace(-1, 1, 128).reshape(8, 16), "bias": jnp.linspace(0, 1, 16)},
    "head": {"kernel": jnp.linspace(1, -1, 128).reshape(16, 8)},
}
ADAMW = gc.adamw(1e-3)
CLIPPED = gc.chain(gc.clip_by_global_norm(1.0), ADAMW)


def random_like(tree, seed=0):
    """A tree of the same arrays with other values, in the same places."""
    rng = np.random.default_rng(seed)

    def other(x):
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            return jax.random.key(int(rng.integers(1 << 30)))
        values = (
            rng.normal(size=x.shape) if jnp.issubdtype(x.dtype, jnp.inexact) else rng.integers(0, 2, x.shape)
        )
        return jax.device_put(jnp.asarray(values).astype(x.dtype), x.sharding)

    return jax.tree.map(other, tree)


def trained(tx, params=None, steps=3):
    """Parameters and state after some steps."""
    params = PARAMS if params is None else params
    state, do = tx.init(params), jax.jit(tx.step)
    for i in range(steps):
        grads = jax.tree.map(lambda x, i=i: (x * (i + 1)).astype(x.dtype), params)
        params, state = do(grads, state, params)
    return params, state


def same_bits(found, expected):
    """The same structure, dtypes and bits."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert isinstance(a, jax.Array) and (a.dtype, a.shape) == (b.dtype, b.shape)
        assert getattr(a, "weak_type", False) == getattr(b, "weak_type", False)
        a, b = (jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x for x in (a, b))
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def same_places(found, expected):
    """Every array where the other one is."""
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.sharding.is_equivalent_to(b.sharding, a.ndim), (a.sharding, b.sharding)


def on_mesh(params, shape, specs, axes=AxisType.Auto):
    """The parameters on a mesh of some of the devices: "dm" splits the first two axes over data and model."""
    names = ("data", "model")[: len(shape)]
    devices = jax.devices()[: int(np.prod(shape))]
    mesh = jax.make_mesh(shape, names, axis_types=(axes,) * len(shape), devices=devices)

    def put(x):
        spec = specs if x.ndim == 2 else PartitionSpec(*specs[1:2])
        return jax.device_put(x, NamedSharding(mesh, spec))

    return jax.tree.map(put, params)


def abstract(params):
    """Shapes, dtypes and places without values."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), params)


def says(error, *words):
    text = str(error.value)
    missing = [w for w in words if w not in text]
    assert not missing, f"{missing} not in {text!r}"
