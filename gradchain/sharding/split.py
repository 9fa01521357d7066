"""How leaves are split over data axes: which dimension each mesh axis takes, and why some cannot be split."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from jax.sharding import AxisType, NamedSharding

from gradchain.core import place, select, tree
from gradchain.core.place import Split
from gradchain.sharding.mesh import data_axes, flat_over_torus

TILE = (8, 128)  # rows and columns that a TPU moves at once
SMALLEST = 8  # numbers along a dimension below which its reduce-scatter is compiled to an all-reduce


class ShardingWarning(UserWarning):
    """Something that stays whole, or is moved whole, although it was to be split."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """Where `zero` puts leaves: `home` is where a parameter comes from, `target` where it is updated."""

    axis: str | tuple[str, ...]
    min_size: int = 2**14
    specs: Mapping[str, Any] | None = None
    keep: bool = False  # parameters stay split between steps

    def home(self, path: str, x: Any) -> NamedSharding | None:
        """Where the parameter is between steps; of one on an automatic mesh, what `specs` say."""
        now = place.of(x)
        if now is None:
            return None
        one_kind(now.mesh, path)
        split = place.split_of(now.spec, len(x.shape))
        if AxisType.Auto in now.mesh.axis_types:
            split = self._said(path, x, now.mesh, None if place.is_blind(x) else split)
        if self.keep:
            split = self._choose(x.shape, split, now.mesh)[0]
        return place.at(now.mesh, split)

    def _said(self, path: str, x: Any, mesh: Any, seen: Split | None) -> Split:
        """The split over other axes than the data axes, which a trace must take from `specs`."""
        names = data_axes(mesh, self.axis, "zero")
        rest = [n for n in mesh.axis_names if n not in names and mesh.shape[n] > 1]
        if self.specs is None and rest:
            raise ValueError(
                f"zero: the mesh has automatic axes, so that a traced step cannot see how {path!r} is split "
                f"over {', '.join(map(repr, rest))}: make the mesh with explicit=True (AxisType.Explicit), "
                "or pass specs={pattern: spec}, such as {'**/kernel': (None, 'model')}"
            )
        said: Split = ((),) * len(x.shape)
        for pattern, spec in (self.specs or {}).items():
            if select.matches(pattern, path):
                if len(tuple(spec)) > len(x.shape):
                    raise ValueError(f"zero: the spec {spec!r} of {path!r} is longer than {list(x.shape)}")
                said = place.split_of(spec, len(x.shape))
                break
        if seen is None:
            return said
        others = tuple(tuple(n for n in here if n not in names) for here in seen)
        if others != said:
            raise ValueError(
                f"zero: the parameter {path!r} is split as {place.spec_of(others)}, but specs say "
                f"{place.spec_of(said)}; on a mesh with automatic axes a traced step goes by specs"
            )
        if others != seen and not self.keep:
            raise ValueError(
                f"zero: the parameter {path!r} is split over data axes already, {place.spec_of(seen)}: with "
                "stage=3 it stays so, with stages 1 and 2 parameters are whole between steps"
            )
        return said

    def whole(self, path: str, x: Any) -> NamedSharding | None:
        """Where the parameter is when it is gathered."""
        home = self.home(path, x)
        if home is None:
            return None
        names = data_axes(home.mesh, self.axis, "zero")
        split = place.split_of(home.spec, len(x.shape))
        return place.at(home.mesh, [[n for n in here if n not in names] for here in split])

    def target(self, path: str, x: Any) -> NamedSharding | None:
        """Where the leaf, its gradient and its state are in an update."""
        home = self.home(path, x)
        if home is None:
            return None
        return place.at(
            home.mesh, self._choose(x.shape, place.split_of(home.spec, len(x.shape)), home.mesh)[0]
        )

    def _choose(self, shape: Sequence[int], split: Split, mesh: Any) -> tuple[Split, str]:
        names = data_axes(mesh, self.axis, "zero")
        if math.prod(shape) < self.min_size:
            return split, ""
        if isinstance(self.axis, str):  # the longest first: what must be padded or turned is smallest then
            names = tuple(sorted(names, key=lambda n: -mesh.shape[n]))
        return choose(shape, split, mesh.shape, names)

    def notes(self, params: Any) -> list[str]:
        """What is not as it should be: leaves that stay whole, and why; axes that do not fit a torus."""
        found: dict[str, None] = {}
        for path, x in zip(tree.paths(params), jax.tree.leaves(params), strict=True):
            home = self.home(path, x)
            if home is None:
                continue
            names = data_axes(home.mesh, self.axis, "zero")
            if flat := flat_over_torus(home.mesh, names):
                found[f"zero: {flat}"] = None
            why = self._choose(x.shape, place.split_of(home.spec, len(x.shape)), home.mesh)[1]
            if why:
                found[f"zero: {path!r} of shape {list(x.shape)} {why}"] = None
        return list(found)


def choose(
    shape: Sequence[int], split: Split, sizes: Mapping[str, int], names: Sequence[str]
) -> tuple[Split, str]:
    """A split of an array over more mesh axes, and what could not be done, in words.

    Each axis goes to the dimension that has the most left of it, counted in tiles, so that pieces stay large
    in every dimension: small ones are moved padded, or not scattered at all.
    """
    here, why = [list(s) for s in split], ""
    used = {n for s in split for n in s}
    free = [d for d, s in enumerate(split) if set(s) <= set(names)]  # not split over other axes
    for name in (n for n in names if n not in used and sizes[n] > 1):
        left = [size // math.prod(sizes[n] for n in s) for size, s in zip(shape, here, strict=True)]
        fits = [d for d in free if left[d] % sizes[name] == 0]
        if not fits:
            dims = " and ".join(str(left[d]) for d in free)
            found = (
                f"of its dimensions that are left, {dims}, none is a multiple"
                if free
                else "no dimension is left"
            )
            why = (
                f"stays whole along {name!r}: {found} of {sizes[name]}; pad one of them"
                if free
                else (f"stays whole along {name!r}: {found}, all are split over other axes")
            )
            continue
        tiles = (*(1,) * (len(shape) - 2), *TILE)[-len(shape) :]

        def worth(d, left=left, tiles=tiles, name=name):
            piece = left[d] // sizes[name]
            return (piece >= SMALLEST or tiles[d] == 1, piece / tiles[d])

        here[max(fits, key=worth)].append(name)
    return tuple(tuple(s) for s in here), why


def one_kind(mesh: Any, path: str) -> None:
    """Raise for a mesh with axes of several kinds: what moves arrays differs from one to another."""
    kinds = {
        kind for name, kind in zip(mesh.axis_names, mesh.axis_types, strict=True) if mesh.shape[name] > 1
    }
    if AxisType.Manual in kinds:
        raise ValueError(
            f"zero: {path!r} is inside a shard_map; call the optimizer outside, on what the shard_map returns"
        )
    if len(kinds) > 1:
        about = ", ".join(f"{n!r} {k.name}" for n, k in zip(mesh.axis_names, mesh.axis_types, strict=True))
        raise ValueError(
            f"zero: the mesh of {path!r} mixes kinds of axes ({about}): make all of them Explicit, or all "
            "Auto, with Mesh(..., axis_types=...)"
        )
