"""MARS: gradients corrected by their change, then AdamW, Lion or Muon."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
from jax import Array

from gradchain.core import tree
from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper, Limit
from gradchain.core.leafwise import leafwise
from gradchain.core.link import treewise
from gradchain.core.select import Selection
from gradchain.core.slots import zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import in_kernel
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.matrix.muon import muon
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.clipping import clip_by_block_norm
from gradchain.rules.parts.decay import optional_decay
from gradchain.rules.sign.lion import scale_by_lion

PyTree = Any
PAPER = "arXiv:2411.10438"


class ReduceVarianceState(NamedTuple):
    count: Array  # [] int32, steps taken
    previous_gradient: PyTree  # like params


@transform(paper=PAPER, near=("mars", "scale_by_optimistic_gradient", "scale_by_adan"))
def reduce_variance(b1: Decay = 0.95, gamma: Hyper = 0.025, *, exact: bool = False):
    """Add to the gradient its change since the last step, before any rule that averages with decay b1.

    u = g + gamma b1 / (1 - b1) (g - g of the step before), which is 0 before the first
    The gradient of the step before is that of its own batch: MARS's approximate form, its authors' default.
    In the paper the first change is 0, in the authors' code the first gradient.
    exact=True: the change is g - previous_grads, an argument of update: the gradients of this step's batch
    at the parameters before the last step; in the first step g itself. Nothing is kept then.
    """

    def corrected(g, previous):
        return g + gamma * (b1 / (1 - b1)) * (g - previous)

    def update(updates, params, *, previous_grads):
        del params
        if (found := jax.tree.structure(previous_grads)) != (wanted := jax.tree.structure(updates)):
            raise ValueError(
                f"reduce_variance: previous_grads is {found}; expected a tree like the gradients, {wanted}"
            )

        def wide(g, previous):
            g, previous = tree.wide(g), tree.wide(previous)
            return corrected(g, previous).astype(g.dtype)

        return jax.tree.map(wide, updates, previous_grads)

    def step(g, s):
        u = corrected(g, s.previous_gradient)
        return u, ReduceVarianceState(s.count, in_kernel(g, s.count > 0, s.previous_gradient))

    if exact:
        return treewise(None, update, params=False)
    return leafwise(ReduceVarianceState, step, previous_gradient=zeros)


@optimizer(
    paper=PAPER,
    near=("adamw", "lion", "muon", "adan"),
    example=lambda: {"learning_rate": 0.1},
    traits=frozenset({"matrices"}),
)
def mars(
    learning_rate: Hyper,
    b1: Decay = 0.95,
    b2: Decay = 0.99,
    gamma: Hyper = 0.025,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    *,
    form: Literal["adamw", "lion", "shampoo"] = "adamw",
    max_norm: Limit | None = 1.0,
    per_leaf: bool = False,
    exact: bool = False,
):
    """MARS: a rule on corrected gradients c, see `reduce_variance`, each layer's clipped to max_norm.

    adamw: p = p - lr * (m' / (sqrt(v') + eps) + weight_decay * p), m and v of c
    lion: p = p - lr * (sign(m) + weight_decay * p);  shampoo: `muon` of c without Nesterov, and the form
    adamw for the leaves that it leaves out.
    max_norm=None: no clipping; gamma=0 is then AdamW. The authors take AdamW without correction for vectors:
    that is a `partition`. exact=True takes previous_grads in update, see `reduce_variance`.
    """
    corrected = [reduce_variance(b1, gamma, exact=exact)]
    if max_norm is not None:
        corrected.append(clip_by_block_norm(max_norm, per_leaf=per_leaf))
    if form == "shampoo":
        adam = {"adam_b1": b1, "adam_b2": b2, "adam_weight_decay": weight_decay}
        base = muon(
            learning_rate, beta=b1, eps=eps, weight_decay=weight_decay, mask=mask, nesterov=False, **adam
        )
        return chain(*corrected, base)
    scaled = scale_by_lion(b1, b1) if form == "lion" else scale_by_adam(b1, b2, eps)
    return chain(
        *corrected, scaled, *optional_decay(weight_decay, mask), scale_by_learning_rate(learning_rate)
    )
