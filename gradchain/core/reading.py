"""with_axes: which axes of a leaf are a stack, rows and columns, where the names of its path do not tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from gradchain.core import select, tree, words
from gradchain.core.codec import Plan
from gradchain.core.foreign import as_transform
from gradchain.core.slots import Axes, axes_rule
from gradchain.core.transform import Body, Context, Transform, example, transform


class Reading(Body):
    """A transform whose leaves are read by another rule of axes."""

    def __init__(self, inner: Transform, axes: Mapping[str, str]):
        self.inner, self.axes = inner, dict(axes)
        self.keys, self.needs = inner.body.keys, inner.body.needs
        for letters in self.axes.values():
            Axes.parse(letters)

    def plan(self, plan: Plan) -> Plan:
        """The plan with these axes before its own."""
        return dataclasses.replace(plan, axes=axes_rule(self.axes, plan.axes, select.matches))

    def slots(self, params, plan) -> dict[str, Any]:
        """The inner slots."""
        self.check(params)
        return self.inner.body.slots(params, self.plan(plan))

    def init(self, params, plan) -> dict[str, Any]:
        """The inner state."""
        self.check(params)
        return self.inner.body.init(params, self.plan(plan))

    def check(self, params) -> None:
        """Raise for a pattern that no leaf matches."""
        paths = tree.paths(params)
        for pattern in self.axes:
            if not any(select.matches(pattern, path) for path in paths):
                there = ", ".join(map(repr, paths[:4]))
                raise ValueError(f"with_axes: no leaf matches {words.show(pattern)}; there are {there}")

    def run(self, updates, state, params, ctx: Context):
        """The inner update."""
        return self.inner.body.run(updates, state, params, dataclasses.replace(ctx, plan=self.plan(ctx.plan)))


@transform(example=lambda: {"inner": example("scale_by_adam"), "axes": {}})
def with_axes(inner: Any, axes: Mapping[str, str]):
    """Say which axes of some leaves are a stack, rows and columns: with_axes(muon(0.02), {"**/qkv": "rbcc"}).

    `axes` maps patterns of paths to one letter for each axis: b (a stack of layers, heads or experts), r
    (rows) or c (columns); several axes of a letter are taken together. Used by everything that is not
    elementwise: factored moments, trust ratios, norms of blocks, matrix methods. Other leaves are read by
    their names, as Flax calls them: kernels, convolutions, attention, embeddings, stacks for scan.
    Raises ValueError for a pattern that no leaf matches, and for letters that do not fit a leaf's rank.
    """
    return Reading(as_transform(inner, "with_axes"), axes)
