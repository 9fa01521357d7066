"""What `python -m gradchain.aot` finds: figures of a compiled update, as data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from gradchain.aot.collectives import Collective, HostTraffic, collectives, host
from gradchain.aot.hlo import COLLECTIVES, Program
from gradchain.aot.program import Update, whole_of
from gradchain.aot.targets import Target
from gradchain.core import place, tree
from gradchain.report.table import Description, describe
from gradchain.sharding.zero import zeros_of

SUMMED = 4  # bytes of a number of a gradient at least: sums are in float32


@dataclasses.dataclass(frozen=True)
class Leaf:
    """A parameter: what one device has of it, of its gradient and, while it is updated, of the update."""

    path: str
    shape: tuple[int, ...]
    bytes: int  # of all of it
    held: int  # of the parameter between steps, on a device
    local: tuple[int, ...]  # shape of the gradient on a device
    gradient: int
    updated: int
    scattered: int  # of the gradient, when it is summed


@dataclasses.dataclass(frozen=True)
class Moved:
    """Collectives of one kind: how many, what reaches a device by them in a step, and how little could."""

    kind: str
    count: int
    in_loops: int
    bytes: float
    minimum: float


@dataclasses.dataclass(frozen=True)
class Finding:
    """What is wrong, and what to do."""

    what: str
    do: str


@dataclasses.dataclass(frozen=True)
class Report:
    """The check of one optimizer on one machine; all bytes are on one device and for one step."""

    topology: str
    title: str
    mesh: dict[str, int]
    batch: tuple[str, ...]  # mesh axes over which the gradients are summed
    optimizer: str
    zero: int  # its stage, 0 without
    parameters: int  # numbers, of the whole model
    leaves: tuple[Leaf, ...]
    params: int
    gradients: int
    state: int
    state_total: int
    traffic: float  # between the chip and its memory
    least_traffic: float  # gradients read, parameters and state read and written, once
    kernels: int
    copies: int
    temp: int
    aliased: int
    memory: int  # of the device, 0 where it is not known
    moved: tuple[Moved, ...]
    host: HostTraffic
    offloaded: int  # bytes of state that are to be in the host's memory
    compile_seconds: float
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    table: Description | None = dataclasses.field(default=None, repr=False)
    found: tuple[Collective, ...] = dataclasses.field(default=(), repr=False)

    @property
    def devices(self) -> int:
        """Of the mesh."""
        return math.prod(self.mesh.values())

    @property
    def ways(self) -> int:
        """Devices over which the batch is split."""
        return math.prod(self.mesh[name] for name in self.batch)

    def json(self) -> dict[str, Any]:
        """The report as JSON values."""
        kept = {f.name for f in dataclasses.fields(self)} - {"table", "found"}
        found = {k: v for k, v in dataclasses.asdict(self).items() if k in kept}
        found["host"] = self.host._asdict()
        if self.table is not None:
            found["links"] = [
                {"link": r.link, "slot": r.slot, "dtype": r.dtype, "spec": r.spec, "bytes": r.total_bytes}
                | {"bytes_per_device": r.bytes_per_device}
                for r in self.table.rows
                if r.slot
            ]
        return found


def measure(update: Update, batch: tuple[str, ...], target: Target) -> Report:
    """The figures of a compiled update, without a judgement."""
    program = Program(update.compiled.text)
    zeros = zeros_of(update.tx)
    leaves = tuple(_leaves(update, batch))
    rows = update.layout.rows
    state = sum(row.bytes_on_device for row in rows)
    params, grads = sum(x.held for x in leaves), sum(x.gradient for x in leaves)
    found = tuple(collectives(program))
    ways = math.prod(update.mesh.shape[name] for name in batch)
    return Report(
        topology=target.topology,
        title=target.title,
        mesh=dict(update.mesh.shape),
        batch=batch,
        optimizer=repr(update.tx.recipe),
        zero=max((z.stage for z in zeros), default=0),
        parameters=sum(math.prod(x.shape) for x in leaves),
        leaves=leaves,
        params=params,
        gradients=grads,
        state=state,
        state_total=update.layout.total_bytes,
        traffic=program.cost.bytes,
        least_traffic=grads + 2 * params + 2 * state,
        kernels=program.cost.kernels,
        copies=program.cost.copies,
        temp=update.compiled.temp,
        aliased=update.compiled.aliased,
        memory=target.memory,
        moved=moved(found, leaves, ways),
        host=host(program),
        offloaded=sum(row.bytes_on_device for row in rows if row.memory != "device"),
        compile_seconds=update.compiled.lower_seconds + update.compiled.compile_seconds,
        table=describe(update.tx, update.params),
        found=found,
    )


def _leaves(update: Update, batch: tuple[str, ...]) -> Iterator[Leaf]:
    zeros = zeros_of(update.tx)
    for path, x in zip(tree.paths(update.params), jax.tree.leaves(update.params), strict=True):
        width = jnp.dtype(x.dtype).itemsize
        local = place.shard_shape(x.shape, place.at(update.mesh, whole_of(x, batch)))
        target = zeros[0].rule.target(path, x) if zeros else x.sharding
        part = math.prod(place.shard_shape(x.shape, target))
        yield Leaf(
            path=path,
            shape=x.shape,
            bytes=math.prod(x.shape) * width,
            held=math.prod(place.shard_shape(x.shape, x.sharding)) * width,
            local=local,
            gradient=math.prod(local) * max(width, SUMMED),
            updated=part * width,
            scattered=part * max(width, SUMMED),
        )


def moved(found: tuple[Collective, ...], leaves: tuple[Leaf, ...], ways: int) -> tuple[Moved, ...]:
    """By kind; the gradient of a split leaf is scattered, its new value gathered, others are all-reduced."""
    least = dict.fromkeys(COLLECTIVES, 0.0)
    for x in leaves:
        if x.scattered < x.gradient:
            least["reduce-scatter"] += x.gradient - x.scattered
            least["all-gather"] += x.held - x.updated
        else:
            least["all-reduce"] += 2 * (1 - 1 / ways) * x.gradient
    rows = []
    for kind in COLLECTIVES:
        here = [c for c in found if c.kind == kind]
        if here or least[kind]:
            moved, loops = sum(c.moved for c in here), sum(c.loop for c in here)
            rows.append(Moved(kind, len(here), loops, moved, least[kind]))
    return tuple(rows)
