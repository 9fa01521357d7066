"""Penalties on the parameters: weight decay (L2) and L1, as gradients and as proximal steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gradchain.core import select
from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper
from gradchain.core.leafwise import leafwise
from gradchain.core.masks import partition
from gradchain.core.select import Selection
from gradchain.core.slots import copy
from gradchain.core.transform import Transform, transform
from gradchain.math.numerics import agreement, plus, soft_threshold, times

PyTree = Any


@transform(example=lambda: {"weight_decay": 0.01})
def add_decayed_weights(weight_decay: Hyper = 0.0, mask: Selection = None):
    """Add a multiple of the parameters: u = g + weight_decay * p.

    Before a scaling by statistics (Adam) this is L2 regularisation; after it, decoupled weight decay, which
    a learning rate further on still multiplies. `mask` selects the leaves that decay.
    Source: arXiv:1711.05101.
    """
    if mask is not None and _is_zero(weight_decay):  # a mask that fits no leaf is an error all the same
        return leafwise(None, lambda g: g, where=mask)
    return leafwise(None, lambda g, p: plus(g, times(weight_decay, p)), where=mask)


@transform(
    paper="arXiv:2510.12402", example=lambda: {"weight_decay": 0.01}, near=("add_decayed_weights", "cautious")
)
def add_cautious_decayed_weights(weight_decay: Hyper = 0.0, mask: Selection = None):
    """Add a multiple of the parameters where the update shrinks them already: after the scaling.

    u = g + weight_decay * p where g * p >= 0, else u = g
    Decay never works against the step, so that the loss it leads to is that without a penalty. `mask`
    selects the leaves that decay.
    """

    def step(g, p):
        return g + weight_decay * jnp.where(agreement(g, p) >= 0, p, 0)

    return leafwise(None, step, where=mask)


@transform(example=lambda: {"strength": 0.01})
def add_l1(strength: Hyper = 0.0, mask: Selection = None):
    """Add the subgradient of strength * sum |p|: u = g + strength * sign(p).

    Weights hover around zero; `proximal_l1` makes them exactly zero.
    """
    return leafwise(None, lambda g, p: g + strength * jnp.sign(p), where=mask)


@transform(traits=frozenset({"sets"}), example=lambda: {"strength": 0.01})
def proximal_l1(strength: Hyper = 0.0, mask: Selection = None):
    """Shrink what the step leads to towards zero, with exact zeros: the last link of a chain.

    p + u becomes sign(p + u) * max(|p + u| - strength, 0), the proximal step of strength * sum |p|
    (for a penalty of lambda and learning rate lr, strength is lr * lambda).
    Source: Daubechies et al. 2004 (iterative soft thresholding).
    """
    return leafwise(None, lambda g, p: soft_threshold(p + g, strength) - p, where=mask)


@transform(paper="arXiv:2208.06677", example=lambda: {"learning_rate": 0.1, "weight_decay": 0.01})
def proximal_decay(learning_rate: Hyper, weight_decay: Hyper = 0.0, mask: Selection = None):
    """Shrink what the step leads to, the proximal step of weight_decay / 2 * |p|^2: the last link of a chain.

    p + u becomes (p + u) / (1 + learning_rate * weight_decay), learning_rate that of the chain.
    """

    def step(g, p):
        strength = learning_rate * weight_decay
        return (g - strength * p) / (1 + strength)

    return leafwise(None, step, where=mask)


class AddDecayToStartState(NamedTuple):
    start: PyTree  # like params, what they were when training began


@transform(paper="arXiv:1802.01483", near=("add_decayed_weights",), example=lambda: {"weight_decay": 0.01})
def add_decay_to_start(weight_decay: Hyper = 0.0, mask: Selection = None):
    """Add a multiple of the way from the start: u = g + weight_decay * (p - start) (L2-SP).

    For fine-tuning: weights decay towards the pretrained ones, not to zero. The state keeps the start; it may
    be stored in fewer bits where a pattern names it, and offloaded. Stands where `add_decayed_weights` would.
    """

    def step(g, s, p):
        return g + weight_decay * (p - s.start), s

    return leafwise(AddDecayToStartState, step, where=mask, start=copy)


def optional_decay(weight_decay: Hyper, mask: Selection = None) -> tuple[Transform, ...]:
    """`add_decayed_weights` for a chain, or no link for the number 0, which would read p for nothing.

    With a mask there is one that only checks it.
    """
    return () if _is_zero(weight_decay) and mask is None else (add_decayed_weights(weight_decay, mask),)


def optional_proximal_decay(
    learning_rate: Hyper, weight_decay: Hyper, mask: Selection = None
) -> tuple[Transform, ...]:
    """`proximal_decay` for a chain, or what `optional_decay` has for the number 0."""
    if _is_zero(weight_decay):
        return optional_decay(0.0, mask)
    return (proximal_decay(learning_rate, weight_decay, mask),)


@dataclasses.dataclass(frozen=True)
class _Decays:
    """Labels: "decays" for the leaves of a mask, "stays" for the others."""

    mask: Selection
    who: str  # the link, for messages

    def __call__(self, params) -> Any:
        picked = select.chosen(self.mask, params, self.who)
        return jax.tree.structure(params).unflatten(["decays" if on else "stays" for on in picked])


def decaying(make: Callable[[Hyper], Transform], weight_decay: Hyper, mask: Selection = None) -> Transform:
    """make(weight_decay), a link that decays within its rule, and make(0.0) for leaves left out by a mask."""
    if mask is None or _is_zero(weight_decay):
        checked = optional_decay(0.0, mask)
        return chain(*checked, make(weight_decay)) if checked else make(weight_decay)
    decays, stays = make(weight_decay), make(0.0)
    return partition({"decays": decays, "stays": stays}, _Decays(mask, stays.name))


def _is_zero(weight_decay: Hyper) -> bool:
    return weight_decay is None or (isinstance(weight_decay, int | float) and weight_decay == 0)
