"""The check of an optimizer on a machine, from one end to the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from gradchain.aot import model as models
from gradchain.aot.findings import judged
from gradchain.aot.program import mesh_of, update, whole_of
from gradchain.aot.report import Report, measure
from gradchain.aot.targets import Target, topology
from gradchain.core import place, tree
from gradchain.core.transform import Transform
from gradchain.sharding.mesh import data_axes
from gradchain.sharding.zero import zero as split
from gradchain.sharding.zero import zeros_of


class UsageError(ValueError):
    """Arguments that do not fit each other."""


def check(
    tx: Transform,
    params: Any,
    target: Target | str,
    *,
    zero: int = 0,
    mesh: Mapping[str, int] | None = None,
    model: int = 1,
    batch: str | tuple[str, ...] = "data",
    say: Callable[[str], None] = lambda text: None,
) -> Report:
    """The check of `python -m gradchain.aot`, from Python.

        report = aot.check(tx, params, "v5e:16x16", zero=1)
        print(aot.show(report))
        assert not report.findings

    `params` are arrays or abstract, their specs are taken over to a mesh of the target: `mesh` gives its axes
    and their devices, `model` the devices of "model" in the mesh that `make_mesh` makes. `batch` are the axes
    over which gradients are summed.
    """
    target = topology(target) if isinstance(target, str) else target
    made = mesh_of(target, mesh, model)
    axes = data_axes(made, batch, "batch axis")
    leaves = models.on(made, models.leaves(params))
    if zero and zeros_of(tx):
        raise UsageError("the optimizer has zero(...) in it already: leave --zero out")
    tx = split(tx, batch, stage=zero, specs=_specs(leaves, axes)) if zero else tx
    say(f"compiling for {target.topology}, {made.size} devices ...")
    done = update(tx, leaves, axes, target)
    say(f"compiled in {done.compiled.lower_seconds + done.compiled.compile_seconds:.1f} s")
    return judged(measure(done, axes, target), done.warned)


def _specs(params: Any, batch: tuple[str, ...]) -> dict[str, Any] | None:
    """What `zero` must be told of parameters that are split over other axes than the batch's."""
    found = zip(tree.paths(params), jax.tree.leaves(params), strict=True)
    specs = {path: tuple(place.spec_of(whole_of(x, batch))) for path, x in found}
    return {path: spec for path, spec in specs.items() if spec} or None
