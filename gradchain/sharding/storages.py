"""Storages of an optimizer's state and parameters, weighed against the memory of a device."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import SingleDeviceSharding

from gradchain.core import leaves, place, tree
from gradchain.core.compose import chain
from gradchain.core.slots import Slot
from gradchain.core.transform import Transform
from gradchain.math import numerics
from gradchain.report.budget import CAST, Budget, Choice, limit_of
from gradchain.report.operations import operations
from gradchain.rules.factored.adafactor import adafactor
from gradchain.rules.matrix.muon import muon
from gradchain.sharding.layout import Layout, layout
from gradchain.sharding.mesh import data_axes
from gradchain.sharding.offload import offload
from gradchain.sharding.zero import zero, zeros_of
from gradchain.storage.parameters import round_stochastically, split_weights
from gradchain.storage.stored import stored

PyTree = Any
Split = Callable[[Transform, int], Transform]  # an optimizer and a stage -> zero over the axes of the batch
LASTS = {"split_weights": split_weights, "round_stochastically": round_stochastically}
OTHERS: dict[str, Callable[..., Transform]] = {"adafactor": adafactor, "muon": muon}  # rules that keep less
RATE = 1e-3  # any: no array of state depends on it


class Way(NamedTuple):
    """A storage by what it changes, from the inside out."""

    other: str = ""  # another rule
    last: str = ""  # the last link of a chain, for parameters in bfloat16
    codec: str | Mapping[str, str] = ""
    away: bool = False  # the state in the host's memory
    stage: int = 0  # of zero

    @property
    def steps(self) -> str:
        """How its steps differ from those of float32."""
        return "another rule" if self.other else "rounded" if self.last or self.codec else "the same"

    @property
    def name(self) -> str:
        """In a few words, from the outside in."""
        codec = self.codec if isinstance(self.codec, str) else ", ".join(sorted({*self.codec.values()}))
        stage, away = f"zero {self.stage}" if self.stage else "", "offload" if self.away else ""
        return ", ".join(filter(None, (stage, away, codec, self.last, self.other))) or "as it is"

    def make(self, tx: Transform, split: Split | None) -> Transform:
        """The optimizer stored so; what cannot be is the error of its factory."""
        tx = OTHERS[self.other](RATE) if self.other else tx
        tx = chain(tx, LASTS[self.last]()) if self.last else tx
        tx = stored(tx, self.codec) if self.codec else tx
        tx = offload(tx) if self.away else tx
        return split(tx, self.stage) if split and self.stage else tx

    @property
    def code(self) -> str:
        """The line that does it."""
        made = f"gc.{self.other}(learning_rate)" if self.other else "tx"
        made = f"gc.chain({made}, gc.{self.last}())" if self.last else made
        codec = dict(self.codec) if isinstance(self.codec, Mapping) else self.codec
        made = f"gc.stored({made}, {codec!r})".replace("'", '"') if codec else made
        made = f"gc.offload({made})" if self.away else made
        made = f"gc.zero({made}, stage={self.stage})" if self.stage else made
        return f"{CAST}; tx = {made}" if self.last else f"tx = {made}" if made != "tx" else ""

    @property
    def plain(self) -> bool:
        """Whether state and parameters are the optimizer's own."""
        return not (self.other or self.last or self.codec or self.away)

    def within(self, other: Way) -> bool:
        """Whether another way changes all that this one does, and perhaps more."""
        return all(not mine or mine == theirs for mine, theirs in zip(self, other, strict=True))


def ways(slots: PyTree, splits: bool, stage: int = 0) -> Iterator[Way]:
    """What is tried, what changes the steps least first; `stage` is of zero, which all have at least."""
    stages = [s for s in (1, 3) if s > stage] if splits else []
    factored = _factored(slots)
    codecs = ("bfloat16_stochastic", "log8", "log4", *([factored] if factored else []))
    small = ("log8", "log4")
    found = [Way(), *(Way(stage=s) for s in stages), Way(away=True)]
    found += [Way(stage=s, away=True) for s in stages[-1:]]
    found += [Way(codec=c) for c in codecs]
    found += [Way(codec=c, stage=s) for s in stages for c in small]
    found += [Way(last=x) for x in LASTS] + [Way(last=x, codec=c) for x in LASTS for c in small]
    found += [Way(last=x, away=True) for x in LASTS]
    found += [Way(last=x, stage=s, codec=c) for s in stages[-1:] for c in ("", *small) for x in LASTS]
    found += [Way(other=x) for x in OTHERS]
    yield from (way._replace(stage=max(way.stage, stage)) for way in found)


def _factored(slots: PyTree) -> dict[str, str]:
    """Fields of squares as means of rows and columns, of other moments in log8; {} without squares."""
    found: dict[str, str] = {}
    for path, slot in zip(tree.paths(slots), jax.tree.leaves(slots), strict=True):
        leaf = slot.leaf
        if leaf is None or slot.shape != leaf.shape or len(slot.shape) < 2 or slot.exact:
            continue
        if jnp.issubdtype(slot.dtype, jnp.floating):
            field = path.removesuffix(f"/{leaf.path}" if leaf.path else "").rpartition("/")[2]
            found[field] = "rank_one" if slot.positive else "log8"
    return found if "rank_one" in found.values() else {}


def narrowed(params: PyTree) -> PyTree:
    """Parameters in bfloat16, abstract, where they were."""

    def of(x: Any) -> Any:
        real = leaves.is_floating(x) and jnp.issubdtype(x.dtype, jnp.floating)
        return jax.ShapeDtypeStruct(x.shape, jnp.bfloat16, sharding=place.of(x)) if real else x

    return jax.tree.map(of, params)


def weigh(
    tx: Transform,
    params: PyTree,
    limit: int,
    *,
    batch: tuple[str, ...] = (),
    split: Split | None = None,
    stage: int = 0,
    summed: int = 0,
    scratch: Callable[[Transform, PyTree, str], int | None] | None = None,
    compiled_for: str = "",
) -> Budget:
    """The choices for parameters, which may be abstract; the first is the optimizer at this stage of zero.

    `batch`: mesh axes that split the batch, over which gradients are whole; `summed`: bytes of a number of
    a gradient at least. `scratch` compiles the update of a choice, and is asked where all else fits; None is
    one that does not compile. Left out are such, what factories refuse, and what needs no less than a choice
    that changes less.
    """
    found: list[tuple[Way, Choice]] = []
    half = narrowed(params)
    for way in ways(tx.slots(params), split is not None, stage):
        given = half if way.last else params
        try:
            made = way.make(tx, split)
            choice = _choice(way, layout(made, given), given, batch, summed)
        except (ValueError, TypeError):
            if not found:
                raise
            continue
        before = (dataclasses.replace(c, scratch=None) for w, c in found if w.within(way) or w.plain)
        if any(c.total <= choice.total and c.host <= choice.host for c in before):
            continue
        if scratch is not None and (not found or choice.total <= limit):
            choice = dataclasses.replace(choice, scratch=scratch(made, given, way.name))
            if choice.scratch is None:
                continue
        if not found:
            choice = dataclasses.replace(choice, name="as it is", code="")
        found.append((way, choice))
    own, share = _numbers(split(tx, stage) if split and stage else tx, params, batch)
    count = operations(tx, params)
    work = None if count is None else round(count * share)
    return Budget(limit, tuple(c for _, c in found), own, work, compiled_for)


def _choice(way: Way, at: Layout, params: PyTree, batch: tuple[str, ...], summed: int) -> Choice:
    homes = jax.tree.leaves(at.params, is_leaf=lambda x: x is None)
    held = [(x, h) for x, h in zip(jax.tree.leaves(params), homes, strict=True) if leaves.is_array(x)]
    grads = [(math.prod(_whole(x, batch)), x.dtype.itemsize) for x, _ in held if leaves.is_floating(x)]
    return Choice(
        name=way.name,
        steps=way.steps,
        code=way.code,
        params=sum(numerics.nbytes(place.shard_shape(x.shape, home), x.dtype) for x, home in held),
        gradients=sum(n * max(width, summed) for n, width in grads),
        state=sum(row.bytes_on_device for row in at.rows if row.memory == "device"),
        host=sum(row.bytes_on_device for row in at.rows if row.memory != "device"),
    )


def _whole(x: Any, batch: tuple[str, ...]) -> tuple[int, ...]:
    """The shape of a gradient on a device before it is summed: not split over the axes of the batch."""
    home = place.of(x)
    if home is None:
        return x.shape
    split = place.split_of(home.spec, len(x.shape))
    return place.shard_shape(x.shape, place.at(home.mesh, [[n for n in s if n not in batch] for s in split]))


def _numbers(tx: Transform, params: PyTree, batch: tuple[str, ...]) -> tuple[int, float]:
    """Numbers of the parameters on a device, as gradients have them, and the part of all that it updates."""
    zeros, own, updated, total = zeros_of(tx), 0, 0, 0
    for path, x in zip(tree.paths(params), jax.tree.leaves(params), strict=True):
        if leaves.is_floating(x):
            target = zeros[0].rule.target(path, x) if zeros else place.of(x)
            own += math.prod(_whole(x, batch))
            updated += math.prod(place.shard_shape(x.shape, target))
            total += math.prod(x.shape)
    return own, updated / total if total else 0.0


def of_params(tx: Transform, params: PyTree, budget: Any, scratch: bool) -> Budget:
    """The budget that `describe` shows: split over the data axes of the parameters' own mesh, if any."""
    limit, homes = limit_of(budget, "describe"), [place.of(x) for x in jax.tree.leaves(params)]
    mesh = next((home.mesh for home in homes if home is not None), None)
    batch: tuple[str, ...] = ()
    if mesh is not None and any(name.rstrip("0123456789") == "data" for name in mesh.axis_names):
        batch = data_axes(mesh, "data")
    several = mesh is not None and math.prod(mesh.shape[name] for name in batch) > 1 and not zeros_of(tx)
    return weigh(
        tx,
        params,
        limit,
        batch=batch,
        split=(lambda tx, stage: zero(tx, stage=stage)) if several else None,
        scratch=(lambda tx, params, _: scratch_here(tx, params)) if scratch else None,
        compiled_for=jax.devices()[0].device_kind if scratch else "",
    )


def scratch_here(tx: Transform, params: PyTree) -> int:
    """Bytes of scratch memory of an update, compiled for the devices of the parameters, or the first here."""
    alone = SingleDeviceSharding(jax.devices()[0])

    def state(slot: Slot) -> jax.ShapeDtypeStruct:
        at = slot.sharding or (alone.with_memory_kind(slot.memory) if slot.memory else None)
        return jax.ShapeDtypeStruct(slot.shape, slot.dtype, sharding=at)

    found = layout(tx, params)
    given = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place.of(x)), params)
    step = jax.jit(lambda p, s, g: tx.step(g, s, p), donate_argnums=(0, 1))
    memory = step.lower(given, jax.tree.map(state, found.slots), given).compile().memory_analysis()
    assert memory is not None
    return memory.temp_size_in_bytes
