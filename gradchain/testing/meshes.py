"""On a mesh, with automatic or explicit axes: the state is where its slots say, the result the same."""

from __future__ import annotations

import contextlib

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from gradchain.core import tree
from gradchain.core.slots import Slot
from gradchain.testing.compare import near, require
from gradchain.testing.law import law, laws_in, once
from gradchain.testing.subjects import Subject

ULPS = 64  # reductions over devices add in another order
ALONE = "there is one device: set XLA_FLAGS=--xla_force_host_platform_device_count=8 before jax is imported"
PLACED = "A slot says along which axes of its parameter its dimensions run: gc.slots.drop, gram, stack."


def several(subject: Subject) -> str:
    """A reason where there are no devices to split over."""
    if subject.declares("specs") and "specs" not in subject.tx.recipe.args:
        return "contains a transform that is told how parameters are split"
    return "" if len(jax.devices()) > 1 else ALONE


def expected_spec(slot: Slot) -> PartitionSpec:
    """Where an array of state belongs: along the axes of its parameter, whole along new ones."""
    if slot.leaf is None or not slot.shape:
        return PartitionSpec()
    spec: tuple = tuple(slot.leaf.array.sharding.spec)
    spec += (None,) * (len(slot.leaf.shape) - len(spec))
    return PartitionSpec(*(None if a is None else spec[a] for a in slot.axes))


def placed(state, tx, params, mesh) -> None:
    """Require that every array of the state is where its slot says."""
    slots = jax.tree.leaves(tx.slots(params), is_leaf=lambda x: isinstance(x, Slot))
    for (path, x), slot in zip(jax.tree_util.tree_flatten_with_path(state)[0], slots, strict=True):
        if slot.leaf is None:
            continue  # of another library: nothing is known
        want = NamedSharding(mesh, expected_spec(slot), memory_kind=slot.memory)
        require(
            x.sharding.is_equivalent_to(want, x.ndim),
            f"the state {jax.tree_util.keystr(path)} is at {x.sharding}; its slot says {want.spec}",
        )


def mesh_of(kind: AxisType) -> jax.sharding.Mesh:
    """A mesh of up to eight devices: (4, 2), (2, 2) or (2, 1)."""
    shape = next(s for s in ((4, 2), (2, 2), (2, 1)) if s[0] * s[1] <= len(jax.devices()))
    return jax.make_mesh(
        shape, ("data", "model"), axis_types=(kind, kind), devices=jax.devices()[: shape[0] * shape[1]]
    )


def split(shape: tuple[int, ...], mesh: jax.sharding.Mesh, over: tuple[str, str]) -> PartitionSpec:
    """Rows over one axis of the mesh and columns over another, where they divide; "" leaves them whole."""
    spec: list[str | None] = [None] * len(shape)
    for place, name in zip((0, -1) if len(shape) > 1 else (0, 0), over, strict=True):
        if name and shape and shape[place] % mesh.shape[name] == 0:
            spec[place] = name
    return PartitionSpec(*spec)


def check_on(subject: Subject, kind: AxisType) -> None:
    """Train on a mesh with axes of this kind."""
    mesh, tx = mesh_of(kind), subject.tx
    params, grads = subject.problem()
    whole = subject.declares("specs")  # over the data axis, which others take
    specs = jax.tree.map(lambda p: split(p.shape, mesh, ("" if whole else "data", "model")), params)
    if whole:
        tx = subject.make(specs=dict(zip(tree.paths(params), jax.tree.leaves(specs), strict=True)))
    expected = subject.jitted[0] if tx is subject.tx else subject.run(params, grads, tx)[0]
    params, *grads = (
        jax.tree.map(lambda x, s: jax.device_put(x, NamedSharding(mesh, s)), t, specs)
        for t in (params, *grads)
    )
    with jax.set_mesh(mesh) if kind is AxisType.Explicit else contextlib.nullcontext():
        state = tx.init(params)
        placed(state, tx, params, mesh)
        do = jax.jit(subject.step(tx))
        for g in grads:
            after, state = do(g, state, params)
            placed(state, tx, params, mesh)
            for x, p in zip(jax.tree.leaves(after), jax.tree.leaves(params), strict=True):
                require(
                    x.sharding.is_equivalent_to(p.sharding, p.ndim),
                    f"a parameter at {p.sharding} is at {x.sharding} after a step",
                )
            params = after
        once(do)
    near(jax.tree.map(np.asarray, params), expected, ULPS)


@law(advice=PLACED, when=several, dear=True)
def sharded_like_its_slots(subject: Subject) -> None:
    """On a mesh with automatic axes the state is where its slots say, and the result is the same."""
    check_on(subject, AxisType.Auto)


@law(advice=PLACED, when=several, dear=True)
def sharded_on_explicit_axes(subject: Subject) -> None:
    """On a mesh with explicit axes the state is where its slots say, and the result is the same."""
    check_on(subject, AxisType.Explicit)


LAWS = laws_in(globals())
