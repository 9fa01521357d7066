"""param_shardings: where parameters go on a mesh, from patterns of their paths."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jax.sharding import NamedSharding

from gradchain.core import place, select, tree


def param_shardings(params: Any, mesh: Any, specs: Mapping[Any, Any] | None = None) -> Any:
    """A sharding for each parameter: that of the first pattern of `specs` that matches its path, or whole.

    specs: {"**/up/kernel": (None, "model")}, the ones that `zero` takes. `params` may be abstract; the result
    has their structure, for `jax.device_put` and `out_shardings`. Raises ValueError for a pattern that
    matches nothing, an axis that the mesh has not, and a dimension that does not divide.
    """
    specs, paths = specs or {}, tree.paths(params)
    for pattern in specs:
        if not any(select.matches(pattern, path) for path in paths):
            known = ", ".join(map(repr, paths[:6]))
            raise ValueError(f"param_shardings: {pattern!r} matches no parameter; there are {known}")

    def of(path: str, x: Any) -> NamedSharding:
        spec = next((spec for pattern, spec in specs.items() if select.matches(pattern, path)), ())
        if len(tuple(spec)) > len(x.shape):
            raise ValueError(
                f"param_shardings: {spec!r} is longer than the shape of {path!r}, {list(x.shape)}"
            )
        split = place.split_of(spec, len(x.shape))
        for size, names in zip(x.shape, split, strict=True):
            if odd := [name for name in names if name not in mesh.axis_names]:
                axes = ", ".join(map(repr, mesh.axis_names))
                raise ValueError(
                    f"param_shardings: {path!r} is to be split over {odd[0]!r}; the mesh has {axes}"
                )
            if size % (parts := math.prod(mesh.shape[name] for name in names)):
                raise ValueError(
                    f"param_shardings: {path!r} has shape {list(x.shape)}, and {size} cannot be divided over "
                    f"the {parts} devices of {', '.join(map(repr, names))}"
                )
        return place.at(mesh, split)

    return tree.map_paths(of, params)
