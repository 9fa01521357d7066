"""The update of an optimizer as a program for a mesh: what a device runs when it has its own gradients."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gradchain.aot.targets import Compiled, Target
from gradchain.core import place
from gradchain.core.transform import Transform
from gradchain.sharding.layout import Layout, layout
from gradchain.sharding.mesh import make_mesh
from gradchain.sharding.microbatch import microbatch_grad
from gradchain.sharding.split import ShardingWarning

PyTree = Any


@dataclasses.dataclass(frozen=True)
class Update:
    """A compiled update, what went into it, and what was warned of on the way."""

    tx: Transform
    mesh: Mesh
    layout: Layout
    params: PyTree  # ShapeDtypeStructs, where they are between steps
    compiled: Compiled
    warned: tuple[str, ...]


def mesh_of(target: Target, axes: Mapping[str, int] | None = None, model: int = 1) -> Mesh:
    """A mesh of a target's devices: of these axes, or as `make_mesh` has it."""
    if not axes and target.name == "cpu" and model == 1 and len(target.shape) > 1:
        axes = {f"data{i}": n for i, n in enumerate(target.shape)}  # as if it were a torus
    if not axes:
        return make_mesh(model, devices=target.devices)
    if math.prod(axes.values()) != len(target.devices):
        have = " x ".join(f"{name} {n}" for name, n in axes.items())
        raise ValueError(f"a mesh of {have} is not the {len(target.devices)} devices of {target.topology}")
    from jax.experimental import mesh_utils

    grid = mesh_utils.create_device_mesh(
        list(axes.values()), list(target.devices), allow_split_physical_axes=True
    )
    return Mesh(grid, tuple(axes))


def update(tx: Transform, params: PyTree, batch: tuple[str, ...], target: Target) -> Update:
    """Compile the update of parameters on a mesh, each device with the gradient of its part of the batch."""
    mesh = jax.tree.leaves(params)[0].sharding.mesh
    whole = NamedSharding(mesh, PartitionSpec())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ShardingWarning)
        found = layout(tx, params)
        params = jax.tree.map(lambda x, home: _at(x, home or x.sharding), params, found.params)
        state = jax.tree.map(lambda s: _at(s, s.sharding or whole), found.slots)
        local = jax.tree.map(lambda x: _local(x, batch), params)
        extra = {name: _at(jax.ShapeDtypeStruct((), jnp.float32), whole) for name in sorted(tx.body.needs)}
        compiled = target.compile(step_of(tx, batch), params, state, local, extra, donate=(0, 1))
    warned = (str(w.message) for w in caught if issubclass(w.category, ShardingWarning))
    return Update(tx, mesh, found, params, compiled, tuple(dict.fromkeys((*found.notes, *warned))))


def step_of(tx: Transform, batch: tuple[str, ...]) -> Callable:
    """(params, state, local, extra) -> (params, state), as a training step from its backward pass on.

    `local` are the devices' gradients, one after the other along their first axis, so that each lies as its
    parameter does: the batch of a loss that is linear in the parameters.
    """

    def loss(params, local):
        parts = jax.tree.map(lambda p, g: jnp.sum(p * g.reshape(p.shape)), params, local)
        return sum(x.real for x in jax.tree.leaves(parts))

    def step(params, state, local, extra):
        grads = microbatch_grad(loss, optimizer=tx, axis=batch)(params, local)
        return tx.step(grads, state, params, **extra)

    return step


def whole_of(x: jax.ShapeDtypeStruct, batch: tuple[str, ...]) -> place.Split:
    """How the gradient of a parameter is split before it is summed: not over the axes of the batch."""
    split = place.split_of(x.sharding.spec, len(x.shape))
    return tuple(tuple(n for n in names if n not in batch) for names in split)


def _at(x: Any, sharding: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)


def _local(x: jax.ShapeDtypeStruct, batch: tuple[str, ...]) -> jax.ShapeDtypeStruct:
    mesh = x.sharding.mesh
    n = math.prod(mesh.shape[name] for name in batch)
    first, *rest = whole_of(x, batch) or ((),)
    shape = (n * x.shape[0], *x.shape[1:]) if x.shape else (n,)
    return jax.ShapeDtypeStruct(shape, x.dtype, sharding=place.at(mesh, ((*batch, *first), *rest)))
