"""Branches that run beside each other on the same gradients, and one set of updates made of theirs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.core import returned, tree, words
from gradchain.core.complaints import check_entries
from gradchain.core.foreign import as_transform
from gradchain.core.link import leaves_of
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import Leaf
from gradchain.core.transform import Body, Context, Inside, Transform, example, wrapper
from gradchain.math.numerics import norm, real_dtype, safe_divide

PyTree = Any
Merge = Callable[[dict[str, PyTree], list[Leaf]], PyTree]


class Parallel(Body):
    """Transforms that each see the same updates; merge({name: updates}, leaves) makes one of theirs."""

    def __init__(self, branches: Mapping[str, Transform], merge: Merge):
        self.branches, self.merge = dict(branches), merge
        self.keys = tuple(name for name, tx in self.branches.items() if tx.body.keys)
        self.needs = frozenset().union(*(tx.body.needs for tx in self.branches.values()))

    def inside(self) -> list[Inside]:
        """The transform of each branch."""
        return [
            Inside(tx, {k: (name, k) for k in tx.body.keys}, (name,)) for name, tx in self.branches.items()
        ]

    def slots(self, params, plan) -> dict[str, Any]:
        """The slots of each branch under its name."""
        return {k: self.branches[k].body.slots(params, plan) for k in self.keys}

    def init(self, params, plan) -> dict[str, Any]:
        """The state of each branch under its name."""
        return {k: self.branches[k].body.init(params, plan) for k in self.keys}

    def run(self, updates, state, params, ctx: Context):
        """Every branch in turn, and what their updates are merged to."""
        made, new = {}, {}
        for name, tx in self.branches.items():
            own = state.get(name, {})
            check_entries(own, tx.body.keys, f"{self.recipe.factory.name}({name!r})")
            made[name], found = tx.body.run(updates, own, params, Context(ctx.extra, False, ctx.plan))
            if name in self.keys:
                new[name] = found
        leaves = [leaf.bare() for leaf in leaves_of(updates if params is None else params, ctx.plan)]
        out = self.merge(made, leaves)
        tree.same_structure({"the gradients": updates, "what was merged": out}, self.recipe.factory.name)
        return (tree.apply_updates(params, out) if ctx.apply else out), new


@jax.jit
def _combined(weights: list[float], xs: list):
    """The sum of weight * x."""
    rows = [(w, tree.wide(x)) for w, x in zip(weights, xs, strict=True)]
    return functools.reduce(jnp.add, [jnp.asarray(w, real_dtype(x)) * x for w, x in rows])


def _weighted(weights: Sequence[float]) -> Merge:
    def merge(made, leaves):
        return jax.tree.map(lambda *xs: _combined(list(weights), list(xs)), *made.values())

    return merge


def _merged(f: Callable[[Any], Any]) -> Merge:
    def merge(made, leaves):
        return returned.updates(f(made), next(iter(made.values())), "parallel", "merge", f)

    return merge


@wrapper(
    example=lambda: {"branches": {"adam": example("adam"), "sgd": example("sgd")}, "merge": "mean"},
    errors=lambda: [
        ErrorInput({"branches": {}}, ValueError, ("branches is {}", "at least one")),
        ErrorInput(
            {"branches": {"a": 3}}, TypeError, ("parallel['a']", "3 is not a gradient transformation")
        ),
        ErrorInput({"weights": {"adam": 0.5}}, ValueError, ("'sgd' has no weight", "0.0")),
        ErrorInput({"weights": {"adam": 0.5, "sgd": 1, "c": 2}}, ValueError, ("'c'", "no branch")),
        ErrorInput({"merge": lambda: None}, TypeError, ("merge is", "a function of one argument")),
        ErrorInput(
            {"weights": {"adam": "1", "sgd": 1}}, TypeError, ("the weight of 'adam' is '1'", "a number")
        ),
        ErrorInput({"merge": "median"}, ValueError, ("merge is 'median'", "'sum', 'mean' or a function")),
    ],
    near=("chain", "partition", "grafting"),
)
def parallel(
    branches: Mapping[str, Any],
    *,
    weights: Mapping[str, float] | None = None,
    merge: str | Callable[[Any], Any] = "sum",
):
    """Run transformations beside each other on the same gradients, and merge their updates.

    u = sum over branches of weights[name] * u_name; without weights merge="sum" or "mean" of them, or a
    function merge({name: updates}) -> updates. The state of a branch is kept under its name. A weight that
    changes is a link at the end of its branch: scale_by_schedule(...).
    """
    if not branches:
        raise ValueError(
            f"parallel: branches is {words.show(branches)}; expected at least one transformation"
        )
    made = {str(name): as_transform(tx, f"parallel[{name!r}]") for name, tx in branches.items()}
    if callable(merge):
        if weights is not None:
            raise ValueError("parallel: weights and a function for merge are two ways to merge; give one")
        return Parallel(made, _merged(merge))
    if merge not in ("sum", "mean"):
        raise ValueError(f"parallel: merge is {words.show(merge)}; expected 'sum', 'mean' or a function")
    given = weights if weights is not None else dict.fromkeys(made, 1.0)
    for name in given:
        if name not in made:
            raise ValueError(f"parallel: weights has {words.show(name)}, and no branch has that name")
    for name in made:
        if not isinstance(given.get(name, 0), int | float | np.number | jax.Array):
            raise TypeError(
                f"parallel: the weight of {name!r} is {words.show(given[name])}; expected a number"
            )
        if name not in given:
            raise ValueError(
                f"parallel: {name!r} has no weight; expected a number for each branch, 0.0 for none"
            )
    share = 1 / len(made) if merge == "mean" and weights is None else 1.0
    return Parallel(made, _weighted([share * given[name] for name in made]))


def _lengths(xs: list, leaves: list[Leaf], over: str) -> list:
    """The norm that each array is measured by, with axes to divide it by."""
    if over == "tree":
        return [tree.global_norm(xs)] * len(xs)
    axes = [leaf.axes.matrix if over == "layer" else None for leaf in leaves]
    return [_length(x, a) for x, a in zip(xs, axes, strict=True)]


@functools.partial(jax.jit, static_argnums=1)
def _length(x, axes):
    return norm(tree.wide(x), axes, keepdims=True)


@jax.jit
def _grafted(u, length, wanted):
    u = tree.wide(u)
    return u * safe_divide(wanted, length).astype(real_dtype(u))


@wrapper(
    paper="arXiv:2002.11803",
    traits=frozenset({"matrices"}),
    example=lambda: {"direction": example("adam"), "magnitude": example("sgd")},
    near=("parallel", "lamb", "scale_by_trust_ratio"),
)
def grafting(direction: Any, magnitude: Any, *, over: Literal["layer", "leaf", "tree"] = "layer"):
    """Step in the direction of one optimizer, as far as another one would have gone.

    u = d * |m| / |d|, d the updates of direction and m those of magnitude; 0 where d is
    Norms are those of each layer of a leaf, as its axes say, of whole leaves, or of the whole tree. Both see
    the same gradients and keep their states, under "direction" and "magnitude".
    """

    def merge(made, leaves):
        d, treedef = jax.tree.flatten(made["direction"])
        m = jax.tree.leaves(made["magnitude"])
        rows = zip(d, _lengths(d, leaves, over), _lengths(m, leaves, over), strict=True)
        return treedef.unflatten([_grafted(*row) for row in rows])

    both = {"direction": direction, "magnitude": magnitude}
    return Parallel({k: as_transform(tx, f"grafting({k})") for k, tx in both.items()}, merge)
