"""On a mesh, with automatic or explicit axes: the state is where its slots say, the result the same."""

import contextlib

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from law import declares, every, make, near, problem, run, step

from gradchain.core.slots import Slot

SHAPES = {"dense": {"kernel": (8, 4), "bias": (4,)}}
SPECS = {"dense": {"kernel": PartitionSpec("data", "model"), "bias": PartitionSpec("model")}}
SAID = {"**/kernel": (None, "model"), "**/bias": ("model",)}  # whole over the data axis, which others take
ULPS = 64  # reductions over devices add in another order


def expected_spec(slot: Slot) -> PartitionSpec:
    """Where an array of state belongs: along the axes of its parameter, whole along new ones."""
    if slot.leaf is None or not slot.shape:
        return PartitionSpec()
    spec = tuple(slot.leaf.array.sharding.spec)
    spec += (None,) * (len(slot.leaf.shape) - len(spec))
    return PartitionSpec(*(None if a is None else spec[a] for a in slot.axes))


def placed(state, tx, params, mesh) -> None:
    slots = jax.tree.leaves(tx.slots(params), is_leaf=lambda x: isinstance(x, Slot))
    for (path, x), slot in zip(jax.tree_util.tree_flatten_with_path(state)[0], slots, strict=True):
        if slot.leaf is None:
            continue  # of another library: nothing is known
        want = NamedSharding(mesh, expected_spec(slot), memory_kind=slot.memory)
        where = jax.tree_util.keystr(path)
        assert x.sharding.is_equivalent_to(want, x.ndim), (
            f"{where} is at {x.sharding}, its slot says {want.spec}"
        )


@every
@pytest.mark.parametrize("axes", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def test_sharded_like_its_slots(name, axes):
    says = declares(name, "specs")
    tx = make(name, specs=SAID) if says else make(name)
    specs = {"dense": {k.removeprefix("**/"): PartitionSpec(*s) for k, s in SAID.items()}} if says else SPECS
    params, grads = problem(shapes=SHAPES)
    expected, _ = run(jax.jit(step(tx)), tx.init(params), params, grads)

    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(axes, axes))
    put = lambda tree: jax.tree.map(lambda x, s: jax.device_put(x, NamedSharding(mesh, s)), tree, specs)  # noqa: E731
    params, grads = put(params), [put(g) for g in grads]
    with jax.set_mesh(mesh) if axes is AxisType.Explicit else contextlib.nullcontext():
        state = tx.init(params)
        placed(state, tx, params, mesh)
        do = jax.jit(step(tx))
        for g in grads:
            after, state = do(g, state, params)
            placed(state, tx, params, mesh)
            for x, p in zip(jax.tree.leaves(after), jax.tree.leaves(params), strict=True):
                assert x.sharding.is_equivalent_to(p.sharding, p.ndim)
            params = after
        assert do._cache_size() == 1, "the state that comes out is compiled for again"
    near(jax.tree.map(np.asarray, params), expected, ULPS)
