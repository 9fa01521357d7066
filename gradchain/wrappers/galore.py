"""GaLore: any transformation run on gradients projected to few rows or columns."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree, words
from gradchain.core.codec import Plan
from gradchain.core.compose import chain
from gradchain.core.control import when
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Hyper, Period
from gradchain.core.link import leaves_of
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Axes, Leaf, Slot, absent, counter, shared
from gradchain.core.transform import Context, Transform, optimizer, wrapper
from gradchain.math import numerics
from gradchain.matrices import subspace
from gradchain.matrices.per_matrix import sides
from gradchain.matrices.subspace import Shape
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay
from gradchain.wrappers.base import Inner, Wrapper

PyTree = Any


class GaLoreDimensionNumbers(NamedTuple):
    """Which axes of a weight are the rows (reduction) and the columns (output) of its matrix."""

    reduction_axis: int | Sequence[int] = 0
    output_axis: int | Sequence[int] = 1


class ScaleByGaLoreState(NamedTuple):
    count: Array  # [] int32, steps taken
    projector: PyTree  # [k, m, rank], orthonormal columns of each matrix's projected side; else a scalar


def _tuple(axis: Any, rank: int) -> tuple[int, ...]:
    return tuple(a % rank for a in ((axis,) if isinstance(axis, int) else axis))


def axes_of(numbers: Any, leaf: Leaf) -> Axes | None:
    """The axes that dimension numbers mean for a leaf; None leaves it as it is."""
    if numbers is None:
        return None
    rank = len(leaf.shape)
    rows, cols = (_tuple(axis, rank) for axis in numbers) if rank > 1 else ((), ())
    if sorted(rows + cols) != list(range(rank)) or rank < 2:
        raise ValueError(
            f"scale_by_galore: {words.show(numbers)} for the leaf {leaf.path!r} of shape {list(leaf.shape)}; "
            "expected each of its axes once, as row or as column, and None for what is no matrix"
        )
    return Axes((), rows, cols)


class Projected(Wrapper):
    """A wrapper whose transform sees projected leaves."""

    def __init__(self, tx: Transform, rank: int, every: Any, scale: Any, numbers: Any, side: str):
        self.rank, self.every, self.scale, self.numbers, self.side = rank, every, scale, numbers, side
        fields: Any = {"count": shared(counter), "projector": absent}
        super().__init__(ScaleByGaLoreState, tx, self.step, "count", frozenset(), fields)

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
                    f"scale_by_galore: weight_dimension_numbers has {len(given)} entries for {len(leaves)} "
                    "leaves; expected GaLoreDimensionNumbers or None for each"
                )
            found = [axes_of(n, leaf) for n, leaf in zip(given, leaves, strict=True)]
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

        def projector(leaf: Leaf) -> Slot:
            shape = known[leaf.path]
            if shape is None:
                return absent(leaf)
            along = shape.axes.rows if shape.along_rows else shape.axes.cols
            batch = tuple(leaf.shape[i] for i in shape.axes.batch)
            axes = (*shape.axes.batch, along[0] if len(along) == 1 else None, None)
            dtype = numerics.wide_dtype(leaf.dtype)
            return Slot((*batch, shape.side(leaf.shape), shape.rank), dtype, axes, leaf=leaf, exact=True)

        found = copy.copy(self)
        found.fields = {"projector": projector}
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

    def slots(self, params, plan) -> dict[str, Any]:
        """The projectors, and the slots of the projected leaves."""
        own = super(Wrapper, self.of(params, plan)).slots(params, plan)
        return own | self._outer(self.tx.body.slots(self.small(params, plan), plan.within()))

    def init(self, params, plan) -> dict[str, Any]:
        """The same, made."""
        own = super(Wrapper, self.of(params, plan)).slots(params, plan)
        inner = self._outer(self.tx.body.init(self.small(params, plan), plan.within()))
        return jax.tree.map(lambda slot: slot.make(), own) | inner

    def run(self, updates, state, params, ctx: Context):
        """One step, on projected gradients."""
        return super(Projected, self.of(updates if params is None else params, ctx.plan)).run(
            updates, state, params, ctx
        )

    def step(self, inner: Inner, updates, s: ScaleByGaLoreState, state, params):
        """Project, run what is wrapped, and bring its updates back."""
        whole = updates if params is None else params
        leaves = leaves_of(whole, inner.ctx.plan)
        shapes = self.shapes(whole, leaves)
        grads, treedef = jax.tree.flatten(jax.tree.map(tree.wide, updates))
        old, on_state = jax.tree.flatten(s.projector)
        at = [i for i, shape in enumerate(shapes) if shape is not None]
        chosen: list[Any] = [(grads[i], leaves[i], shapes[i]) for i in at]

        def renew(bases, *grads):
            del bases
            return subspace.bases(
                [(g, leaf, shape) for g, (_, leaf, shape) in zip(grads, chosen, strict=True)]
            )

        count = numerics.increment(s.count)
        every = jnp.round(jnp.asarray(self.every)).astype(count.dtype)
        bases = when((count - 1) % every == 0, renew, [old[i] for i in at], *[g for g, _, _ in chosen])
        small = list(grads)
        for i, (g, _, shape), basis in zip(at, chosen, bases, strict=True):
            small[i], old[i] = subspace.down(g, basis, shape), basis
        ctx = dataclasses.replace(inner.ctx.within(), apply=False)
        made, state = self.tx.body.run(treedef.unflatten(small), state, None, ctx)
        out = jax.tree.leaves(made)
        for i, (g, _, shape), basis in zip(at, chosen, bases, strict=True):
            out[i] = self.scale * subspace.up(out[i], basis, g.shape, shape)
        updates = treedef.unflatten([u.astype(g.dtype) for u, g in zip(out, grads, strict=True)])
        if inner.ctx.apply:
            updates = tree.apply_updates(params, updates)
        return updates, s._replace(count=count, projector=on_state.unflatten(old)), state


def _small(x: Any, leaf: Leaf, shape: Shape) -> Any:
    """Zeros for a projected leaf, split over a mesh as the leaf is along the side that stays."""
    slot = Slot(shape.small(leaf.shape), x.dtype, shape.split(leaf), leaf=leaf)
    if isinstance(x, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(slot.shape, slot.dtype, sharding=slot.sharding)
    return slot.make()


def _errors():
    yield ErrorInput({"rank": 0}, ValueError, ("rank is 0", "at least 1"))
    yield ErrorInput({"rank": 2.5}, TypeError, ("rank is 2.5", "a whole number"))
    yield ErrorInput({"side": "left"}, ValueError, ("side is 'left'", "'short' or 'long'"))


Numbers = Any  # GaLoreDimensionNumbers, a tree of these and None, or a function of the parameters giving one
PAPER: Any = {"paper": "arXiv:2403.03507", "traits": frozenset({"matrices"}), "errors": _errors}


@wrapper(**PAPER, example=lambda: {"rank": 3, "update_proj_gap": 2})
def scale_by_galore(
    rank: int = 128,
    update_proj_gap: Period = 200,
    scale: Hyper = 1.0,
    base_optimizer: Any = None,
    weight_dimension_numbers: Numbers = None,
    *,
    side: Literal["short", "long"] = "short",
):
    """Run a transformation (None: scale_by_adam) on gradients projected to `rank` rows or columns.

    every update_proj_gap steps U S V^T = g;  P = U[:, :rank] where rows <= cols, else V[:, :rank]
    u = scale * P base(P^T g), or scale * base(g P) P^T
    What is no matrix goes to the base as it is; the leaf's axes say which are, stacked layers one by one, or
    weight_dimension_numbers: one for all leaves of two axes and more, a tree with None for what is no matrix,
    or a function of the parameters that gives one. The base gets no parameters: decay belongs outside.
    side="long" projects the longer side, as Optax does, of which P is larger and the base's state smaller.
    """
    if rank < 1:
        raise ValueError(f"scale_by_galore: rank is {words.show(rank)}; expected at least 1")
    base = scale_by_adam() if base_optimizer is None else as_transform(base_optimizer, "scale_by_galore")
    return Projected(base, rank, update_proj_gap, scale, weight_dimension_numbers, side)


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.1, "rank": 3, "update_proj_gap": 2})
def galore(
    learning_rate: Hyper,
    rank: int = 128,
    update_proj_gap: Period = 200,
    scale: Hyper = 1.0,
    base_optimizer: Any = None,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    weight_dimension_numbers: Numbers = None,
    *,
    side: Literal["short", "long"] = "short",
):
    """GaLore: p = p - lr * (u + weight_decay * p), see `scale_by_galore`."""
    return chain(
        scale_by_galore(rank, update_proj_gap, scale, base_optimizer, weight_dimension_numbers, side=side),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
