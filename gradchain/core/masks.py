"""Transforms of some leaves only: masked, partition and freeze, all by path."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gradchain.core import select, tree, words
from gradchain.core.complaints import check_entries
from gradchain.core.foreign import as_transform
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.transform import Body, Context, Inside, Transform, example, transform
from gradchain.core.tree import merge, subtree


class Masked(Body):
    """A transform on some leaves; the others pass through and hold no state."""

    def __init__(self, inner: Transform, mask: Selection, extra: bool = False):
        self.inner, self.mask, self.masks_extra = inner, mask, extra
        self.keys, self.needs = inner.body.keys, inner.body.needs

    def picked(self, params, whole=None) -> tuple[bool, ...]:
        """Which leaves the transform acts on."""
        return select.chosen(self.mask, params, f"masked({self.inner.name})", whole)

    def inside(self) -> list[Inside]:
        """The inner transform, on the chosen leaves."""
        return [dataclasses.replace(inside, picked=self.picked) for inside in super().inside()]

    def slots(self, params, plan) -> dict[str, Any]:
        """The inner slots of the chosen leaves."""
        return self.inner.body.slots(subtree(params, self.picked(params, plan.whole)), plan.within())

    def init(self, params, plan) -> dict[str, Any]:
        """The inner state of the chosen leaves."""
        return self.inner.body.init(subtree(params, self.picked(params, plan.whole)), plan.within())

    def run(self, updates, state, params, ctx: Context):
        """Run the inner transform on a dict of the chosen leaves."""
        picked = self.picked(updates if params is None else params, ctx.plan.whole)
        weights = None if params is None else subtree(params, picked)
        part = _of_part(ctx, updates, picked) if self.masks_extra else ctx
        inner, new = self.inner.body.run(
            subtree(updates, picked), state, weights, part.within(params, picked)
        )
        if not ctx.apply:
            return merge(updates, inner), new
        rest = subtree(updates, [not c for c in picked])
        applied = tree.apply_updates(subtree(params, [not c for c in picked]), rest)
        return merge(params, {**inner, **applied}), new


def _of_part(ctx: Context, updates, picked: Sequence[bool]) -> Context:
    """The context of a part of the leaves: of extra arguments that are trees like the updates, that part."""
    whole = jax.tree.structure(updates)
    alike = {k: x for k, x in ctx.extra.items() if jax.tree.structure(x) == whole}
    parts = {k: subtree(x, picked) for k, x in alike.items()}
    return dataclasses.replace(ctx, extra={**ctx.extra, **parts})


@transform(example=lambda: {"inner": example("scale_by_adam"), "mask": "**"})
def masked(inner: Any, mask: Selection, *, mask_compatible_extra_args: bool = False):
    """Apply a transformation to the leaves a selection chooses; the others pass through and hold no state.

    `mask` is a glob on the path ("**/kernel"), a compiled regular expression, a list of those, a predicate
    (path, leaf) -> bool, or a tree of booleans that may be a prefix of the parameters.
    mask_compatible_extra_args: of an extra argument that is a tree like the updates, such as other gradients,
    the transformation gets the chosen leaves, too.
    """
    return Masked(as_transform(inner, "masked"), mask, mask_compatible_extra_args)


class Freeze(Body):
    """Zero updates for some leaves."""

    def __init__(self, mask: Selection):
        self.mask = mask

    def slots(self, params, plan) -> dict[str, Any]:
        """Nothing is kept."""
        return {}

    def acts(self, params) -> tuple[bool, ...]:
        """On none: there is nothing to compute of a zero."""
        return (False,) * len(jax.tree.leaves(params))

    def run(self, updates, state, params, ctx: Context):
        """Zeros for the chosen leaves, the others as they come."""
        picked = select.chosen(self.mask, updates if params is None else params, "freeze", ctx.plan.whole)
        zeros = {k: jnp.zeros_like(x) for k, x in subtree(updates, picked).items()}
        updates = merge(updates, zeros)
        return (tree.apply_updates(params, updates) if ctx.apply else updates), {}


class Frozen(Masked):
    """A chain that leaves some leaves alone: no state, no work, zero updates."""

    def __init__(self, inner: Transform, masks: Sequence[Selection]):
        super().__init__(inner, None)
        self.masks = list(masks)

    def picked(self, params, whole=None) -> tuple[bool, ...]:
        """The leaves that are not frozen."""
        frozen = [select.chosen(mask, params, "freeze", whole) for mask in self.masks]
        return tuple(not any(row) for row in zip(*frozen, strict=True))

    def run(self, updates, state, params, ctx: Context):
        """Zeros where frozen: XLA then drops the gradients that nothing uses."""
        picked = self.picked(updates if params is None else params, ctx.plan.whole)
        weights = None if params is None else subtree(params, picked)
        inner, new = self.inner.body.run(subtree(updates, picked), state, weights, ctx.within(params, picked))
        return (merge(params, inner) if ctx.apply else merge(updates, inner, jnp.zeros_like)), new


@transform(example=lambda: {"mask": "**"})
def freeze(mask: Selection):
    """Keep the leaves a selection chooses as they are: freeze("encoder/**").

    Anywhere in a chain it takes them out of every link: they hold no state, count in no norm, and under jit
    the gradients that nothing uses are not computed. By itself it sets their updates to zero.
    """
    return Freeze(mask)


class Partition(Body):
    """A transform for each group of leaves."""

    def __init__(
        self,
        transforms: Mapping[str, Transform],
        labels: Selection,
        names: Mapping[Any, str] | None = None,  # of labels that are no texts
        extra: bool = False,
    ):
        self.groups, self.labels, self.names, self.masks_extra = dict(transforms), labels, names or {}, extra
        self.keys = tuple(str(label) for label, tx in self.groups.items() if tx.body.keys)
        self.needs = frozenset().union(*(tx.body.needs for tx in self.groups.values()))

    def picked(self, params, whole=None) -> dict[str, tuple[bool, ...]]:
        """Which leaves are in each group; every leaf must be in one."""
        if is_patterns(self.labels):
            found: list[Any] = [None] * len(jax.tree.leaves(params))
            for pattern, label in self.labels.items():
                hits = select.chosen(pattern, params, f"partition({label!r})", whole)
                found = [label if f is None and hit else f for f, hit in zip(found, hits, strict=True)]
        else:
            found = [self.name_of(label) for label in select.labels(self.labels, params, whole)]
        for path, label in zip(tree.paths(params), found, strict=True):
            if label not in self.groups:
                raise ValueError(
                    f"partition: the leaf {path!r} has the label {words.show(label)}; "
                    f"expected one of {list(self.groups)}"
                    + (": end with a pattern '**' for all others" if is_patterns(self.labels) else "")
                )
        return {group: tuple(label == group for label in found) for group in self.groups}

    def name_of(self, label: Any) -> str | None:
        """The name of a leaf's group; None where the labels do not reach it."""
        if label is None:
            return None
        known = isinstance(label, Hashable) and label in self.names
        return self.names[label] if known else str(label)

    def inside(self) -> list[Inside]:
        """The transform of each group, on its leaves."""

        def of(group):
            return lambda params: self.picked(params)[group]

        return [
            Inside(tx, {k: (group, k) for k in tx.body.keys}, (group,), picked=of(group))
            for group, tx in self.groups.items()
        ]

    def slots(self, params, plan) -> dict[str, Any]:
        """The slots of each group under its label."""
        return self._gather(params, plan, lambda tx, part: tx.body.slots(part, plan.within()))

    def init(self, params, plan) -> dict[str, Any]:
        """The state of each group under its label."""
        return self._gather(params, plan, lambda tx, part: tx.body.init(part, plan.within()))

    def _gather(self, params, plan, of) -> dict[str, Any]:
        picked = self.picked(params, plan.whole)
        return {k: of(self.groups[k], subtree(params, picked[k])) for k in self.keys}

    def run(self, updates, state, params, ctx: Context):
        """Each group's transform on a dict of its leaves."""
        out, new = {}, {}
        for group, picked in self.picked(updates if params is None else params, ctx.plan.whole).items():
            weights = None if params is None else subtree(params, picked)
            body, own = self.groups[group].body, state.get(group, {})
            check_entries(own, body.keys, f"partition({group!r})")
            here = _of_part(ctx, updates, picked) if self.masks_extra else ctx
            part, found = body.run(subtree(updates, picked), own, weights, here.within(params, picked))
            out |= part
            if group in self.keys:
                new[group] = found
        return merge(updates, out), new


def _errors() -> Iterator[ErrorInput]:
    yield ErrorInput({"transforms": ["all"]}, TypeError, ("transforms is ['all']", "expected a mapping"))
    yield ErrorInput({"transforms": {"all": 3}}, TypeError, ("['all']", "3 is not a gradient transformation"))
    yield ErrorInput({"param_labels": {"**": "al"}}, ValueError, ("'**'", "'al'", "did you mean 'all'?"))
    yield ErrorInput({"transforms": {}}, ValueError, ("'all'", "there are none"))
    more = {"all": example("scale_by_adam"), "more": example("scale_by_adam")}
    yield ErrorInput({"transforms": more}, ValueError, ("no pattern has the label 'more'",))


@transform(
    example=lambda: {"transforms": {"all": example("scale_by_adam")}, "param_labels": {"**": "all"}},
    errors=_errors,
)
def partition(
    transforms: Mapping[str, Any], param_labels: Selection, *, mask_compatible_extra_args: bool = False
):
    """A transformation for each group of leaves, by label; every leaf belongs to exactly one.

    `param_labels` is {pattern: label} tried in order, for example {"**/bias": "plain", "**": "decay"}, a
    function (path, leaf) -> label, a tree of labels that may be a prefix of the parameters, or a function of
    the parameters that returns one. The state of a group is kept under its label.
    mask_compatible_extra_args: of an extra argument that is a tree like the updates each gets its part.
    """
    made = {
        str(label): as_transform(tx, f"partition[{words.show(label)}]") for label, tx in transforms.items()
    }
    _check_labels(made, param_labels)
    return Partition(made, param_labels, extra=mask_compatible_extra_args)


def _check_labels(groups: Mapping[str, Any], labels: Any) -> None:
    """Raise for labels of patterns that name no group, and for groups that none of them names."""
    if not is_patterns(labels):
        return
    for pattern, label in labels.items():
        if label not in groups:
            near = words.near(label, groups)
            hint = (
                f"did you mean {near!r}?" if near else f"there are {', '.join(map(repr, groups)) or 'none'}"
            )
            raise ValueError(
                f"partition: {words.show(pattern)} has the label {words.show(label)}, which no "
                f"transformation has; {hint}"
            )
    for label in groups:
        if label not in labels.values():
            raise ValueError(
                f"partition: no pattern has the label {words.show(label)}, so that its transformation "
                "would act on "
                f"no leaf; param_labels is {words.show(labels)}"
            )


def is_patterns(labels: Any) -> bool:
    """Whether labels are {pattern: label}, rather than a tree of labels."""
    return (
        isinstance(labels, Mapping)
        and all(isinstance(k, str) and isinstance(v, str) for k, v in labels.items())
        and any("*" in k for k in labels)
    )
