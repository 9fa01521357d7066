"""Which leaves a matrix method takes, and AdamW for the others."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import jax

from gradchain.core import select, tree
from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper
from gradchain.core.masks import partition
from gradchain.core.select import Selection
from gradchain.core.slots import Axes, default_axes
from gradchain.core.transform import Transform
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.matrix.dimensions import Dimensions, numbers_of
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

# Leaves that are matrices by shape alone: a row of them belongs to a token or a class.
LOOKED_UP = re.compile(r"embed|(^|/)(wte|wpe|lm_head|head|output_head|classifier|logits|logits_dense)(/|$)")


def axes_of_leaves(params) -> list[Axes]:
    """The axes of every leaf by its name and shape."""
    leaves = zip(tree.paths(params), jax.tree.leaves(params), strict=True)
    return [default_axes(path, tuple(getattr(x, "shape", ()))) for path, x in leaves]


@dataclasses.dataclass(frozen=True)
class Groups:
    """Labels: "muon", or another, for the chosen leaves with rows and columns, "adam" for the others."""

    chosen: Selection
    numbers: Dimensions = None
    label: str = "muon"

    def __call__(self, params) -> Any:
        treedef = jax.tree.structure(params)
        if self.numbers is not None:
            found = numbers_of(self.numbers, params)
            return treedef.unflatten(["adam" if n is None else self.label for n in found])
        if self.chosen is None:
            picked: Sequence[bool] = [not LOOKED_UP.search(path.lower()) for path in tree.paths(params)]
        else:
            picked = select.chosen(self.chosen, params, self.label)
        axes = axes_of_leaves(params)
        rows = zip(picked, axes, strict=True)
        return treedef.unflatten([self.label if on and a.rows and a.cols else "adam" for on, a in rows])


def with_others(
    matrices: Sequence[Transform],
    others: Sequence[Transform],
    learning_rate: Hyper,
    others_rate: Hyper | None,
    groups: Groups,
) -> Transform:
    """Chains for the two groups, each multiplied by its learning rate; None: by that of the matrices."""
    if others_rate is None:
        found = {groups.label: chain(*matrices), "adam": chain(*others)}
        return chain(partition(found, groups), scale_by_learning_rate(learning_rate))
    found = {
        groups.label: chain(*matrices, scale_by_learning_rate(learning_rate)),
        "adam": chain(*others, scale_by_learning_rate(others_rate)),
    }
    return partition(found, groups)


def stepping(matrices: Sequence[Transform], others: Sequence[Transform], rate: Hyper, groups: Groups):
    """The same for matrices whose last link takes the step."""
    found = {groups.label: chain(*matrices), "adam": chain(*others, scale_by_learning_rate(rate))}
    return partition(found, groups)


def adam_links(b1, b2, eps, weight_decay, mask: Selection) -> tuple[Transform, ...]:
    """AdamW without its learning rate, for the leaves that are no matrices."""
    return scale_by_adam(b1, b2, eps), *optional_decay(weight_decay, mask)
