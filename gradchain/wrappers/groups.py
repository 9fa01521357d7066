"""Groups of leaves under Optax's names: multi_transform, selective_transform."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from gradchain.core.compose import chain
from gradchain.core.foreign import as_transform
from gradchain.core.masks import Partition, freeze
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.transform import example, optimizer, transform


@transform(
    example=lambda: {"transforms": {"all": example("scale_by_adam")}, "param_labels": {"**": "all"}},
    errors=lambda: [
        ErrorInput({"transforms": ["all"]}, TypeError, ("transforms is ['all']", "expected a mapping")),
        ErrorInput({"transforms": {"all": 3}}, TypeError, ("3 is not a gradient transformation",)),
    ],
)
def multi_transform(
    transforms: Mapping[Hashable, Any], param_labels: Selection, *, mask_compatible_extra_args: bool = False
):
    """A transformation for each group of leaves: `partition`, with any hashable values for labels.

    `param_labels` is a tree of labels, which may be a prefix of the parameters, or a function of the
    parameters that returns one (or anything else that `partition` takes). A transformation whose label no
    leaf has is not used. The state of a group is kept under its label as text: 1 under "1".
    mask_compatible_extra_args: of an extra argument that is a tree like the updates each gets its part.
    """
    names: dict[Any, str] = {}
    for label in transforms:
        text = str(label)
        while text in names.values():  # 1 and "1"
            text += "_"
        names[label] = text
    made = {names[label]: as_transform(tx, f"multi_transform[{label!r}]") for label, tx in transforms.items()}
    return Partition(made, param_labels, names, mask_compatible_extra_args)


@optimizer(example=lambda: {"optimizer": example("adam"), "freeze_mask": False})
def selective_transform(optimizer: Any, *, freeze_mask: Selection):
    """Optax's name for `chain(freeze(freeze_mask), optimizer)`: what is frozen has no state and stays."""
    return chain(freeze(freeze_mask), as_transform(optimizer, "selective_transform"))
