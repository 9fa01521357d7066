"""gc.init on meshes that are not the current one: a trace says of a new array nothing of the mesh."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import gradchain as gc

KINDS = (AxisType.Explicit, AxisType.Auto)


@pytest.mark.parametrize("kinds", [*itertools.product(KINDS, KINDS)])
def test_init_on_a_mesh_that_is_not_set(kinds):
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=kinds)
    kernel = jax.device_put(jnp.ones((8, 4)), NamedSharding(mesh, PartitionSpec("data", "model")))
    bias = jax.device_put(jnp.ones(4), NamedSharding(mesh, PartitionSpec("model")))
    params = {"kernel": kernel, "bias": bias}
    for tx in (gc.adamw(1e-3), gc.average(gc.adafactor(1e-3, min_dim_size_to_factor=2))):
        state = gc.init(tx, params)
        assert jax.tree.map(lambda x: x.sharding, state) == gc.layout(tx, params).shardings()
        for x, y in zip(jax.tree.leaves(state), jax.tree.leaves(tx.init(params)), strict=True):
            np.testing.assert_array_equal(x, y)
    assert gc.init(gc.adamw(1e-3), params)["scale_by_adam"].mu["kernel"].sharding == kernel.sharding
