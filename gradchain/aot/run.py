"""The check of an optimizer on a machine, from one end to the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax

from gradchain.aot import model as models
from gradchain.aot.findings import judged
from gradchain.aot.program import mesh_of, update, whole_of
from gradchain.aot.report import SUMMED, Report, measure
from gradchain.aot.targets import Target, topology
from gradchain.core import place, tree
from gradchain.core.transform import Transform
from gradchain.report.budget import limit_of
from gradchain.sharding.mesh import data_axes
from gradchain.sharding.storages import Way, weigh
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
    budget: float | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Report:
    """The check of `python -m gradchain.aot`, from Python.

        report = aot.check(tx, params, "v5e:16x16", zero=1)
        print(aot.show(report))
        assert not report.findings

    `params` are arrays or abstract, their specs are taken over to a mesh of the target: `mesh` gives its axes
    and their devices, `model` the devices of "model" in the mesh that `make_mesh` makes. `batch` are the axes
    over which gradients are summed. With a `budget`, the GiB of a device, the updates of other storages are
    compiled as well, where all but their scratch memory fits: `report.budget`.
    """
    limit = None if budget is None else limit_of(budget, "aot")
    target = topology(target) if isinstance(target, str) else target
    made = mesh_of(target, mesh, model)
    axes = data_axes(made, batch, "batch axis")
    leaves = models.on(made, models.leaves(params))
    if zero and zeros_of(tx):
        raise UsageError("the optimizer has zero(...) in it already: leave --zero out")
    specs = _specs(leaves, axes)

    def over(tx: Transform, stage: int) -> Transform:
        return split(tx, batch, stage=stage, specs=specs)

    say(f"compiling for {target.topology}, {made.size} devices ...")
    done = update(over(tx, zero) if zero else tx, leaves, axes, target)
    say(f"compiled in {done.compiled.lower_seconds + done.compiled.compile_seconds:.1f} s")
    report = measure(done, axes, target)
    if limit is None:
        return judged(report, done.warned)

    def scratch(tx: Transform, params: Any, name: str) -> int | None:
        if name == first:
            return report.temp
        say(f"compiling {name} ...")
        try:
            return update(tx, params, axes, target).compiled.temp
        except (jax.errors.JaxRuntimeError, NotImplementedError, ValueError, TypeError) as error:
            say(f"not compiled: {str(error).splitlines()[0]}")
            return None

    first = Way(stage=zero).name
    several = report.ways > 1 and not (zeros_of(tx))
    found = weigh(
        tx, leaves, limit, batch=axes, split=over if several else None, stage=zero, summed=SUMMED,
        scratch=scratch, compiled_for=target.title,
    )  # fmt: skip
    found = dataclasses.replace(found, traffic=report.traffic, computed=report.operations)
    return judged(dataclasses.replace(report, budget=found), done.warned)


def _specs(params: Any, batch: tuple[str, ...]) -> dict[str, Any] | None:
    """What `zero` must be told of parameters that are split over other axes than the batch's."""
    found = zip(tree.paths(params), jax.tree.leaves(params), strict=True)
    specs = {path: tuple(place.spec_of(whole_of(x, batch))) for path, x in found}
    return {path: spec for path, spec in specs.items() if spec} or None
