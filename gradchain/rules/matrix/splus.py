"""SPlus: signs of the momentum in the eigenbases of Shampoo's factors."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import whole
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import ema
from gradchain.matrices.factors import Factor, Factors, Sides
from gradchain.matrices.linalg import adjoint
from gradchain.matrices.per_matrix import sides as sides_of
from gradchain.matrices.preconditioners import known, preconditioned, times
from gradchain.rules.matrix.soap import errors, first_bases, into, out_of
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
PAPER: Any = {"paper": "arXiv:2506.07254", "near": ("soap", "shampoo", "muon", "signum")}
EIGENVECTORS = frozenset({"matrices", "eigenvectors"})


class ScaleBySplusState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]
    left: PyTree  # for each block [m, m], packed: E[g g^H]
    right: PyTree  # [n, n], packed: E[g^H g]
    left_basis: PyTree  # [m, m], in columns the eigenvectors of left; at first the unit matrix
    right_basis: PyTree  # [n, n]


@transform(
    **PAPER,
    traits=EIGENVECTORS,
    errors=errors,
    example=lambda: {"precondition_frequency": 2, "sides": "short"},
)
def scale_by_splus(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    precondition_frequency: int = 100,
    *,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Sides = "both",
):
    """Signs of the momentum in the eigenbases P, Q of L = E[g g^H] and R = E[g^H g].

    m = b1 m + (1 - b1) g;  u = P sign(P^H m Q) Q^H
    then L, R = b2 (L, R) + (1 - b2) (g g^H, g^H g), and every precondition_frequency steps, the first
    included, P, Q from the eigenvectors. Of a vector u = sign(m). Where L or R has not its full rank, as the
    long side's in the first steps, some eigenvectors are anyone's, and so is the update; sides="short" avoids
    that. State of a square matrix: 16 bytes a parameter, 10 with one side.
    """

    def update(g, s):
        mu = ema(s.mu, g, b1)
        left = known(lambda a: ema(a, times(g, adjoint(g)), b2), s.left)
        right = known(lambda a: ema(a, times(adjoint(g), g), b2), s.right)
        matrix = not (s.left is None and s.right is None)
        u = out_of(s, jnp.sign(into(s, mu))) if matrix else jnp.sign(mu)
        return u, s._replace(mu=mu, left=left, right=right)

    return preconditioned(
        ScaleBySplusState,
        update,
        first_bases,
        factors=Factors(block_size, max_precond_dim, sides),
        who="scale_by_splus",
        every=precondition_frequency,
        mu=zeros,
        left=Factor(0),
        right=Factor(1),
        left_basis=Factor(0, "square", eye=1.0),
        right_basis=Factor(1, "square", eye=1.0),
    )


@transform(**PAPER, traits=frozenset({"matrices"}))
def scale_by_sides(vector_scale: Hyper = 1e-3, max_precond_dim: Annotated[int, whole(1)] | None = 10000):
    """Scale the update of a matrix by 2 / (rows + columns), and what is none by a number of its own.

    A matrix with a side longer than max_precond_dim counts as none.
    """

    def step(g, *, leaf):
        _, rows, cols = sides_of(leaf.shape, leaf.axes)
        longest = max(rows, cols)
        matrix = leaf.axes.rows and leaf.axes.cols and longest <= (max_precond_dim or longest)
        return g * (2 / max(rows + cols, 1) if matrix else vector_scale)

    return leafwise(None, step)


@optimizer(
    **PAPER,
    traits=EIGENVECTORS,
    errors=errors,
    example=lambda: {"learning_rate": 0.1, "precondition_frequency": 2, "sides": "short"},
)
def splus(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    precondition_frequency: int = 100,
    *,
    vector_scale: Hyper = 1e-3,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Sides = "both",
):
    """SPlus: p = p - lr * f * (u + weight_decay * p), u of `scale_by_splus` and f of `scale_by_sides`.

    The paper evaluates an average of the parameters with decay 0.999: `average(splus(0.1), 0.999)`.
    """
    kept: dict[str, Any] = {"block_size": block_size, "max_precond_dim": max_precond_dim, "sides": sides}
    return chain(
        scale_by_splus(b1, b2, precondition_frequency, **kept),
        *optional_decay(weight_decay, mask),
        scale_by_sides(vector_scale, max_precond_dim),
        scale_by_learning_rate(learning_rate),
    )
