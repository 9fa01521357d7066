"""The engine of preconditioners: a step on blocks of matrices with factors, and the renewal of those due."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradchain.core import place, tree
from gradchain.core.control import is_known, when
from gradchain.core.slots import Axes, Leaf, Slot
from gradchain.matrices import refresh
from gradchain.matrices.factors import Cut, Factors
from gradchain.matrices.per_matrix import Due, per_matrix, sides
from gradchain.matrices.probe import Probe, probe
from gradchain.matrices.rounds import (
    Picked,
    Rounds,
    devices_of,
    due_in,
    in_turns,
    is_split,
)


class Engine:
    """One step: the arrays of the state by field and leaf, and what is done to them."""

    def __init__(self, State, kinds, others, slots, factors: Factors, leaves, counts, s, grads):
        self.State, self.kinds, self.others = State, kinds, others
        self.leaves, self.counts = leaves, counts
        self.cuts = [factors.cut(leaf) for leaf in leaves]
        self.old = {name: jax.tree.leaves(getattr(s, name)) for name in slots}
        self.now = {name: list(map(tree.wide, xs)) for name, xs in self.old.items()}
        self.dtypes = [(g.dtype, *(xs[i].dtype for xs in self.now.values())) for i, g in enumerate(grads)]
        self.places = {
            name: [self._read(name, i, slots[name](leaf)) for i, leaf in enumerate(leaves)] for name in slots
        }

    def state(self, s):
        """The state of the link, from what the arrays are now."""
        done = {
            name: jax.tree.structure(getattr(s, name)).unflatten(
                [self._like(x.astype(o.dtype), o) for x, o in zip(self.now[name], old, strict=True)]
            )
            for name, old in self.old.items()
        }
        return s._replace(**done)

    def _like(self, new: Array, old: Array) -> Array:
        """The new array; where a trace does not know how the old one is split, as a choice between them."""
        return jnp.where(self.counts[0] >= 0, new, old) if place.is_blind(old) else new

    def _read(self, name: str, i: int, slot: Slot) -> Leaf:
        """An array of the state as per_matrix reads it."""
        leaf = self.leaves[i]
        axes = leaf.axes
        if name in self.kinds and self.has(name, i):
            n = len(slot.shape) - 2
            axes = Axes(tuple(range(n)), (n,), (n + 1,))
        return Leaf(leaf.path, slot.shape, slot.dtype, axes, None, slot.sharding)

    def has(self, name: str, i: int) -> bool:
        """Whether a leaf has this field."""
        cut = self.cuts[i]
        if name in self.kinds:
            return cut is not None and cut.has[self.kinds[name].side]
        return name not in self.others or cut is None

    def each(self, f: Callable, grads: Sequence[Array]) -> list[Any]:
        """f(g, s) -> (u, s) for all blocks, and for the leaves without factors."""
        out: list[Any] = list(grads)
        alone = [i for i, cut in enumerate(self.cuts) if cut is None]
        names = [name for name in self.now if alone and self.has(name, alone[0])]

        @jax.jit
        def elementwise(g, arrays, count):
            u, s = f(g, self._given(alone[0], arrays, count))
            made = [getattr(s, name).astype(arrays[name].dtype) for name in names]
            return u if u is None else u.astype(g.dtype), made

        for i in alone:
            arrays = {name: self.now[name][i] for name in names}
            out[i], made = elementwise(grads[i], arrays, self.counts[i])
            for name, x in zip(names, made, strict=True):
                self.now[name][i] = x
        for at in self._alike():
            for i, u in zip(at, self._on(f, at, [grads[i] for i in at]), strict=True):
                out[i] = u
        return out

    def renew(self, renew: Callable | None, start: Callable | None, every: int) -> None:
        """The factors that are due; in a leaf's first step all of them."""
        if renew is None:
            return
        f, begin = (lambda s, g=g: jax.lax.stop_gradient(g(s)) for g in (renew, start or renew))
        if every == 1 and start is None:
            for at in self._alike():
                self._on(lambda _, s: (None, f(s)), at, None)
            return
        own = [i for i, cut in enumerate(self.cuts) if cut is not None]
        stacks = [sides(self.leaves[i].shape, self.leaves[i].axes)[0] for i in own]
        costs = [cut.cost for cut in self.cuts if cut is not None]
        found = refresh.offsets(stacks, costs, every)
        offsets = dict(zip(own, found, strict=True))
        turning = [i for i in own if not (is_known(self.counts[i]) or is_split(self.leaves[i]))]
        for at in self._alike(turning, self._kind):
            self._in_turns(begin if start else f, f, at, [offsets[i] for i in at], every)
        self._at_once(begin, f, {i: o for i, o in offsets.items() if i not in turning}, every)

    def _in_turns(self, begin: Callable, f: Callable, at: Sequence[int], offsets: Sequence[int], every: int):
        """The matrices of alike leaves that are due, a few after others: the work is once in the program."""
        count, devices = self.counts[at[0]], devices_of(self.leaves[at[0]])
        stacks = [sides(self.leaves[i].shape, self.leaves[i].axes)[0] for i in at]
        numbers = [(np.arange(k) + o) % every for k, o in zip(stacks, offsets, strict=True)]
        first, phase = count == 1, (count - 1) % every
        phases, later = due_in(numbers), [on != phase for on in numbers]
        here = [jnp.minimum(phase + i, len(phases)) for i in (0, 1)]  # in later phases nothing is due
        if begin is f and devices == 1:
            plan = Rounds.of(phases, 1)
            low, high = (jnp.asarray(plan.bounds)[i] for i in here)
            bounds = jnp.where(first, 0, low), jnp.where(first, len(plan.leaf), high)
            self._turned(f, at, plan, bounds, [~first & x for x in later])
            return
        plan = Rounds.of([list(itertools.chain(*phases))], min(devices, sum(stacks)))
        none = jnp.zeros((), jnp.int32)
        bounds = none, jnp.where(first, jnp.int32(len(plan.leaf)), none)
        self._turned(begin, at, plan, bounds, [jnp.repeat(~first, k) for k in stacks])
        plan = Rounds.of(phases, min(devices, max(map(len, phases))))
        low, high = (jnp.where(first, none, jnp.asarray(plan.bounds)[i]) for i in here)
        self._turned(f, at, plan, (low, high), [first | x for x in later])

    def _turned(self, f: Callable, at: Sequence[int], plan: Rounds, bounds: Any, keep: Sequence[Array]):
        """f(s) -> s on the matrices of some rounds; keep: those of each leaf that none of these works on."""
        names, wrote, _ = self._named(lambda _, s: (None, f(s)), at, None)
        found = in_turns(
            self._work(lambda _, s: (None, f(s)), at[0], names, wrote, False),
            plan.at,
            bounds,
            [tuple(self.now[n][j] for n in names) for j in at],
            [tuple(self.places[n][j] for n in names) for j in at],
            places=plan.leaf.shape[1],
            results=[names.index(n) for n in wrote],
            shared=[self.counts[at[0]]],
            keep=keep,
        )
        for j, ys in zip(at, found, strict=True):
            for n, y in zip(wrote, ys, strict=True):
                self.now[n][j] = y

    def _at_once(self, begin: Callable, f: Callable, offsets: Mapping[int, int], every: int) -> None:
        """What is due of other leaves: in eager steps, and of stacks that are split over a mesh."""
        for at in self._groups([None] * len(self.leaves), offsets):
            self._when(self.counts[at[0]] == 1, begin, at, None)
        parts: list[Any] = [None] * len(self.leaves)
        for i, offset in offsets.items():
            parts[i] = (offset, min(sides(self.leaves[i].shape, self.leaves[i].axes)[0], every))
        for at in self._groups(parts, offsets):
            offset, k = parts[at[0]]
            due = refresh.due(self.counts[at[0]], offset, every)
            later = self.counts[at[0]] > 1
            self._when(later if k == every else later & (due.first < k), f, at, due)

    def _kind(self, i: int) -> Any:
        """What leaves share whose matrices can be worked on in turns."""
        return tuple(Picked(self.places[n][i]).alike for n in self.now if self.has(n, i))

    def _groups(self, keys: Any, among: Iterable[int]) -> list[list[int]]:
        """The leaves with factors that share a key and a count."""
        found: dict[Any, list[int]] = {}
        for i in among:
            if self.cuts[i] is not None:
                found.setdefault((keys[i], id(self.counts[i])), []).append(i)
        return list(found.values())

    def _alike(self, among: Iterable[int] | None = None, more: Callable = lambda i: None) -> list[list[int]]:
        """The leaves that are cut alike."""
        every = range(len(self.leaves)) if among is None else list(among)
        keys = {i: (self.cuts[i], self.dtypes[i], more(i)) for i in every}
        return self._groups(keys, every)

    def _when(self, condition: Array, f: Callable, at: Sequence[int], due: Due | None) -> None:
        """f(s) -> s on some leaves where a condition holds."""
        groups = self._alike(at)
        probes = [self._probe(lambda _, s: (None, f(s)), group, None) for group in groups]
        pairs = list(zip(groups, probes, strict=True))
        changed = [(n, i) for group, probe in pairs for i in group for n in probe.wrote]
        read = [(n, i) for group, probe in pairs for i in group for n in probe.reads]
        read = [key for key in read if key not in changed]

        def work(carry, first, *operands):
            before = {name: list(xs) for name, xs in self.now.items()}
            for (name, i), x in zip((*changed, *read), (*carry, *operands), strict=True):
                self.now[name][i] = x
            for group in groups:
                leaf = self.leaves[group[0]]
                stacked = sides(leaf.shape, leaf.axes)[0] > 1  # one alone is due, or nothing is
                here = Due(first, due.every) if due is not None and stacked else None
                self._on(lambda _, s: (None, f(s)), group, None, here)
            made = [self.now[name][i] for name, i in changed]
            self.now = before
            return made

        carry, operands = ([self.now[name][i] for name, i in keys] for keys in (changed, read))
        first = jnp.zeros((), jnp.int32) if due is None else due.first
        for (name, i), x in zip(changed, when(condition, work, carry, first, *operands), strict=True):
            self.now[name][i] = x

    def _given(self, i: int, arrays: Mapping[str, Array], count: Array) -> Any:
        """The State of a leaf: what it has not is None."""
        values = {n: arrays[n] if n in arrays and self.has(n, i) else None for n in self.now}
        values["count"] = count
        return self.State(**{n: values.get(n) for n in self.State._fields})

    def _blocks(self, name: str, x: Array, cut: Cut) -> Array:
        return self.kinds[name].blocks(x, cut) if name in self.kinds else cut.blocks(x)

    def _whole(self, name: str, x: Array, cut: Cut) -> Array:
        return self.kinds[name].whole(x, cut) if name in self.kinds else cut.whole(x)

    def _probe(self, f: Callable, at: Sequence[int], g: Array | None) -> Probe:
        """What f does."""
        i = at[0]
        cut: Any = self.cuts[i]
        names = [n for n in self.now if self.has(n, i)]
        m, n = cut.block

        def shape(name):
            x = self.now[name][i]
            if name not in self.kinds:
                return jax.ShapeDtypeStruct((1, m, n), x.dtype)
            side = cut.block[self.kinds[name].side]
            return jax.ShapeDtypeStruct(
                (1, side) if self.kinds[name].kind == "values" else (1, side, side), x.dtype
            )

        def flat(g, *arrays):
            u, s = f(g, self._given(i, dict(zip(names, arrays, strict=True)), self.counts[i]))
            return [getattr(s, n) for n in names], u

        like = None if g is None else jax.ShapeDtypeStruct((1, m, n), g.dtype)
        return probe(flat, like, {name: shape(name) for name in names})

    def _named(self, f: Callable, at: Sequence[int], g: Array | None) -> tuple[list[str], list[str], bool]:
        """The fields that f needs to have, those that it changes, and whether it has a u."""
        reads, wrote, updated = self._probe(f, at, g)
        return [n for n in self.now if n in reads or n in wrote], wrote, updated

    def _work(self, f: Callable, i: int, names: Sequence[str], wrote: Sequence[str], known: bool) -> Callable:
        """f on stacks of matrices, of the gradients where they are known and of fields, cut into blocks."""
        cut: Any = self.cuts[i]

        def work(*args):
            *stacks, count = args
            arrays = {n: self._blocks(n, x, cut) for n, x in zip(names, stacks[known:], strict=True)}
            u, s = f(cut.blocks(stacks[0]) if known else None, self._given(i, arrays, count))
            made = [self._whole(n, getattr(s, n).astype(self.now[n][i].dtype), cut) for n in wrote]
            return (*([] if u is None else [cut.whole(u.astype(stacks[0].dtype))]), *made)

        return work

    def _on(self, f: Callable, at: Sequence[int], grads: Sequence[Array] | None, due: Due | None = None):
        """f on the blocks of leaves that are cut alike; the state is changed, the updates returned."""
        i, known = at[0], grads is not None
        names, wrote, updated = self._named(f, at, None if grads is None else grads[0])
        work = self._work(f, i, names, wrote, known)
        arrays = [tuple(self.now[n][j] for n in names) for j in at]
        places = [tuple(self.places[n][j] for n in names) for j in at]
        results = [0] * updated + [names.index(n) + known for n in wrote]
        if grads is not None:
            arrays = [(g, *xs) for g, xs in zip(grads, arrays, strict=True)]
            places = [(self.leaves[j], *ps) for j, ps in zip(at, places, strict=True)]
        found = per_matrix(
            work,
            arrays,
            places,
            results=results,
            due=None if due is None else [due] * len(at),
            shared=[self.counts[i]],
        )
        for j, ys in zip(at, found, strict=True):
            for n, y in zip(wrote, ys[updated:], strict=True):
                self.now[n][j] = y
        return [ys[0] for ys in found] if updated else [None] * len(at)
