"""KL-Shampoo and KL-SOAP: factors that together describe the covariance of gradients best."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.select import Selection
from gradchain.core.slots import squares, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, over_root, safe_divide
from gradchain.matrices.factors import Factor, Factors, Otherwise, Sides
from gradchain.matrices.linalg import adjoint, iterated
from gradchain.matrices.preconditioners import known, preconditioned, times
from gradchain.rules.matrix.soap import errors, first_bases, in_bases, into, out_of
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
PAPER: Any = {
    "paper": "arXiv:2509.03378",
    "traits": frozenset({"matrices", "eigenvectors"}),
    "errors": errors,
    "near": ("soap", "shampoo", "adamw"),
}
START = 0.1  # what eigenvalues start with


class ScaleByKlShampooState(NamedTuple):
    count: Array  # [] int32, steps taken
    rotated_mu: PyTree  # like params, E[g] in the bases
    nu: PyTree  # like params, E[|g|^2] in the bases, or only of leaves without factors
    left: PyTree  # for each block [m, m], packed
    right: PyTree  # [n, n], packed
    left_basis: PyTree  # [m, m], in columns the eigenvectors of left, nearly
    right_basis: PyTree  # [n, n]
    left_values: PyTree  # [m], the eigenvalues of left, nearly
    right_values: PyTree  # [n]


@transform(**PAPER, example=lambda: {"precondition_frequency": 2})
def scale_by_kl_shampoo(
    b1: Decay = 0.9,
    b2: Decay = 0.98,
    eps: Hyper = 1e-8,
    precondition_frequency: int = 10,
    *,
    inner_adam: bool = False,
    bias_correction: bool = False,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Sides = "both",
):
    """Multiply the mean gradient by L^(-1/2) and R^(-1/2), in whose estimates each has the other's inverse.

    u = P (m / (sqrt(a b^T) + eps)) Q^H,  L = P diag(a) P^H, R = Q diag(b) Q^H nearly, m = E[P^H g Q]; then
    L = b2 L + (1 - b2) (g Q / b) (g Q)^H / n;  a = b2 a + (1 - b2) mean_j(|P^H g Q|^2 / b_j);  R and b alike
    Each precondition_frequency steps P is that of the QR decomposition of L P. The first step makes L, R, P
    and Q of the gradient, with a = b = 0.1, and its update is 0. inner_adam: KL-SOAP, v = E[|P^H g Q|^2] for
    a b^T. Biases are not corrected, as in the authors' code, whose bound of 1 / sqrt(a) is not here.
    A vector has Adam's update. State of a square matrix: 16 bytes a parameter, with inner_adam 20.
    """

    def update(g, s):
        on = True if s.left is None and s.right is None else s.count > 1
        t = s.count if on is True else jnp.maximum(s.count - 1, 1)
        h = into(s, g)
        mu = jnp.where(on, ema(s.rotated_mu, h, b1), s.rotated_mu)
        nu = known(lambda v: ema(v, abs2(h), b2), s.nu)
        corrected = bias_correction or on is True
        m, a, b = (debias(mu, b1, t) if corrected else mu), s.left_values, s.right_values
        one = jnp.ones((), m.real.dtype)
        a = one if a is None else a[..., :, None]
        b = one if b is None else b[..., None, :]
        v = a * b if nu is None else debias(nu, b2, t) if corrected else nu
        u = out_of(s, over_root(m, v, eps))
        if on is not True:
            s = _accumulated(g, h, s, a, b, on)
        return u, s._replace(rotated_mu=mu, nu=nu)

    def _accumulated(g, h, s, a, b, on):
        """The factors and eigenvalues after a gradient g, h in the bases; the first counts as it is."""
        rows = jnp.where(on, over_root(times(g, s.right_basis), b, 0), g)
        cols = jnp.where(on, over_root(times(known(adjoint, s.left_basis), g), a, 0), g)
        m, n = g.shape[-2:]
        keep = lambda old, x: jnp.where(on, ema(old, x, b2), old)  # noqa: E731
        return s._replace(
            left=known(lambda x: ema(x, times(rows, adjoint(rows)) / n, b2), s.left),
            right=known(lambda x: ema(x, times(adjoint(cols), cols) / m, b2), s.right),
            left_values=known(keep, s.left_values, jnp.mean(safe_divide(abs2(h), b), -1)),
            right_values=known(keep, s.right_values, jnp.mean(safe_divide(abs2(h), a), -2)),
        )

    def renew(s):
        bases = known(iterated, s.left, s.left_basis), known(iterated, s.right, s.right_basis)
        return in_bases(s, *bases)

    return preconditioned(
        ScaleByKlShampooState,
        update,
        renew,
        factors=Factors(block_size, max_precond_dim, sides),
        who="scale_by_kl_shampoo",
        every=precondition_frequency,
        start=first_bases,
        rotated_mu=zeros,
        nu=squares if inner_adam else Otherwise(squares),
        left=Factor(0),
        right=Factor(1),
        left_basis=Factor(0, "square"),
        right_basis=Factor(1, "square"),
        left_values=Factor(0, "values", START),
        right_values=Factor(1, "values", START),
    )


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.1, "precondition_frequency": 2})
def kl_shampoo(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.98,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    precondition_frequency: int = 10,
    *,
    bias_correction: bool = False,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Sides = "both",
):
    """KL-Shampoo: p = p - lr * (u + weight_decay * p), see `scale_by_kl_shampoo`."""
    return chain(
        scale_by_kl_shampoo(
            b1,
            b2,
            eps,
            precondition_frequency,
            inner_adam=False,
            bias_correction=bias_correction,
            block_size=block_size,
            max_precond_dim=max_precond_dim,
            sides=sides,
        ),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@optimizer(**{**PAPER, "errors": tuple}, example=lambda: {"learning_rate": 0.1, "precondition_frequency": 2})
def kl_soap(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.98,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    precondition_frequency: int = 10,
    *,
    bias_correction: bool = False,
    block_size: int | None = None,
    max_precond_dim: int | None = 10000,
    sides: Sides = "both",
):
    """KL-SOAP: p = p - lr * (u + weight_decay * p), see `scale_by_kl_shampoo`(inner_adam=True)."""
    return chain(
        scale_by_kl_shampoo(
            b1,
            b2,
            eps,
            precondition_frequency,
            inner_adam=True,
            bias_correction=bias_correction,
            block_size=block_size,
            max_precond_dim=max_precond_dim,
            sides=sides,
        ),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
