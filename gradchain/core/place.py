"""Where arrays are: their shardings, and moving them from one to another, one mesh axis at a time."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
from jax.core import Tracer
from jax.sharding import AbstractMesh, AxisType, NamedSharding, PartitionSpec

Split = tuple[tuple[str, ...], ...]  # for each dimension of an array the mesh axes it is split over


def of(x: Any) -> NamedSharding | None:
    """Where an array is, concrete, abstract or traced; None if it is on one device, or nothing is known.

    Of a traced array on a mesh with automatic axes only the mesh is known: its spec is empty (`is_blind`).
    """
    found = getattr(jax.typeof(x) if isinstance(x, Tracer) else x, "sharding", None)
    return found if isinstance(found, NamedSharding) and not found.mesh.empty else None


def is_blind(x: Any) -> bool:
    """Whether the spec of an array cannot be known: it is traced, on a mesh with automatic axes."""
    found = of(x) if isinstance(x, Tracer) else None
    return found is not None and AxisType.Auto in found.mesh.axis_types


def is_split(x: Any) -> bool:
    """Whether a traced array is split over a mesh, or may be."""
    found = of(x)
    return found is not None and (is_blind(x) or any(split_of(found.spec, x.ndim)))


def is_typed(sharding: NamedSharding) -> bool:
    """Whether an array can be made with this sharding in its type: no automatic axis of a trace is named."""
    traced = isinstance(sharding.mesh, AbstractMesh) and AxisType.Auto in sharding.mesh.axis_types
    return sharding.memory_kind is None and not (traced and any(split_of(sharding.spec, 0)))


def memory_space(kind: str) -> Any:
    """The memory space in types of a kind of memory."""
    return jax.memory.Space.Host if kind.endswith("host") else jax.memory.Space.Device


def to_space(x: Any, space: Any) -> Any:
    """An array in another memory space; the one that it leaves is named, for derivatives need it."""
    return jax.device_put(x, space, src=jax.typeof(x).memory_space)


def split_of(spec: Iterable[Any], rank: int) -> Split:
    """A spec as one tuple of mesh axes for each dimension."""
    entries = [*getattr(spec, "partitions", spec)]
    entries += [None] * (rank - len(entries))
    return tuple(_names(entry) for entry in entries)


def _names(entry: Any) -> tuple[str, ...]:
    if entry is None or entry is PartitionSpec.UNCONSTRAINED:
        return ()
    return (entry,) if isinstance(entry, str) else tuple(entry)


def spec_of(split: Sequence[Sequence[str]], trim: bool = True) -> PartitionSpec:
    """The spec of a split, without the whole dimensions at its end or with them."""
    entries = [None if not names else names[0] if len(names) == 1 else tuple(names) for names in split]
    while trim and entries and entries[-1] is None:
        entries.pop()
    return PartitionSpec(*entries)


def at(mesh: Any, split: Sequence[Sequence[str]], memory: str | None = None) -> NamedSharding:
    """The sharding that splits an array over a mesh so, written as JAX writes that of a result.

    Another spelling of the same sharding would cost the second step a compilation: types on explicit meshes
    name every dimension, results on automatic ones only those before the last that is split.
    """
    trim = AxisType.Explicit not in mesh.axis_types
    return NamedSharding(mesh, spec_of(split, trim), memory_kind=memory)


def on(mesh: Any, sharding: NamedSharding) -> NamedSharding:
    """The same split over another mesh with axes of these names; ValueError where one is missing."""
    for name in _order(split_of(sharding.spec, 0)):
        if name not in mesh.axis_names:
            axes = ", ".join(map(repr, mesh.axis_names))
            raise ValueError(f"the mesh has no axis {name!r}, over which the state is split; it has {axes}")
    return NamedSharding(mesh, sharding.spec, memory_kind=sharding.memory_kind)


def text_of(spec: PartitionSpec) -> str:
    """A spec as it is written: P('data', None)."""
    return f"P({', '.join(map(repr, spec))})"


def shard_shape(shape: Sequence[int], sharding: NamedSharding | None) -> tuple[int, ...]:
    """The part of an array that one device holds; also for meshes without devices."""
    if sharding is None:
        return tuple(shape)
    sizes = sharding.mesh.shape
    found = []
    for size, names in zip(shape, split_of(sharding.spec, len(shape)), strict=True):
        for name in names:
            size = -(-size // sizes[name])
        found.append(size)
    return tuple(found)


def put(x: Any, to: NamedSharding) -> Any:
    """An array in another place: split further over the axes of `to` one by one, then gathered one by one.

    Over a torus, a reduction or a gather that spans several mesh axes at once is compiled to an all-reduce
    of everything.
    """
    if not isinstance(x, Tracer):
        return x if getattr(x, "sharding", None) == to else jax.device_put(x, to)
    now = of(x)
    if to.memory_kind is not None:
        return to_space(put(x, NamedSharding(to.mesh, to.spec)), memory_space(to.memory_kind))
    if is_blind(x) or now is None:
        return _constrained(x, to)
    if now.spec == to.spec:
        return x
    partial = frozenset(getattr(now.spec, "unreduced", None) or ())  # axes over which a sum is still due
    for split in route(split_of(now.spec, x.ndim), split_of(to.spec, x.ndim)):
        partial -= set(_order(split))
        x = jax.sharding.reshard(x, _summing(at(now.mesh, split), partial))
    return jax.sharding.reshard(x, to) if partial else x


def _constrained(x: Any, to: NamedSharding) -> Any:
    """An array of which the type says nothing, in another place: said for the axes of each kind."""
    kinds = dict(zip(to.mesh.axis_names, to.mesh.axis_types, strict=True))
    split = split_of(to.spec, x.ndim)
    typed, rest = (
        [[n for n in names if (kinds[n] is AxisType.Explicit) == explicit] for names in split]
        for explicit in (True, False)
    )
    if AxisType.Explicit in kinds.values():
        x = jax.sharding.reshard(x, at(to.mesh, typed))
    return jax.lax.with_sharding_constraint(x, at(to.mesh, rest)) if AxisType.Auto in kinds.values() else x


def _summing(sharding: NamedSharding, axes: frozenset[str]) -> NamedSharding:
    """The sharding of an array whose sum over some mesh axes is still due."""
    spec = PartitionSpec(*sharding.spec, unreduced=axes) if axes else sharding.spec
    return NamedSharding(sharding.mesh, spec)


_ARRIVED: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


def arrived(x: Any) -> Any:
    """The array itself, remembered as one that is where it is wanted, although its type does not say so."""
    if is_blind(x):
        _ARRIVED[id(x)] = x
    return x


def whole_along(x: Any, axis: int) -> Any:
    """A traced array, whole along an axis, where its type says that it is split there."""
    now = of(x) if isinstance(x, Tracer) else None
    if now is None or is_blind(x) or not split_of(now.spec, x.ndim)[axis]:
        return x
    return put(x, at(now.mesh, [() if i == axis else s for i, s in enumerate(split_of(now.spec, x.ndim))]))


def put_along(x: Any, start: Split, to: NamedSharding) -> Any:
    """`put` for an array whose split is `start`, of which its type may say nothing."""
    if not is_blind(x) or _ARRIVED.get(id(x)) is x:
        return put(x, to)
    for split in route(start, split_of(to.spec, x.ndim)):
        x = _constrained(x, at(to.mesh, split))
    return x


def route(start: Split, end: Split) -> Iterator[Split]:
    """The splits on the way from one to another, one mesh axis after the other, the last one the end.

    Axes are only added behind those of a dimension, and taken away from behind; another way is one step.
    """
    if start == end:
        return
    common = [_shared(a, b) for a, b in zip(start, end, strict=True)]
    shrinks = [a for a, c in zip(start, common, strict=True) if len(a) > len(c)]
    grows = [b for b, c in zip(end, common, strict=True) if len(b) > len(c)]
    if shrinks and grows:
        yield end
        return
    order = _order(end if grows else start)
    steps = [n for n in order if not any(n in c for c in common)]
    here = list(start)
    if grows:
        for name in steps:
            here = [(*h, name) if name in e else h for h, e in zip(here, end, strict=True)]
            yield tuple(here)
    else:
        for name in reversed(steps):
            here = [tuple(n for n in h if n != name) for h in here]
            yield tuple(here)


def _shared(a: Sequence[str], b: Sequence[str]) -> tuple[str, ...]:
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return tuple(a[:n])


def _order(split: Split) -> list[str]:
    """All mesh axes of a split, dimension after dimension."""
    return [name for names in split for name in names]


def off_mesh() -> Any:
    """A context for small values that belong to no mesh, also where only the shape of one is known."""
    return jax.sharding.use_abstract_mesh(AbstractMesh((), ()))


def varies(x: Any) -> frozenset[str]:
    """The mesh axes along which an array differs from device to device."""
    return jax.typeof(x).manual_axis_type.varying


def varying(x: jax.Array, names: Sequence[str]) -> jax.Array:
    """The array as one that differs from device to device along these mesh axes."""
    missing = tuple(n for n in names if n not in varies(x))
    return jax.lax.pcast(x, missing, to="varying") if missing else x


def varying_like(x: jax.Array, old: jax.Array) -> jax.Array:
    """The array as one that differs along the axes that another one does, as the carry of a loop must."""
    return varying(x, sorted(varies(old)))
