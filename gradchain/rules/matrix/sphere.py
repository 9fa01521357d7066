"""Steps that keep the norm of a matrix, or its singular values: hyperball, MuonH, AdamH, SPEL."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType, Precision
from gradchain.core.leafwise import leafwise
from gradchain.core.link import treewise
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, drop
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import norm, real_dtype, safe_divide
from gradchain.matrices.linalg import QUINTIC, Kernel
from gradchain.matrices.per_matrix import per_matrix
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.matrix import coefficients
from gradchain.rules.matrix.balance import Sides
from gradchain.rules.matrix.coefficients import Coefficients
from gradchain.rules.matrix.groups import Groups, adam_links, stepping
from gradchain.rules.matrix.muon import polar, scale_by_muon
from gradchain.rules.parts.basic import ScaleByLearningRateState
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
MATRICES = frozenset({"matrices"})


class StepOnSphereState(NamedTuple):
    count: Array  # [] int32, steps taken
    radius: PyTree  # for each matrix, [*stack]: the norm that it began with


def _radius(leaf: Leaf) -> Slot:
    slot = dataclasses.replace(drop(leaf, leaf.axes.matrix), positive=False, exact=True)
    return dataclasses.replace(slot, fill=jax.jit(lambda p: norm(tree.wide(p), leaf.axes.matrix)))


@transform(
    paper="arXiv:2606.16899",
    traits=MATRICES,
    record=("learning_rate",),
    example=lambda: {"learning_rate": 0.1},
    near=("scale_by_learning_rate", "scale_by_trust_ratio", "step_and_shrink", "step_on_stiefel"),
)
def step_on_sphere(learning_rate: Hyper):
    """Descend by a part of a matrix's norm and keep that norm, hyperball: the last link of any chain.

    q = p - learning_rate * r * g / |g|;  p + u = r * q / |q|, r = |p| at the start, for each matrix
    The learning rate is an angle, nearly: how far the direction of the weights turns. Weight decay has no
    place beside it. A matrix that starts at zero stays there: give it another group (`partition`). Steps
    relative to the norm without keeping it are `scale_by_trust_ratio`.
    """

    def step(g, s, p, *, leaf):
        radius = jnp.expand_dims(s.radius, leaf.axes.matrix)
        q = p - g * safe_divide(learning_rate * radius, norm(g, leaf.axes.matrix, keepdims=True))
        return q * safe_divide(radius, norm(q, leaf.axes.matrix, keepdims=True)) - p, s

    return leafwise(StepOnSphereState, step, radius=_radius)


@optimizer(
    paper="arXiv:2606.16899",
    traits=MATRICES,
    example=lambda: {"learning_rate": 0.02},
    near=("muon", "adamh", "spel", "fromage"),
)
def muonh(
    learning_rate: Hyper,
    beta: Decay = 0.95,
    eps: Hyper = 1e-8,
    mu_dtype: DType | None = None,
    *,
    ns_coeffs: Coefficients = QUINTIC,
    ns_steps: int = 5,
    nesterov: bool = True,
    equilibrate: Sides | None = None,
    adam_b1: Decay = 0.9,
    adam_b2: Decay = 0.999,
    adam_weight_decay: Hyper = 0.0,
    adam_learning_rate: Hyper | None = None,
    mask: Selection = None,
    muon_mask: Selection = None,
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
    ns_kernel: Kernel = "xla",
):
    """MuonH: `muon` whose matrices keep their norms, by `step_on_sphere`; AdamW for all other leaves.

    The learning rate is relative to the norm of each matrix, so the others have one of their own, as a rule.
    """
    orthogonal = scale_by_muon(
        *(ns_coeffs, ns_steps, beta, eps, mu_dtype),
        nesterov=nesterov,
        precision=precision,
        ns_dtype=ns_dtype,
        ns_kernel=ns_kernel,
        equilibrate=equilibrate,
    )
    others = adam_links(adam_b1, adam_b2, eps, adam_weight_decay, mask)
    rate = learning_rate if adam_learning_rate is None else adam_learning_rate
    return stepping((orthogonal, step_on_sphere(learning_rate)), others, rate, Groups(muon_mask))


@optimizer(
    paper="arXiv:2606.16899",
    traits=MATRICES,
    example=lambda: {"learning_rate": 0.02},
    near=("adamw", "muonh", "lamb"),
)
def adamh(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    mu_dtype: DType | None = None,
    *,
    adam_weight_decay: Hyper = 0.0,
    adam_learning_rate: Hyper | None = None,
    mask: Selection = None,
    muon_mask: Selection = None,
):
    """AdamH: Adam whose matrices keep their norms, by `step_on_sphere`; AdamW for all other leaves.

    `muon_mask` selects the matrices, as in `muon`; None: all but embeddings and heads, by their paths.
    """
    adam = scale_by_adam(b1, b2, eps, mu_dtype=mu_dtype)
    others = adam_links(b1, b2, eps, adam_weight_decay, mask)
    rate = learning_rate if adam_learning_rate is None else adam_learning_rate
    return stepping((adam, step_on_sphere(learning_rate)), others, rate, Groups(muon_mask))


@transform(
    paper="arXiv:2601.21487",
    traits=MATRICES,
    record=("learning_rate",),
    example=lambda: {"learning_rate": 0.1},
    errors=coefficients.errors,
    near=("step_on_sphere", "scale_by_learning_rate", "orthogonalize"),
)
def step_on_stiefel(
    learning_rate: Hyper,
    ns_coeffs: Coefficients = QUINTIC,
    ns_steps: int = 5,
    eps: Hyper = 1e-8,
    *,
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
    ns_kernel: Kernel = "xla",
):
    """Descend, then make the matrix orthogonal again: the last link of a chain.

    p + u = newton_schulz(p - learning_rate * g), whose singular values are 1, nearly, see `orthogonalize`
    """
    f = polar(
        ns_coeffs, ns_steps, eps, precision, who="step_on_stiefel", ns_dtype=ns_dtype, ns_kernel=ns_kernel
    )

    def update(updates, s, params, *, leaves: list[Leaf]):
        old, treedef = jax.tree.flatten(jax.tree.map(tree.wide, params))
        grads = jax.tree.leaves(jax.tree.map(tree.wide, updates))
        moved = [p - jnp.asarray(learning_rate, real_dtype(g)) * g for p, g in zip(old, grads, strict=True)]
        new = per_matrix(f, moved, leaves, padding=True, turning=True)
        return treedef.unflatten([q - p for q, p in zip(new, old, strict=True)]), s

    return treewise(ScaleByLearningRateState, update, params=True)


@optimizer(
    paper="arXiv:2601.21487",
    traits=MATRICES,
    example=lambda: {"learning_rate": 0.02},
    near=("muon", "muonh"),
)
def spel(
    learning_rate: Hyper,
    beta: Decay = 0.95,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    mu_dtype: DType | None = None,
    *,
    ns_coeffs: Coefficients = QUINTIC,
    ns_steps: int = 5,
    nesterov: bool = False,
    adam_b1: Decay = 0.9,
    adam_b2: Decay = 0.999,
    adam_weight_decay: Hyper = 0.0,
    adam_learning_rate: Hyper | None = None,
    muon_mask: Selection = None,
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
    ns_kernel: Kernel = "xla",
):
    """SPEL: Muon on orthogonal matrices, p = newton_schulz(p - lr * (u + weight_decay * p)).

    u is the orthogonal momentum, not scaled. Other leaves: AdamW. See `step_on_stiefel`.
    """
    matrices = (
        scale_by_muon(
            *(ns_coeffs, ns_steps, beta, eps, mu_dtype),
            nesterov=nesterov,
            precision=precision,
            ns_dtype=ns_dtype,
            ns_kernel=ns_kernel,
        ),
        *optional_decay(weight_decay, mask),
        step_on_stiefel(
            learning_rate,
            ns_coeffs,
            ns_steps,
            eps,
            precision=precision,
            ns_dtype=ns_dtype,
            ns_kernel=ns_kernel,
        ),
    )
    others = adam_links(adam_b1, adam_b2, eps, adam_weight_decay, mask)
    rate = learning_rate if adam_learning_rate is None else adam_learning_rate
    return stepping(matrices, others, rate, Groups(muon_mask))
