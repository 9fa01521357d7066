"""Dimension numbers: Optax's way to say which axes of a leaf are rows and columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from gradchain.core import returned, select, tree, words
from gradchain.core.codec import Plan
from gradchain.core.slots import Axes, Leaf
from gradchain.core.transform import Body, Context, Transform

PyTree = Any


class MuonDimensionNumbers(NamedTuple):
    """Which axes of a weight are summed over, x W = y (its rows), and which are y's (its columns).

    Negative ones count from the last; the others are a stack of matrices.
    """

    reduction_axis: Sequence[int] | int = 0
    output_axis: Sequence[int] | int = 1


Dimensions = MuonDimensionNumbers | Mapping[str, Any] | Sequence[Any] | Callable | None


def matrices_alone(params: PyTree) -> PyTree:
    """The dimension numbers that Optax takes where it is given none: Muon for all leaves of two axes."""
    return jax.tree.map(lambda x: MuonDimensionNumbers() if x.ndim == 2 else None, params)


def axes_of(numbers: MuonDimensionNumbers, path: str, rank: int) -> Axes:
    """The axes of a leaf that dimension numbers mean."""
    rows, cols = ((a,) if isinstance(a, int) else tuple(a) for a in numbers)
    given = (*rows, *cols)
    taken = [a + rank if a < 0 else a for a in given]
    if not rows or not cols or len(set(taken)) < len(taken) or not all(0 <= a < rank for a in taken):
        raise ValueError(
            f"muon: {numbers} for {path!r}, which has {rank} axes; expected at least one axis of each kind, "
            f"all different, from {-rank} to {rank - 1}; None leaves it to Adam"
        )
    rows, cols = tuple(taken[: len(rows)]), tuple(taken[len(rows) :])
    return Axes(tuple(a for a in range(rank) if a not in taken), rows, cols)


@dataclasses.dataclass(frozen=True)
class _Entry:
    """Dimension numbers, or None, as one leaf of a tree."""

    numbers: MuonDimensionNumbers | None


def _is_entry(node) -> bool:
    return node is None or isinstance(node, MuonDimensionNumbers)


def numbers_of(given: Dimensions, params: PyTree, whole: PyTree = None) -> list[MuonDimensionNumbers | None]:
    """The dimension numbers of each leaf of `params`, from a tree of them, which may be a prefix.

    A function of the parameters is given `whole`, where `params` is a part of it.
    """
    if callable(given):
        f, given = given, given(params if whole is None else whole)
        if given is None:
            raise returned.wrong(
                None, "muon", "weight_dimension_numbers", f, "a tree of MuonDimensionNumbers"
            )

    def entry(node) -> _Entry:
        if not _is_entry(node):
            raise TypeError(
                f"muon: {words.show(node)} among the dimension numbers; expected a tree of "
                "MuonDimensionNumbers, and of None for leaves without"
            )
        return _Entry(node)

    found = select.values(jax.tree.map(entry, given, is_leaf=_is_entry), params)
    for path, one in zip(tree.paths(params), found, strict=True):
        if one is None:
            raise ValueError(f"muon: no dimension numbers for {path!r}; expected None for a leaf without")
    return [one.numbers for one in found]


def read(leaves: Sequence[Leaf], given: Dimensions, params: PyTree) -> list[Leaf]:
    """The leaves with the axes that dimension numbers say; those without keep their own."""
    return [
        leaf if n is None else dataclasses.replace(leaf, axes=axes_of(n, leaf.path, len(leaf.shape)))
        for leaf, n in zip(leaves, numbers_of(given, params), strict=True)
    ]


class Dimensioned(Body):
    """A transform whose leaves are read by dimension numbers."""

    def __init__(self, inner: Transform, given: Dimensions):
        self.inner, self.given = inner, given
        self.keys, self.needs = inner.body.keys, inner.body.needs

    def plan(self, plan: Plan, params: PyTree) -> Plan:
        """The plan with these axes before its own."""
        found = dict(zip(tree.paths(params), numbers_of(self.given, params, plan.whole), strict=True))

        def rule(path: str, shape: tuple[int, ...]) -> Axes:
            numbers = found.get(path)
            return plan.axes(path, shape) if numbers is None else axes_of(numbers, path, len(shape))

        return dataclasses.replace(plan, axes=rule)

    def slots(self, params, plan) -> dict[str, Any]:
        """The inner slots."""
        return self.inner.body.slots(params, self.plan(plan, params))

    def init(self, params, plan) -> dict[str, Any]:
        """The inner state."""
        return self.inner.body.init(params, self.plan(plan, params))

    def run(self, updates, state, params, ctx: Context):
        """The inner update."""
        plan = self.plan(ctx.plan, updates if params is None else params)
        return self.inner.body.run(updates, state, params, dataclasses.replace(ctx, plan=plan))


def dimensioned(tx: Transform, given: Dimensions) -> Transform:
    """The transform with its leaves read by dimension numbers."""
    return dataclasses.replace(tx, body=Dimensioned(tx, given).bind(tx.recipe))
