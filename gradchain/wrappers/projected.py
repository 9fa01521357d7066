"""Transforms run on gradients projected to few rows or columns: what GaLore, Fira and APOLLO share."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree, words
from gradchain.core.codec import Plan
from gradchain.core.control import when
from gradchain.core.link import leaves_of
from gradchain.core.slots import Axes, Leaf, Slot, absent, counter, shared
from gradchain.core.transform import Context, Transform
from gradchain.math import numerics
from gradchain.matrices import subspace
from gradchain.matrices.per_matrix import sides
from gradchain.matrices.subspace import Shape
from gradchain.wrappers.base import Inner, Wrapper

PyTree = Any
Numbers = Any  # GaLoreDimensionNumbers, a tree of these and None, or a function of the parameters giving one


class GaLoreDimensionNumbers(NamedTuple):
    """Which axes of a weight are the rows (reduction) and the columns (output) of its matrix."""

    reduction_axis: int | Sequence[int] = 0
    output_axis: int | Sequence[int] = 1


def _tuple(axis: Any, rank: int) -> tuple[int, ...]:
    return tuple(a % rank for a in ((axis,) if isinstance(axis, int) else axis))


def axes_of(numbers: Any, leaf: Leaf, who: str) -> Axes | None:
    """The axes that dimension numbers mean for a leaf; None leaves it as it is."""
    if numbers is None:
        return None
    rank = len(leaf.shape)
    rows, cols = (_tuple(axis, rank) for axis in numbers) if rank > 1 else ((), ())
    if sorted(rows + cols) != list(range(rank)) or rank < 2:
        raise ValueError(
            f"{who}: {words.show(numbers)} for the leaf {leaf.path!r} of shape {list(leaf.shape)}; "
            "expected each of its axes once, as row or as column, and None for what is no matrix"
        )
    return Axes((), rows, cols)


class Projected(Wrapper):
    """A wrapper whose transform sees projected leaves."""

    per_leaf: tuple[str, ...] = ("projector",)  # the fields of its state that are kept for each leaf

    def __init__(
        self, who: str, State, tx: Transform, rank: int, every: Any, scale: Any, numbers: Any, side: str
    ):
        if rank < 1:
            raise ValueError(f"{who}: rank is {words.show(rank)}; expected at least 1")
        self.who, self.rank, self.every, self.scale = who, rank, every, scale
        self.numbers, self.side = numbers, side
        fields: Any = {"count": shared(counter), **dict.fromkeys(self.per_leaf, absent)}
        super().__init__(State, tx, self.step, "count", frozenset(), fields)

    def kept(self, field: str, leaf: Leaf, shape: Shape) -> Slot:
        """The slot of a field, for a leaf that is projected."""
        along = shape.axes.rows if shape.along_rows else shape.axes.cols
        axes = (*shape.axes.batch, along[0] if len(along) == 1 else None, None)
        return Slot(
            self.basis_shape(leaf.shape, shape), numerics.wide_dtype(leaf.dtype), axes, leaf=leaf, exact=True
        )

    @staticmethod
    def basis_shape(size: Sequence[int], shape: Shape) -> tuple[int, ...]:
        """Of the bases of a leaf: [*batch, side, rank]."""
        return (*(size[i] for i in shape.axes.batch), shape.side(size), shape.rank)

    def bases(
        self, old: dict[str, list[Array]], chosen: list[tuple[Array, Leaf, Shape]], count: Array
    ) -> list[Array]:
        """The bases of this step, one for each leaf that is projected, from the fields kept of each."""

        def renew(bases, *grads):
            del bases
            return subspace.bases(
                [(g, leaf, shape) for g, (_, leaf, shape) in zip(grads, chosen, strict=True)]
            )

        due = (count - 1) % self.period(count) == 0
        return when(due, renew, old["projector"], *[g for g, _, _ in chosen])

    def period(self, count: Array) -> Array:
        """Of how many steps one finds new bases, as a number of the counter's dtype."""
        return jnp.round(jnp.asarray(self.every)).astype(count.dtype)

    def back(self, u: Array, r: Array, g: Array, basis: Array, shape: Shape, kept: dict[str, Array]):
        """The update for g, from u that the transform made of its projection r, and what is kept of it."""
        del r
        return self.scale * subspace.up(u, basis, g.shape, shape), kept

    def shapes(self, params: PyTree, leaves: Sequence[Leaf]) -> list[Shape | None]:
        """How each leaf is projected; None for those that are not."""
        numbers = self.numbers
        if numbers is None:
            found = [leaf.axes if leaf.axes.rows and leaf.axes.cols else None for leaf in leaves]
        else:
            given: Any = [numbers if len(leaf.shape) > 1 else None for leaf in leaves]
            if not isinstance(numbers, GaLoreDimensionNumbers):
                made = numbers(params) if callable(numbers) else numbers
                given = jax.tree.leaves(
                    made, is_leaf=lambda x: x is None or isinstance(x, GaLoreDimensionNumbers)
                )
            if len(given) != len(leaves):
                raise ValueError(
                    f"{self.who}: weight_dimension_numbers has {len(given)} entries for "
                    f"{len(leaves)} leaves; expected GaLoreDimensionNumbers or None for each"
                )
            found = [axes_of(n, leaf, self.who) for n, leaf in zip(given, leaves, strict=True)]
        return [self.shape(leaf.shape, axes) for leaf, axes in zip(leaves, found, strict=True)]

    def shape(self, shape: Sequence[int], axes: Axes | None) -> Shape | None:
        """How a leaf with these axes is projected."""
        if axes is None or 0 in shape:
            return None
        _, rows, cols = sides(shape, axes)
        along_rows = rows <= cols if self.side == "short" else rows >= cols
        return Shape(axes, along_rows, min(self.rank, rows, cols))

    def of(self, params: PyTree, plan: Plan) -> Projected:
        """Itself, knowing which leaves of these parameters it projects."""
        leaves = leaves_of(params, plan)
        known = dict(zip([leaf.path for leaf in leaves], self.shapes(params, leaves), strict=True))

        def slot(field: str):
            def make(p: Leaf) -> Slot:
                shape = known[p.path]
                return absent(p) if shape is None else self.kept(field, p, shape)

            return make

        found = copy.copy(self)
        found.fields = {field: slot(field) for field in self.per_leaf}
        return found

    def small(self, params: PyTree, plan: Plan) -> PyTree:
        """What the wrapped transform takes for parameters: zeros of the projected shapes, or their shapes."""
        leaves = leaves_of(params, plan)
        flat, treedef = jax.tree.flatten(params)
        out = [
            x if shape is None else _small(x, leaf, shape)
            for x, leaf, shape in zip(flat, leaves, self.shapes(params, leaves), strict=True)
        ]
        return treedef.unflatten(out)

    def plan(self, params: PyTree, plan: Plan) -> Plan:
        """The plan for the wrapped transform, with projected leaves where the sides that stay are put."""
        if plan.placed is None:
            return plan.within()
        leaves = leaves_of(params, plan)
        at = {
            leaf.path: leaf.sharding if shape is None else _slot(leaf, shape).sharding
            for leaf, shape in zip(leaves, self.shapes(params, leaves), strict=True)
        }
        return dataclasses.replace(plan.within(), placed=lambda path, _: at[path])

    def slots(self, params, plan) -> dict[str, Any]:
        """The projectors, and the slots of the projected leaves."""
        own = super(Wrapper, self.of(params, plan)).slots(params, plan)
        return own | self._outer(self.tx.body.slots(self.small(params, plan), self.plan(params, plan)))

    def init(self, params, plan) -> dict[str, Any]:
        """The same, made."""
        own = super(Wrapper, self.of(params, plan)).slots(params, plan)
        inner = self._outer(self.tx.body.init(self.small(params, plan), self.plan(params, plan)))
        return jax.tree.map(lambda slot: slot.make(), own) | inner

    def run(self, updates, state, params, ctx: Context):
        """One step, on projected gradients."""
        return super(Projected, self.of(updates if params is None else params, ctx.plan)).run(
            updates, state, params, ctx
        )

    def step(self, inner: Inner, updates, s, state, params):
        """Project, run what is wrapped, and bring its updates back."""
        whole = updates if params is None else params
        leaves = leaves_of(whole, inner.ctx.plan)
        shapes = self.shapes(whole, leaves)
        grads, treedef = jax.tree.flatten(jax.tree.map(tree.wide, updates))
        kept = {f: jax.tree.leaves(getattr(s, f)) for f in self.per_leaf}
        at = [i for i, shape in enumerate(shapes) if shape is not None]
        chosen: list[Any] = [(grads[i], leaves[i], shapes[i]) for i in at]
        count = numerics.increment(s.count)
        bases = self.bases({f: [xs[i] for i in at] for f, xs in kept.items()}, chosen, count)
        small = list(grads)
        for i, (g, _, shape), basis in zip(at, chosen, bases, strict=True):
            small[i] = subspace.down(g, basis, shape)
        plan = self.plan(whole, inner.ctx.plan)
        ctx = dataclasses.replace(inner.ctx.within(), apply=False, plan=plan)
        made, state = self.tx.body.run(treedef.unflatten(small), state, None, ctx)
        out = jax.tree.leaves(made)
        for i, (g, _, shape), basis in zip(at, chosen, bases, strict=True):
            row = {f: column[i] for f, column in kept.items()} | self.remembered(basis)
            out[i], row = self.back(out[i], small[i], g, basis, shape, row)
            for f, x in row.items():
                kept[f][i] = x
        updates = treedef.unflatten([u.astype(g.dtype) for u, g in zip(out, grads, strict=True)])
        if inner.ctx.apply:
            updates = tree.apply_updates(params, updates)
        new = {f: jax.tree.structure(getattr(s, f)).unflatten(column) for f, column in kept.items()}
        return updates, s._replace(count=count, **new), state

    def remembered(self, basis: Array) -> dict[str, Array]:
        """What of the basis of this step is kept."""
        return {"projector": basis}


def _slot(leaf: Leaf, shape: Shape) -> Slot:
    """A projected leaf, split over a mesh as the leaf is along the side that stays."""
    return Slot(shape.small(leaf.shape), leaf.dtype, shape.split(leaf), leaf=leaf)


def _small(x: Any, leaf: Leaf, shape: Shape) -> Any:
    """Zeros for a projected leaf."""
    slot = _slot(leaf, shape)
    if isinstance(x, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(slot.shape, slot.dtype, sharding=slot.sharding)
    return slot.make()
