"""Two groups of leaves: matrices for one rule, and the others for AdamW."""

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
from gradchain.core.slots import default_axes
from gradchain.core.transform import Transform
from gradchain.rules.matrix.dimensions import Dimensions, dimensioned, numbers_of
from gradchain.rules.parts.basic import scale_by_learning_rate

# Leaves that are matrices by shape alone: a row of them belongs to a token or a class.
LOOKED_UP = re.compile(r"embed|(^|/)(wte|wpe|lm_head|head|output_head|classifier|logits|logits_dense)(/|$)")


@dataclasses.dataclass(frozen=True)
class Groups:
    """Labels: a rule's name for the chosen leaves that have rows and columns, "adam" for the others."""

    name: str
    chosen: Selection
    numbers: Dimensions = None

    def __call__(self, params) -> Any:
        leaves, treedef = jax.tree.flatten(params)
        paths = tree.paths(params)
        if self.numbers is not None:
            found = numbers_of(self.numbers, params)
            return treedef.unflatten(["adam" if n is None else self.name for n in found])
        if self.chosen is None:
            picked: Sequence[bool] = [not LOOKED_UP.search(path.lower()) for path in paths]
        else:
            picked = select.chosen(self.chosen, params, self.name)
        axes = [default_axes(p, tuple(getattr(x, "shape", ()))) for p, x in zip(paths, leaves, strict=True)]
        found = zip(picked, axes, strict=True)
        return treedef.unflatten([self.name if on and a.rows and a.cols else "adam" for on, a in found])


def matrices_and_others(
    name: str,
    matrices: Sequence[Transform],
    others: Sequence[Transform],
    learning_rate: Hyper,
    adam_learning_rate: Hyper | None = None,
    chosen: Selection = None,
    numbers: Dimensions = None,
) -> Transform:
    """Links for the matrices and links for the other leaves, and one learning rate for both, or two.

    `chosen` selects among the leaves with rows and columns; None: all but embeddings and heads, by the names
    in their paths. Dimension numbers replace names and axes: leaves of None are the others.
    """
    groups_of = Groups(name, chosen, numbers)
    if adam_learning_rate is None:
        groups = {name: chain(*matrices), "adam": chain(*others)}
        made = chain(partition(groups, groups_of), scale_by_learning_rate(learning_rate))
    else:
        groups = {
            name: chain(*matrices, scale_by_learning_rate(learning_rate)),
            "adam": chain(*others, scale_by_learning_rate(adam_learning_rate)),
        }
        made = partition(groups, groups_of)
    return made if numbers is None else dimensioned(made, numbers)
