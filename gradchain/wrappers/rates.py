"""Learning rates that differ from leaf to leaf, for any optimizer: layerwise_decay, lora_plus, mup."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

from gradchain.core.compose import Chain, chain
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Fraction, Hyper
from gradchain.core.masks import Masked, Partition, masked
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.transform import Transform, example, optimizer
from gradchain.rules.parts.basic import scale
from gradchain.rules.parts.factors import BY_DEPTH, EMBEDDINGS, LAYERS, scale_by_depth
from gradchain.rules.parts.width import MUP, Base, Rule, half_as_wide, scale_by_mup

LORA_B = ["**/lora_b", "**/lora_b/**", "**/lora_B", "**/lora_B/**"]
# What a factor of each leaf may stand before as well as after, and what must see the update as it will be.
RATES = frozenset({"scale", "scale_by_schedule", "scale_by_learning_rate"})
BOUNDS = frozenset({"proximal_l1", "keep_params_nonnegative"})
DECAYS = frozenset({"add_decayed_weights", "add_decay_to_start", "add_l1", "proximal_decay"})
READS = frozenset({"last", "any_leaf"})


def with_factor(tx: Transform, link: Transform, who: str, decay: bool = True) -> Transform:
    """An optimizer with a link that multiplies its updates; decay=False: not those of decoupled decay."""
    if tx.recipe.factory.kind == "wrapper":
        raise ValueError(
            f"{who}: tx is {tx.name}(...), whose update is made of more than what it wraps gives: put {who} "
            f"inside, {tx.name}({who}(...), ...)"
        )
    body = tx.body
    if isinstance(body, Chain):
        return _rebuilt(tx, _in_chain(body, link, who, decay))
    if isinstance(body, Masked):
        new = copy.copy(body)
        new.inner = with_factor(body.inner, link, who, decay)
        return _rebuilt(tx, new)
    if isinstance(body, Partition) and not decay:
        groups = {k: with_factor(group, link, who, decay) for k, group in body.groups.items()}
        return _rebuilt(tx, Partition(groups, body.labels, body.names, body.masks_extra))
    return chain(tx, link)


def _rebuilt(tx: Transform, body: Any) -> Transform:
    return dataclasses.replace(tx, body=body.bind(tx.recipe))


def _in_chain(body: Chain, link: Transform, who: str, decay: bool) -> Chain:
    links, names = list(body.links), [label or None for label in body.labels]
    passed = RATES | BOUNDS | (frozenset() if decay else DECAYS)
    at = len(links)
    while at and _passes(links[at - 1], passed):
        at -= 1
    for tx in links[:at]:
        if tx.recipe.factory.kind == "wrapper":
            with_factor(tx, link, who)  # raises
    before = links[at - 1] if at else None
    if before is not None and not decay and isinstance(before.body, Chain | Masked | Partition):
        links[at - 1] = with_factor(before, link, who, decay)
        return Chain(links, names)
    return Chain([*links[:at], link, *links[at:]], [*names[:at], None, *names[at:]])


def _passes(tx: Transform, names: frozenset[str]) -> bool:
    """Whether a link only scales what comes, or looks at it: masks and chains of such links, too."""
    inside = tx.body.inside()
    if inside:
        return all(_passes(part.tx, names) for part in inside)
    return tx.name in names or bool(READS & tx.recipe.factory.traits)


@optimizer(
    errors=lambda: [
        ErrorInput({"layer_decay": 1.5}, ValueError, ("layer_decay is 1.5", "at most 1")),
        ErrorInput({"tx": None}, TypeError, ("None is not a gradient transformation",)),
    ],
    example=lambda: {"tx": example("adamw"), **BY_DEPTH["example"]()},
)
def layerwise_decay(
    tx: Any,
    layer_decay: Fraction = 0.9,
    layers: str | Callable[[str], int | None] = LAYERS,
    *,
    before: Selection = EMBEDDINGS,
):
    """An optimizer with lower learning rates for earlier layers: layerwise_decay(adamw(1e-3), 0.75).

    Layer i of n: lr * layer_decay^(n - i), i from 0;  embeddings: lr * layer_decay^(n + 1);  heads: lr
    The rate is that of decoupled weight decay as well. See `scale_by_depth`, the link that it puts in, for
    how paths tell layers, and `factors(tx, params)` for the table. State and checkpoints are those of `tx`.
    """
    link = scale_by_depth(layer_decay, layers, before=before)
    return with_factor(as_transform(tx, "layerwise_decay"), link, "layerwise_decay")


@optimizer(
    paper="arXiv:2402.12354",
    near=("layerwise_decay", "mup"),
    example=lambda: {"tx": example("adamw"), "matrices": "**"},
)
def lora_plus(tx: Any, ratio: Hyper = 16.0, *, matrices: Selection = LORA_B):
    """An optimizer with `ratio` times the learning rate for the matrices B of adapters W + B A (LoRA+).

    `matrices` selects B, the one that starts at zero: by default what is named lora_b or lora_B.
    """
    return with_factor(as_transform(tx, "lora_plus"), masked(scale(ratio), matrices), "lora_plus")


@optimizer(**MUP, example=lambda: {"tx": example("adamw"), "base": half_as_wide, "allow_base": True})
def mup(
    tx: Any,
    base: Base,
    rule: Rule = "adam",
    *,
    depth: float | None = None,
    scale_decay: bool = False,
    allow_base: bool = False,
):
    """An optimizer whose learning rate, tuned on a narrow model, fits a wide one (muP).

    Which axes are width is seen from the shapes in `base`, a narrow model: see `scale_by_mup`, the link that
    it puts in, for the factors and for how the model must start. Decoupled decay keeps learning_rate *
    weight_decay, as in the authors' MuAdamW; scale_decay=True: it is scaled as the rate is, as in the paper's
    tables. `factors(tx, params)` shows what each leaf is and gets.
    """
    tx = as_transform(tx, "mup")
    link = scale_by_mup(base, rule, depth=depth, allow_base=allow_base)
    return with_factor(tx, link, "mup", scale_decay)
