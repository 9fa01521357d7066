"""SOAP: Adam in the eigenbases of Shampoo's factors."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.select import Selection
from gradchain.core.slots import squares, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, over_root
from gradchain.matrices.linalg import eigenbasis, rotated, transposed
from gradchain.matrices.preconditioners import Factor, Factors, preconditioned, times
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any


class ScaleBySoapState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]
    nu: PyTree  # like params, E[|g|^2] in the basis
    left: PyTree  # of [m, m] for each block, packed: E[g g^H]
    right: PyTree  # of [n, n], packed: E[g^H g]
    left_basis: PyTree  # [m, m], columns: eigenvectors of left
    right_basis: PyTree  # [n, n]


@transform(paper="arXiv:2409.11321", traits=frozenset({"matrices"}))
def scale_by_soap(
    b1: Decay = 0.95,
    b2: Decay = 0.95,
    shampoo_beta: Decay = 0.95,
    eps: Hyper = 1e-8,
    precondition_frequency: int = 10,
    *,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Literal["both", "short", "left", "right"] = "both",
):
    """Adam in the eigenbases of Shampoo's factors."""

    def update(g, s):
        on, t = s.count > 1, jnp.maximum(s.count - 1, 1)
        if s.left is None and s.right is None:
            on, t = True, s.count
        left, right = s.left_basis, s.right_basis
        down = [x if x is None else transposed(x).conj() for x in (left, right)]
        mu = jnp.where(on, ema(s.mu, g, b1), s.mu)
        nu = jnp.where(on, ema(s.nu, abs2(times(down[0], g, right)), b2), s.nu)
        u = over_root(debias(times(down[0], mu, right), b1, t), debias(nu, b2, t), eps)
        s = s._replace(mu=mu, nu=nu)
        if left is not None:
            s = s._replace(left=ema(s.left, times(g, transposed(g).conj()), shampoo_beta))
        if right is not None:
            s = s._replace(right=ema(s.right, times(transposed(g).conj(), g), shampoo_beta))
        return times(left, u, down[1]), s

    def start(s):
        bases = [x if x is None else eigenbasis(x) for x in (s.left, s.right)]
        return s._replace(left_basis=bases[0], right_basis=bases[1])

    def renew(s):
        nu = s.nu
        if s.left is not None:
            basis, order = rotated(s.left, s.left_basis)
            nu = jnp.take_along_axis(nu, order[:, :, None], 1)
            s = s._replace(left_basis=basis, nu=nu)
        if s.right is not None:
            basis, order = rotated(s.right, s.right_basis)
            s = s._replace(right_basis=basis, nu=jnp.take_along_axis(nu, order[:, None, :], 2))
        return s

    return preconditioned(
        ScaleBySoapState,
        update,
        renew,
        factors=Factors(block_size, max_precond_dim, sides),
        every=precondition_frequency,
        start=start,
        mu=zeros,
        nu=squares,
        left=Factor(0),
        right=Factor(1),
        left_basis=Factor(0, "square"),
        right_basis=Factor(1, "square"),
    )


@optimizer(paper="arXiv:2409.11321", example=lambda: {"learning_rate": 0.1, "precondition_frequency": 2})
def soap(
    learning_rate: Hyper,
    b1: Decay = 0.95,
    b2: Decay = 0.95,
    shampoo_beta: Decay = 0.95,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.01,
    mask: Selection = None,
    precondition_frequency: int = 10,
    *,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Literal["both", "short", "left", "right"] = "both",
):
    """SOAP: p = p - lr * (u + weight_decay * p), see `scale_by_soap`."""
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
        ),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
