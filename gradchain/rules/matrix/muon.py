"""Muon: momentum with all singular values made one, for the matrices; AdamW for the rest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType, Precision
from gradchain.core.leafwise import leafwise
from gradchain.core.link import treewise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math import numerics
from gradchain.matrices.linalg import QUINTIC, Kernel, Preconditioning, newton_schulz
from gradchain.matrices.per_matrix import Stacked, per_matrix, sides
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.matrix import coefficients
from gradchain.rules.matrix.balance import Sides, balanced, optional_balance
from gradchain.rules.matrix.coefficients import Coefficients, steps_of
from gradchain.rules.matrix.dimensions import Dimensions, dimensioned, read
from gradchain.rules.matrix.groups import Groups, with_others
from gradchain.rules.parts.decay import optional_decay

PyTree = Any


def _errors() -> Iterator[ErrorInput]:
    yield from coefficients.errors()
    yield ErrorInput(
        {"preconditioning": "aul"}, ValueError, ("preconditioning is 'aul'", "did you mean 'aol'?")
    )


PAPER: Any = {
    "paper": "Jordan et al. 2024, Muon; arXiv:2502.16982",
    "traits": frozenset({"matrices"}),
}


def polar(
    ns_coeffs: Coefficients,
    ns_steps: int,
    eps,
    precision: Precision | None = None,
    preconditioning: Preconditioning = "frobenius",
    floor: bool = False,
    who: str = "scale_by_muon",
    ns_dtype: Any = None,
    ns_kernel: Kernel = "xla",
) -> Stacked:
    """The function of stacks of matrices that leaves U V^T of U S V^T."""
    steps = steps_of(ns_coeffs, ns_steps, who)
    short = None if ns_dtype is None else jnp.dtype(ns_dtype)
    return lambda x: newton_schulz(x, steps, eps, precision, preconditioning, floor, short, ns_kernel)


@transform(**PAPER, errors=_errors, near=("scale_by_muon",))
def orthogonalize(
    ns_coeffs: Coefficients = QUINTIC,
    ns_steps: int = 5,
    eps: Hyper = 1e-8,
    *,
    preconditioning: Preconditioning = "frobenius",
    eps_floor: bool = False,
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
    ns_kernel: Kernel = "xla",
):
    """Leave U V^T of the singular value decomposition U S V^T of each matrix, nearly: Muon without momentum.

    For chains: chain(trace(0.95, nesterov=True), balance(), orthogonalize("polar_express"), ...). How near:
    a singular value of 0.001 to 1 times the norm becomes one of 0.471 to 1.202 by "standard", 0.475 to 1.145
    by "dion", 0.846 to 1.124 by "polar_express", 0.886 to 1.114 by "cans", each in five steps. Of the last
    two ns_steps says how many are taken: with six 0.994 to 1.002 and 0.999 to 1.001.
    """
    f = polar(
        ns_coeffs, ns_steps, eps, precision, preconditioning, eps_floor, "orthogonalize", ns_dtype, ns_kernel
    )

    def update(updates, params=None, *, leaves: list[Leaf]):
        grads, treedef = jax.tree.flatten(jax.tree.map(tree.wide, updates))
        return treedef.unflatten(per_matrix(f, grads, leaves, padding=True, turning=True))

    return treewise(None, update)


class ScaleByMuonState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]


@transform(**PAPER, errors=_errors)
def scale_by_muon(
    ns_coeffs: Coefficients = QUINTIC,
    ns_steps: int = 5,
    beta: Decay = 0.95,
    eps: Hyper = 1e-8,
    mu_dtype: DType | None = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    preconditioning: Preconditioning = "frobenius",
    weight_dimension_numbers: Dimensions = None,
    eps_floor: bool = False,
    bias_correction: bool = False,
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
    ns_kernel: Kernel = "xla",
    equilibrate: Sides | None = None,
):
    """Orthogonalise the momentum: of its singular value decomposition U S V^T only U V^T remains, nearly.

    m = beta m + (1 - beta) g;  m' = m, with nesterov beta m + (1 - beta) g;  u = newton_schulz(m' / |m'|)
    adaptive: u is multiplied by <m', u>, arXiv:2409.20325. `ns_coeffs` is one (a, b, c) for ns_steps steps,
    or one for each step; `precision`, `ns_dtype` and `ns_kernel`: see `linalg.newton_schulz`.
    The leaf's axes say what rows and columns are, or a tree of `MuonDimensionNumbers` does; stacked layers
    are matrices of their own, a vector is a matrix of one row. bias_correction: that of m, as in Optax.
    equilibrate: m' is balanced first, see `balance`: MuonEq, arXiv:2603.28254; "elements": its signs.
    """
    orthogonal = polar(
        ns_coeffs,
        ns_steps,
        eps,
        precision,
        preconditioning,
        eps_floor,
        ns_dtype=ns_dtype,
        ns_kernel=ns_kernel,
    )

    def momentum(g, mu, t):
        mu = numerics.ema(mu, g, beta)
        if not bias_correction:
            return (numerics.ema(mu, g, beta) if nesterov else mu), mu
        if not nesterov:
            return numerics.debias(mu, beta, t), mu
        return numerics.debias_ahead(mu, g, beta, t), mu

    def update(updates, s, params, *, leaves: list[Leaf], counts: list[Array]):
        if weight_dimension_numbers is not None:
            leaves = read(leaves, weight_dimension_numbers, updates)
        grads, treedef = jax.tree.flatten(jax.tree.map(tree.wide, updates))
        old = jax.tree.leaves(s.mu)
        rows = zip(grads, old, counts, strict=True)
        made = [momentum(g, mu.astype(g.dtype), t) for g, mu, t in rows]
        means = [m.astype(g.dtype) for (m, _), g in zip(made, grads, strict=True)]
        if equilibrate is not None:
            means = [balanced(m, leaf.axes, equilibrate) for m, leaf in zip(means, leaves, strict=True)]
        out = per_matrix(orthogonal, means, leaves, padding=True, turning=True)
        if adaptive:
            out = [
                u * jnp.sum(u.conj() * m, leaf.axes.matrix, keepdims=True).real
                for u, m, leaf in zip(out, means, leaves, strict=True)
            ]
        new = [mu.astype(x.dtype) for (_, mu), x in zip(made, old, strict=True)]
        return treedef.unflatten(out), s._replace(mu=jax.tree.structure(s.mu).unflatten(new))

    return treewise(ScaleByMuonState, update, mu=typed(zeros, mu_dtype))


@transform(**PAPER)
def scale_by_shape(consistent_rms: Hyper | None = None, *, at_least_one: bool = True):
    """Scale the update of a matrix by its shape, so that one learning rate fits all of them.

    u = g * sqrt(max(1, columns / rows)), rows being inputs as in Flax's kernels
    at_least_one=False: u = g * sqrt(columns / rows), that of Scion, arXiv:2502.07529.
    consistent_rms: u = g * consistent_rms * sqrt(max(rows, columns)); an orthogonal g gets that root mean
    square, and 0.2 is about that of AdamW's updates, arXiv:2502.16982.
    """

    def step(g, *, leaf):
        _, rows, cols = sides(leaf.shape, leaf.axes)
        if consistent_rms is not None:
            return g * (consistent_rms * math.sqrt(max(rows, cols)))
        ratio = cols / max(rows, 1)
        return g * math.sqrt(max(1.0, ratio) if at_least_one else ratio)

    return leafwise(None, step)


@optimizer(
    **PAPER,
    renamed={"weight_decay_mask": "mask"},
    example=lambda: {"learning_rate": 0.02},
    errors=_errors,
)
def muon(
    learning_rate: Hyper,
    ns_coeffs: Coefficients = QUINTIC,
    ns_steps: int = 5,
    beta: Decay = 0.95,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    mu_dtype: DType | None = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    preconditioning: Preconditioning = "frobenius",
    adam_b1: Decay = 0.9,
    adam_b2: Decay = 0.999,
    adam_eps_root: Hyper = 0.0,
    adam_weight_decay: Hyper = 0.0,
    adam_learning_rate: Hyper | None = None,
    muon_weight_dimension_numbers: Dimensions = None,
    consistent_rms: Hyper | None = None,
    muon_mask: Selection = None,
    adam_mask: Selection = None,
    adam_nesterov: bool = False,
    eps_floor: bool = False,
    bias_correction: bool = False,
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
    ns_kernel: Kernel = "xla",
    equilibrate: Sides | None = None,
    renormalize: Sides | None = None,
):
    """Muon: p = p - lr * (scale * u + weight_decay * p) for matrices, `adamw` for all other leaves.

    u is the orthogonal momentum, see `scale_by_muon`, the scale that of `scale_by_shape`. `muon_mask` selects
    among the leaves with rows and columns; None: all but embeddings and heads, by the names in their paths.
    muon_weight_dimension_numbers, a tree of `MuonDimensionNumbers` or a function of the parameters that
    makes one, replaces names and axes: leaves of None are the others; `matrices_alone` is Optax's default.
    The others take adam_learning_rate, or the same as the matrices; adam_mask=None is `mask`, eps Adam's too.
    equilibrate, renormalize: what is balanced before and after, see `balance`; arXiv:2602.21545 (Muon+).
    PolarGrad, arXiv:2505.21799, is adaptive=True, ns_coeffs="polar_express", without a scale by shape.
    """
    groups_of = Groups(muon_mask, muon_weight_dimension_numbers)
    matrices = (
        scale_by_muon(
            *(ns_coeffs, ns_steps, beta, eps, mu_dtype),
            nesterov=nesterov,
            adaptive=adaptive,
            preconditioning=preconditioning,
            eps_floor=eps_floor,
            bias_correction=bias_correction,
            precision=precision,
            ns_dtype=ns_dtype,
            ns_kernel=ns_kernel,
            equilibrate=equilibrate,
        ),
        *optional_balance(renormalize),
        scale_by_shape(consistent_rms),
        *optional_decay(weight_decay, mask),
    )
    others = (
        scale_by_adam(adam_b1, adam_b2, eps, adam_eps_root, mu_dtype, nesterov=adam_nesterov),
        *optional_decay(adam_weight_decay, mask if adam_mask is None else adam_mask),
    )
    made = with_others(matrices, others, learning_rate, adam_learning_rate, groups_of)
    numbers = muon_weight_dimension_numbers
    return made if numbers is None else dimensioned(made, numbers)
