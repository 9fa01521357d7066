"""Adam with second moments shared by many elements: Adam-mini, SlimAdam."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core import select, words
from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, over_root
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay
from gradchain.rules.parts.layers import one_along

PyTree = Any
Over = Literal["blocks", "rows", "cols", "matrix", "none"]
KINDS = ("blocks", "rows", "cols", "matrix", "none")


class ScaleByAdamMiniState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]
    nu: PyTree  # like params but of length 1 along the axes that share it, E[mean |g|^2]


def blocks(leaf: Leaf) -> tuple[int, ...]:
    """The axes along which Adam-mini shares a second moment: see `scale_by_adam_mini`."""
    owner, name = ["", *leaf.path.lower().split("/")][-2:]
    rows, cols = leaf.axes.rows, leaf.axes.cols
    if not rows or not cols:
        return leaf.axes.matrix
    if name == "embedding":
        return cols
    return rows + cols[1:] if owner in ("query", "key") else rows


def shared_axes(leaf: Leaf, over: Any) -> tuple[int, ...]:
    """The axes of a leaf along which all elements have one second moment."""
    if isinstance(over, Mapping):
        over = next((kind for pattern, kind in over.items() if select.matches(pattern, leaf.path)), "none")
    match over:
        case "blocks":
            return blocks(leaf)
        case "rows":
            return leaf.axes.rows or leaf.axes.cols
        case "cols":
            return leaf.axes.cols
        case "matrix":
            return leaf.axes.matrix
    return ()


def _check(who: str, over: Any) -> None:
    for pattern, kind in over.items() if isinstance(over, Mapping) else ():
        if kind not in KINDS:
            raise ValueError(
                f"{who}: over[{words.show(pattern)}] is {words.show(kind)}; expected one of {KINDS}"
            )


def _errors():
    yield ErrorInput({"over": {"**": "row"}}, ValueError, ("over['**'] is 'row'", "expected one of"))


PAPER: Any = {
    "paper": "arXiv:2406.16793",
    "traits": frozenset({"matrices"}),
    "near": ("adam", "slim_adam", "adafactor", "novograd"),
    "errors": _errors,
}


@transform(**PAPER)
def scale_by_adam_mini(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    eps_root: Hyper = 0.0,
    mu_dtype: DType | None = None,
    *,
    over: Over | Mapping[str, str] = "blocks",
):
    """Scale by Adam with one second moment for each block of elements.

    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) mean of |g|^2 over the block
    u = m' / (sqrt(v' + eps_root) + eps),  m' = m / (1 - b1^t),  v' = v / (1 - b2^t)
    `over` says along which axes: "rows" of a matrix (one for each output), "cols" (one for each input),
    "matrix" (one for each layer), "none" (Adam), or patterns of paths and these words, {"**/embedding":
    "cols"}; where none fits it is "none". "blocks" is the paper's: one for each token of an embedding, head
    of a query or key [in, heads, dim], output of another kernel, and vector. A head of other kernels is told
    by with_axes, as in "rbr". (The authors' code gives a bias one for each element.)
    State: 4 bytes a parameter, and 4 for each block.
    """
    _check("scale_by_adam_mini", over)

    def shared_slot(leaf: Leaf) -> Slot:
        return one_along(leaf, shared_axes(leaf, over))

    def step(g, s):
        axes = tuple(i for i, (n, kept) in enumerate(zip(g.shape, s.nu.shape, strict=True)) if n != kept)
        count = max(math.prod(g.shape[i] for i in axes), 1)
        square = jnp.sum(abs2(g), axes, keepdims=True) / count if axes else abs2(g)
        t, mu, nu = s.count, ema(s.mu, g, b1), ema(s.nu, square, b2)
        u = over_root(debias(mu, b1, t), debias(nu, b2, t), eps, eps_root)
        return u, ScaleByAdamMiniState(t, mu, nu)

    return leafwise(ScaleByAdamMiniState, step, mu=typed(zeros, mu_dtype), nu=shared_slot)


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.1})
def adam_mini(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    *,
    over: Over | Mapping[str, str] = "blocks",
):
    """Adam-mini: p = p - lr * (u + weight_decay * p), see `scale_by_adam_mini`."""
    _check("adam_mini", over)
    return chain(
        scale_by_adam_mini(b1, b2, eps, over=over),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


SLIM: Any = {**PAPER, "paper": "arXiv:2503.01843", "near": ("adam", "adam_mini", "adafactor", "sm3")}


@optimizer(**SLIM, example=lambda: {"learning_rate": 0.1, "over": {"**/kernel": "rows"}})
def slim_adam(
    learning_rate: Hyper,
    over: Over | Mapping[str, str],
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
):
    """SlimAdam: Adam whose second moments are means along the axes that `over` says.

    p = p - lr * (u + weight_decay * p), see `scale_by_adam_mini`. Of transformers the paper finds that keys
    and queries bear a mean over their inputs ("rows"), values and projections over their outputs ("cols"),
    embeddings over features but not over tokens ("cols"), and that vectors should stay whole ("none").
    """
    _check("slim_adam", over)
    return chain(
        scale_by_adam_mini(b1, b2, eps, over=over),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
