"""Meshes as slices want them: one axis for each axis of the torus that the chips are wired in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh

from gradchain.core import words

# The longest ring of a slice by its number of chips, where chips are wired in two dimensions.
RINGS = {16: 4, 32: 8, 64: 8, 128: 16, 256: 16}
FLAT = 8  # chips of a slice over which one axis still compiles to reduce-scatters


def make_mesh(
    model: int = 1, *, data: str = "data", devices: Sequence[Any] | None = None, explicit: bool = False
) -> Mesh:
    """A mesh of all devices: data axes, one for each axis of the TPU's torus, and "model" if it is above 1.

    A slice of 16 chips and more gets "data0", "data1" (v5p: and "data2"), everything else one axis "data";
    `zero(tx, "data")` and `data_axes` know both. A collective over one long axis laid over a torus would
    be compiled to an all-reduce. `explicit` makes the axes Explicit instead of Auto.
    Raises ValueError where `model` does not divide the slice.
    """
    from jax.experimental import mesh_utils

    if isinstance(model, bool) or not isinstance(model, int) or not isinstance(data, str):
        given = f"model={words.show(model)}" if isinstance(data, str) else f"data={words.show(data)}"
        raise TypeError(
            f'make_mesh: {given}; expected the devices of the axis "model" and the name of the data axis, '
            "which takes all others: make_mesh(model=2). For a mesh of other axes: jax.make_mesh"
        )
    devices = list(jax.devices() if devices is None else devices)
    torus = torus_of(devices)
    if model < 1 or len(devices) % model:
        raise ValueError(f"make_mesh: model={model} does not divide {len(devices)} devices")
    rings = _without(torus, model) if math.prod(torus) > FLAT else [len(devices) // model]
    names = [data] if len(rings) == 1 else [f"{data}{i}" for i in range(len(rings))]
    shape = [*rings, model] if model > 1 else rings
    names += ["model"] if model > 1 else []
    kind = AxisType.Explicit if explicit else AxisType.Auto
    grid = mesh_utils.create_device_mesh(shape, devices, allow_split_physical_axes=True)
    return Mesh(grid, tuple(names), axis_types=(kind,) * len(names))


def _without(torus: Sequence[int], model: int) -> list[int]:
    """The data axes that are left of a torus when model chips, a divisor, are taken out of its last axes."""
    rings = list(torus)
    for i in reversed(range(len(rings))):
        part = math.gcd(rings[i], model)
        rings[i], model = rings[i] // part, model // part
    return [n for n in rings if n > 1] or [1]


def torus_of(devices: Sequence[Any]) -> tuple[int, ...]:
    """The lengths of the axes that TPU chips are wired along; other devices are one axis."""
    places = {tuple(d.coords) for d in devices if getattr(d, "coords", None) is not None}
    if not places or any(d.platform != "tpu" for d in devices) or len(places) < len(devices):
        return (len(devices),)
    spans = [max(axis) - min(axis) + 1 for axis in zip(*places, strict=True)]
    if math.prod(spans) != len(devices):  # some of the chips are left out
        return (len(devices),)
    return tuple(n for n in spans if n > 1) or (1,)


def data_axes(mesh: Any, axis: str | Sequence[str] = "data", who: str = "data_axes") -> tuple[str, ...]:
    """The mesh axes that a name stands for: itself, or "data0", "data1", ... of a mesh without "data".

    `P(data_axes(mesh))` is the spec of a batch. Raises ValueError for a name that the mesh has not.
    """
    found: list[str] = []
    for name in (axis,) if isinstance(axis, str) else axis:
        numbered = sorted(n for n in mesh.axis_names if n.removeprefix(name).isdigit() and n != name)
        if name not in mesh.axis_names and not numbered:
            raise ValueError(
                f"{who}: the mesh has no axis {name!r}; it has {', '.join(map(repr, mesh.axis_names))}"
            )
        found += [name] if name in mesh.axis_names else numbered
    return tuple(found)


def flat_over_torus(mesh: Any, names: Sequence[str]) -> str:
    """What is wrong with an axis that lies over several axes of a torus, or ""."""
    sizes = {name: mesh.shape[name] for name in names}
    chips = math.prod(mesh.shape.values())
    if chips <= FLAT:
        return ""
    longest = _longest_ring(mesh, chips)
    for name, size in sizes.items():
        if longest and size > longest:
            return (
                f"the mesh axis {name!r} of {size} lies over several axes of the torus of {chips} chips, "
                f"at most {longest} long: its reductions are compiled to all-reduces. Build the "
                "mesh with gradchain.make_mesh, one axis for each axis of the torus"
            )
    return ""


def is_tpu(mesh: Any) -> bool:
    """Whether the devices of a mesh, which a trace only has by name, are TPUs."""
    if isinstance(mesh, Mesh):
        return getattr(mesh.devices.flat[0], "platform", "") == "tpu"
    return "tpu" in _kind(mesh)


def _kind(mesh: Any) -> str:
    return str(getattr(mesh, "device_kind", None) or getattr(mesh, "abstract_device", "") or "").lower()


def _longest_ring(mesh: Any, chips: int) -> int:
    """The longest axis of the torus, 0 where the devices are no torus or nothing is known of it."""
    if isinstance(mesh, Mesh):
        devices = list(mesh.devices.flat)
        return max(torus_of(devices)) if getattr(devices[0], "platform", "") == "tpu" else 0
    kind = _kind(mesh)
    if "tpu" not in kind:
        return 0
    if "lite" in kind or "v6" in kind:
        return RINGS.get(chips, 16)
    return 2 ** math.ceil(math.log2(chips) / 3)  # 4x4x4, 4x4x8, 8x8x8
