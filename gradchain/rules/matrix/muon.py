"""Muon: momentum with all singular values made one, for the matrices; AdamW for the rest."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gradchain.core import select, tree, words
from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType
from gradchain.core.leafwise import leafwise
from gradchain.core.link import treewise
from gradchain.core.masks import partition
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, default_axes, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math import numerics
from gradchain.matrices.linalg import QUINTIC, Preconditioning, Triple, newton_schulz
from gradchain.matrices.per_matrix import per_matrix, sides
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.matrix.dimensions import Dimensions, dimensioned, numbers_of, read
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
Coefficients = Triple | Sequence[Triple] | Literal["standard", "dion"]
NAMED: dict[str, Triple | Sequence[Triple]] = {
    "standard": QUINTIC,
    "dion": (
        (4.0848, -6.8946, 2.9270),
        (3.9505, -6.3029, 2.6377),
        (3.7418, -5.5913, 2.3037),
        (2.8769, -3.1427, 1.2046),
        (2.8366, -3.0525, 1.2012),
    ),
}
MAX_STEPS = 100  # of Newton-Schulz: five are usual, each one is part of the program


def _errors() -> Iterator[ErrorInput]:
    yield ErrorInput({"ns_steps": 0}, ValueError, ("ns_steps=0", f"1 to {MAX_STEPS}"))
    yield ErrorInput({"ns_steps": 2**31}, ValueError, ("ns_steps=2147483648", f"1 to {MAX_STEPS}"))
    for bad in ((1.0, 2.0), [], [(1.0, 2.0)], [[1.0, "x", 2.0]], (1e300, 0.0, 0.0)):
        yield ErrorInput({"ns_coeffs": bad}, ValueError, ("ns_coeffs=", "three numbers (a, b, c)"))
    yield ErrorInput({"ns_coeffs": {"x": 1}}, TypeError, ("ns_coeffs is {'x': 1}", "expected a"))
    yield ErrorInput(
        {"preconditioning": "aul"}, ValueError, ("preconditioning is 'aul'", "did you mean 'aol'?")
    )


PAPER: Any = {
    "paper": "Jordan et al. 2024, Muon; arXiv:2502.16982",
    "traits": frozenset({"matrices"}),
}

# Leaves that are matrices by shape alone: a row of them belongs to a token or a class.
LOOKED_UP = re.compile(r"embed|(^|/)(wte|wpe|lm_head|head|output_head|classifier|logits|logits_dense)(/|$)")


def steps_of(ns_coeffs: Coefficients, ns_steps: int) -> tuple[Triple, ...]:
    """The coefficients of every step: one triple for all of them, or one for each; or the name of these."""
    ns_coeffs = NAMED[ns_coeffs] if isinstance(ns_coeffs, str) else ns_coeffs
    one = bool(ns_coeffs) and isinstance(ns_coeffs[0], int | float)
    count = ns_steps if one else len(ns_coeffs)
    given: Any = [ns_coeffs] if one else list(ns_coeffs)
    if not 1 <= count <= MAX_STEPS or not all(map(_is_triple, given)):
        raise ValueError(
            f"scale_by_muon: ns_coeffs={words.show(ns_coeffs)}, ns_steps={words.show(ns_steps)}: expected "
            "three numbers "
            f"(a, b, c) for ns_steps steps, 1 to {MAX_STEPS}, or a list of such triples, one for each step"
        )
    steps = tuple((float(a), float(b), float(c)) for a, b, c in given)
    return steps * count if one else steps


def _is_triple(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 3
        and all(isinstance(c, int | float | np.number) and abs(c) < 1e30 for c in value)
    )


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
    precision: str | None = None,
):
    """Orthogonalise the momentum: of its singular value decomposition U S V^T only U V^T remains, nearly.

    m = beta m + (1 - beta) g;  m' = m, with nesterov beta m + (1 - beta) g;  u = newton_schulz(m' / |m'|)
    adaptive: u is multiplied by <m', u>, arXiv:2409.20325. `ns_coeffs` is one (a, b, c) for ns_steps steps,
    or one for each step; `precision` that of the products, see `linalg.newton_schulz`.
    The leaf's axes say what rows and columns are, or a tree of `MuonDimensionNumbers` does; stacked layers
    are matrices of their own, a vector is a matrix of one row. bias_correction: that of m, as in Optax.
    """
    coefficients = steps_of(ns_coeffs, ns_steps)

    def orthogonal(x):  # [k, m, n]
        return newton_schulz(x, coefficients, eps, precision, preconditioning, eps_floor)

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
def scale_by_shape(consistent_rms: Hyper | None = None):
    """Scale the update of a matrix by its shape, so that one learning rate fits all of them.

    u = g * sqrt(max(1, columns / rows)), rows being inputs as in Flax's kernels
    consistent_rms: u = g * consistent_rms * sqrt(max(rows, columns)); an orthogonal g gets that root mean
    square, and 0.2 is about that of AdamW's updates, arXiv:2502.16982.
    """

    def step(g, *, leaf):
        _, rows, cols = sides(leaf.shape, leaf.axes)
        if consistent_rms is None:
            return g * math.sqrt(max(1.0, cols / max(rows, 1)))
        return g * (consistent_rms * math.sqrt(max(rows, cols)))

    return leafwise(None, step)


@dataclasses.dataclass(frozen=True)
class _Groups:
    """Labels: "muon" for the chosen leaves that have rows and columns, "adam" for the others."""

    chosen: Selection
    numbers: Dimensions = None

    def __call__(self, params) -> Any:
        leaves, treedef = jax.tree.flatten(params)
        paths = tree.paths(params)
        if self.numbers is not None:
            found = numbers_of(self.numbers, params)
            return treedef.unflatten(["adam" if n is None else "muon" for n in found])
        if self.chosen is None:
            picked: Sequence[bool] = [not LOOKED_UP.search(path.lower()) for path in paths]
        else:
            picked = select.chosen(self.chosen, params, "muon")
        axes = [default_axes(p, tuple(getattr(x, "shape", ()))) for p, x in zip(paths, leaves, strict=True)]
        labels = ["muon" if on and a.rows and a.cols else "adam" for on, a in zip(picked, axes, strict=True)]
        return treedef.unflatten(labels)


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
    precision: str | None = None,
):
    """Muon: p = p - lr * (scale * u + weight_decay * p) for matrices, `adamw` for all other leaves.

    u is the orthogonal momentum, see `scale_by_muon`, the scale that of `scale_by_shape`. `muon_mask` selects
    among the leaves with rows and columns; None: all but embeddings and heads, by the names in their paths.
    muon_weight_dimension_numbers, a tree of `MuonDimensionNumbers` or a function of the parameters that
    makes one, replaces names and axes: leaves of None are the others; `matrices_alone` is Optax's default.
    The others take adam_learning_rate, or the same as the matrices; adam_mask=None is `mask`, eps Adam's too.
    """
    groups_of = _Groups(muon_mask, muon_weight_dimension_numbers)
    matrices = (
        scale_by_muon(
            ns_coeffs,
            ns_steps,
            beta,
            eps,
            mu_dtype,
            nesterov=nesterov,
            adaptive=adaptive,
            preconditioning=preconditioning,
            eps_floor=eps_floor,
            bias_correction=bias_correction,
            precision=precision,
        ),
        scale_by_shape(consistent_rms),
        *optional_decay(weight_decay, mask),
    )
    others = (
        scale_by_adam(adam_b1, adam_b2, eps, adam_eps_root, mu_dtype, nesterov=adam_nesterov),
        *optional_decay(adam_weight_decay, mask if adam_mask is None else adam_mask),
    )
    if adam_learning_rate is None:
        groups = {"muon": chain(*matrices), "adam": chain(*others)}
        made = chain(partition(groups, groups_of), scale_by_learning_rate(learning_rate))
    else:
        groups = {
            "muon": chain(*matrices, scale_by_learning_rate(learning_rate)),
            "adam": chain(*others, scale_by_learning_rate(adam_learning_rate)),
        }
        made = partition(groups, groups_of)
    numbers = muon_weight_dimension_numbers
    return made if numbers is None else dimensioned(made, numbers)
