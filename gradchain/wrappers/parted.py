"""Parted: a transform that sees some leaves in parts."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax

from gradchain.core import tree
from gradchain.core.codec import Plan
from gradchain.core.transform import Body, Context, Transform

PyTree = Any


class Parted(Body):
    """A subclass says how a tree is taken apart and put together; the state is that of the parts."""

    def __init__(self, inner: Transform):
        self.inner = inner
        self.keys, self.needs = inner.body.keys, inner.body.needs

    def split(self, values: PyTree, like: PyTree) -> PyTree:
        """The tree with a node of parts for each leaf that has some, by the leaves of `like`."""
        raise NotImplementedError

    def joined(self, values: PyTree, like: PyTree) -> PyTree:
        """The other way round."""
        raise NotImplementedError

    def plan(self, plan: Plan, params: PyTree) -> Plan:
        """The plan for the parts: each is read and placed as its leaf is."""
        parts = jax.tree.structure(params).flatten_up_to(self.split(params, params))
        owners = {
            "/".join(filter(None, (path, part))): path
            for path, node in zip(tree.paths(params), parts, strict=True)
            for part in tree.paths(node)
        }
        axes, placed = plan.axes, plan.placed

        def owner(path: str) -> str:
            return owners.get(path, path)

        return dataclasses.replace(
            plan.within(),
            axes=lambda path, shape: axes(owner(path), shape),
            placed=None if placed is None else lambda path, x: placed(owner(path), x),
        )

    def acts(self, params) -> tuple[bool, ...]:
        """Where the inner one acts on any part."""
        treedef, seen = jax.tree.structure(params), self.split(params, params)
        on = jax.tree.structure(seen).unflatten(self.inner.body.acts(seen))
        return tuple(any(jax.tree.leaves(x)) for x in treedef.flatten_up_to(on))

    def slots(self, params, plan) -> dict[str, Any]:
        """The inner slots."""
        return self.inner.body.slots(self.split(params, params), self.plan(plan, params))

    def init(self, params, plan) -> dict[str, Any]:
        """The inner state."""
        return self.inner.body.init(self.split(params, params), self.plan(plan, params))

    def run(self, updates, state, params, ctx: Context):
        """The inner update of the parts."""
        like = updates if params is None else params
        weights = None if params is None else self.split(params, params)
        inside = dataclasses.replace(ctx, plan=self.plan(ctx.plan, like))
        out, new = self.inner.body.run(self.split(updates, like), state, weights, inside)
        return self.joined(out, like), new
