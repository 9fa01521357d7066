"""The engine of preconditioners: factors for the sides of matrices, in blocks, renewed in some steps.

A rule works on stacks of blocks: g, moments [k, m, n]; factors [k, m, m], [k, n, n], None for a side without.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import place, tree
from gradchain.core.control import when
from gradchain.core.link import Treewise, treewise
from gradchain.core.slots import Axes, Leaf, Slot, SlotMaker, absent
from gradchain.math.numerics import bounded
from gradchain.matrices import refresh
from gradchain.matrices.factors import Cut, Factor, Factors, Otherwise
from gradchain.matrices.per_matrix import Due, per_matrix, sides
from gradchain.matrices.spread import cost


def times(*xs: Array | None) -> Array:
    """The product of stacks of matrices, in their own precision, from the left; None is the unit matrix."""
    matmul = functools.partial(jnp.matmul, precision="highest")
    return functools.reduce(matmul, [x for x in xs if x is not None])


def known(f: Callable, x: Any, *rest: Any) -> Any:
    """f(x, *rest), and None where x is None: what a block has not."""
    return None if x is None else f(x, *rest)


def preconditioned(
    State: type,
    update: Callable,
    renew: Callable | None = None,
    *,
    who: str,
    factors: Factors,
    every: int = 1,
    accumulate: Callable | None = None,
    start: Callable | None = None,
    **fields: SlotMaker | Factor | Otherwise,
) -> Treewise:
    """A link with factors: update(g, s) -> (u, s) on blocks in every step, renew(s) -> s each `every` steps.

    s is the State of one stack of blocks: moments like g, factors by side, None for what a leaf has not;
    s.count is the number of this step. A leaf without factors is updated as it is, elementwise.
    renew follows the update; where accumulate(g, s) -> s is given, the order is accumulate, renew, update.
    In the first step `start` (default: renew) does it for all matrices; afterwards matrix i of a stack is
    due each `every` steps, different matrices in different ones (`refresh.offsets`). Derivatives of start and
    renew are 0. What a function returns as it was is not written, what it does not read not carried.
    """
    factors.check(who)
    if not 1 <= every < 2**31:
        raise ValueError(f"{who}: precondition_frequency is {every}; expected at least 1 and below 2**31")
    kinds = {name: f for name, f in fields.items() if isinstance(f, Factor)}
    others = {name: f for name, f in fields.items() if isinstance(f, Otherwise)}

    def maker(name: str) -> SlotMaker:
        field: Any = fields[name]
        if name in kinds:
            return lambda leaf: field.slot(leaf, factors.cut(leaf))
        if name in others:
            return lambda leaf: absent(leaf) if factors.cut(leaf) else field.slot(leaf)
        return field

    slots = {name: maker(name) for name in fields}

    def run(updates, s, params, *, leaves: list[Leaf], counts: list[Array]):
        grads, treedef = jax.tree.flatten(jax.tree.map(lambda g: bounded(tree.wide(g)), updates))
        engine = _Engine(State, kinds, others, slots, factors, leaves, counts, s, grads)
        if (gather := accumulate) is not None:
            engine.each(lambda g, s: (None, gather(g, s)), grads)
            engine.renew(renew, start, every)
        out = engine.each(update, grads)
        if accumulate is None:
            engine.renew(renew, start, every)
        return treedef.unflatten(out), engine.state(s)

    return treewise(State, run, params=False, **slots)


class _Probe(NamedTuple):
    """What a function of a rule does: the fields that it reads, those that it changes, whether it has a u."""

    reads: list[str]
    wrote: list[str]
    updated: bool


class _Engine:
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
        f = lambda s: jax.lax.stop_gradient(renew(s))  # noqa: E731
        if every == 1 and start is None:
            for at in self._alike():
                self._on(lambda _, s: (None, f(s)), at, None)
            return
        first = start or renew
        begin = lambda s: jax.lax.stop_gradient(first(s))  # noqa: E731
        for at in self._groups([None] * len(self.leaves)):
            self._when(self.counts[at[0]] == 1, begin, at, None)
        own = [i for i, cut in enumerate(self.cuts) if cut is not None]
        sizes = [(sides(self.leaves[i].shape, self.leaves[i].axes)) for i in own]
        found = refresh.offsets([k for k, *_ in sizes], [cost((m, n)) for _, m, n in sizes], every)
        parts: list[Any] = [None] * len(self.leaves)
        for i, (k, *_), offset in zip(own, sizes, found, strict=True):
            parts[i] = (offset, min(k, every))
        for at in self._groups(parts):
            offset, k = parts[at[0]]
            due = refresh.due(self.counts[at[0]], offset, every)
            later = self.counts[at[0]] > 1
            self._when(later if k == every else later & (due.first < k), f, at, due)

    def _groups(self, keys: Sequence[Any]) -> list[list[int]]:
        """The leaves with factors that share a key and a count."""
        found: dict[Any, list[int]] = {}
        for i, cut in enumerate(self.cuts):
            if cut is not None:
                found.setdefault((keys[i], id(self.counts[i])), []).append(i)
        return list(found.values())

    def _alike(self, among: Sequence[int] | None = None) -> list[list[int]]:
        """The leaves that are cut alike."""
        groups = self._groups(list(zip(self.cuts, self.dtypes, strict=True)))
        return groups if among is None else [g for g in ([i for i in g if i in among] for g in groups) if g]

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

    def _probe(self, f: Callable, at: Sequence[int], g: Array | None) -> _Probe:
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
        jaxpr = jax.make_jaxpr(flat)(like, *map(shape, names)).jaxpr
        own, last = jaxpr.invars[len(jaxpr.invars) - len(names) :], jaxpr.outvars[len(names) :]
        wrote = [n for n, a, b in zip(names, own, jaxpr.outvars, strict=False) if a is not b]
        made = [v for n, v in zip(names, jaxpr.outvars, strict=False) if n in wrote]
        used = {id(v) for v in (*made, *last, *(v for eqn in jaxpr.eqns for v in eqn.invars))}
        return _Probe([n for n, v in zip(names, own, strict=True) if id(v) in used], wrote, bool(last))

    def _on(self, f: Callable, at: Sequence[int], grads: Sequence[Array] | None, due: Due | None = None):
        """f on the blocks of leaves that are cut alike; the state is changed, the updates returned."""
        i = at[0]
        cut: Any = self.cuts[i]
        reads, wrote, updated = self._probe(f, at, None if grads is None else grads[0])
        names = [n for n in self.now if n in reads or n in wrote]
        known = grads is not None

        def work(*args):
            *stacks, count = args
            arrays = {n: self._blocks(n, x, cut) for n, x in zip(names, stacks[known:], strict=True)}
            u, s = f(cut.blocks(stacks[0]) if known else None, self._given(i, arrays, count))
            made = [self._whole(n, getattr(s, n).astype(self.now[n][i].dtype), cut) for n in wrote]
            return (*([] if u is None else [cut.whole(u.astype(stacks[0].dtype))]), *made)

        arrays = [tuple(self.now[n][j] for n in names) for j in at]
        places = [tuple(self.places[n][j] for n in names) for j in at]
        results = [0] * updated + [names.index(n) + known for n in wrote]
        if known:
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
