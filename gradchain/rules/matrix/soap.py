"""SOAP: Adam in the eigenbases of Shampoo's factors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import squares, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, over_root
from gradchain.matrices.factors import Factor, Factors, Sides
from gradchain.matrices.linalg import adjoint, eigenbasis, rotated
from gradchain.matrices.preconditioners import known, preconditioned, times
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any


def errors() -> Iterator[ErrorInput]:
    """What all methods with factors refuse."""
    yield ErrorInput({"precondition_frequency": 0}, ValueError, ("precondition_frequency is 0", "at least 1"))
    yield ErrorInput({"block_size": 1}, ValueError, ("block_size is 1", "at least 2"))
    yield ErrorInput({"max_precond_dim": 0}, ValueError, ("max_precond_dim is 0", "at least 1"))
    yield ErrorInput({"sides": "top"}, ValueError, ("sides is 'top'", "'short'"))


PAPER: Any = {
    "paper": "arXiv:2409.11321",
    "traits": frozenset({"matrices", "eigenvectors"}),
    "errors": errors,
    "near": ("shampoo", "kl_soap", "adamw", "muon"),
}


class ScaleBySoapState(NamedTuple):
    count: Array  # [] int32, steps taken
    rotated_mu: PyTree  # like params, E[g] in the bases
    nu: PyTree  # like params, E[|g|^2] in the bases
    left: PyTree  # for each block [m, m], packed: E[g g^H]
    right: PyTree  # [n, n], packed: E[g^H g]
    left_basis: PyTree  # [m, m], in columns the eigenvectors of left
    right_basis: PyTree  # [n, n]


def into(s: Any, x: Array) -> Array:
    """A block in the bases of its sides."""
    return times(known(adjoint, s.left_basis), x, s.right_basis)


def out_of(s: Any, x: Array) -> Array:
    """The way back."""
    return times(s.left_basis, x, known(adjoint, s.right_basis))


def in_bases(s: Any, left: Array | None, right: Array | None) -> Any:
    """The state with other bases, and the mean gradient in these."""
    new = s._replace(left_basis=left, right_basis=right)
    return new._replace(rotated_mu=into(new, out_of(s, s.rotated_mu)))


def first_bases(s: Any) -> Any:
    """The state with the eigenvectors of its factors."""
    return s._replace(left_basis=known(eigenbasis, s.left), right_basis=known(eigenbasis, s.right))


@transform(**PAPER, example=lambda: {"precondition_frequency": 2})
def scale_by_soap(
    b1: Decay = 0.95,
    b2: Decay = 0.95,
    shampoo_beta: Decay = 0.95,
    eps: Hyper = 1e-8,
    precondition_frequency: int = 10,
    *,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Sides = "both",
    of_momentum: bool = False,
):
    """Adam in the eigenbases P, Q of L = E[g g^H] and R = E[g^H g].

    h = P^H g Q;  m = b1 m + (1 - b1) h;  v = b2 v + (1 - b2) |h|^2;  u = P (m' / (sqrt(v') + eps)) Q^H
    then L, R with shampoo_beta, and each precondition_frequency steps P from the QR decomposition of L P,
    and m in the new bases.
    The first step of a matrix makes its L, R, P, Q by eigenvectors, and its update is 0, as in the authors'
    code; their eps is divided by sqrt(1 - b2^t). A vector has Adam's update, from the first step on.
    of_momentum: v, L and R are of m' instead of g. State of a square matrix in float32: 20 bytes a parameter,
    14 with one side, and 6 less with moments in log8.
    """

    def update(g, s):
        matrix = not (s.left is None and s.right is None)
        on, t = (s.count > 1, jnp.maximum(s.count - 1, 1)) if matrix else (True, s.count)
        h = into(s, g)
        mu = jnp.where(on, ema(s.rotated_mu, h, b1), s.rotated_mu)
        m = debias(mu, b1, t)
        nu = ema(s.nu, abs2(jnp.where(on, m, h) if of_momentum else h), b2)
        u = out_of(s, over_root(m, debias(nu, b2, t), eps))
        x = jnp.where(on, out_of(s, m), g) if of_momentum and matrix else g
        left = known(lambda a: ema(a, times(x, adjoint(x)), shampoo_beta), s.left)
        right = known(lambda a: ema(a, times(adjoint(x), x), shampoo_beta), s.right)
        return u, s._replace(rotated_mu=mu, nu=nu, left=left, right=right)

    def renew(s):
        nu, left, right = s.nu, None, None
        if s.left is not None:
            left, order = rotated(s.left, s.left_basis)
            nu = jnp.take_along_axis(nu, order[:, :, None], 1)
        if s.right is not None:
            right, order = rotated(s.right, s.right_basis)
            nu = jnp.take_along_axis(nu, order[:, None, :], 2)
        return in_bases(s, left, right)._replace(nu=nu)

    return preconditioned(
        ScaleBySoapState,
        update,
        renew,
        factors=Factors(block_size, max_precond_dim, sides),
        who="scale_by_soap",
        every=precondition_frequency,
        start=first_bases,
        rotated_mu=zeros,
        nu=squares,
        left=Factor(0),
        right=Factor(1),
        left_basis=Factor(0, "square"),
        right_basis=Factor(1, "square"),
    )


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.1, "precondition_frequency": 2})
def soap(
    learning_rate: Hyper,
    b1: Decay = 0.95,
    b2: Decay = 0.95,
    shampoo_beta: Decay = 0.95,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    precondition_frequency: int = 10,
    *,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Sides = "both",
    of_momentum: bool = False,
):
    """SOAP: p = p - lr * (u + weight_decay * p), see `scale_by_soap`; sides="short" is one-sided SOAP."""
    return chain(
        scale_by_soap(
            b1,
            b2,
            shampoo_beta,
            eps,
            precondition_frequency,
            block_size=block_size,
            max_precond_dim=max_precond_dim,
            sides=sides,
            of_momentum=of_momentum,
        ),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
