"""Shampoo: gradients between inverse roots of their second moments over rows and over columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from jax import Array

from gradchain.core.hyper import Decay, Hyper
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import squares, zeros
from gradchain.core.transform import transform
from gradchain.math.numerics import abs2, debias, ema, over_root
from gradchain.matrices.factors import Factor, Factors, Otherwise, Sides
from gradchain.matrices.linalg import adjoint, inverse_root
from gradchain.matrices.preconditioners import known, preconditioned, times
from gradchain.rules.matrix.soap import errors

PyTree = Any
Combine = Literal["product", "sum"]


def _errors() -> Iterator[ErrorInput]:
    yield from errors()
    yield ErrorInput({"root": 0}, ValueError, ("root is 0", "at least 1"))
    yield ErrorInput({"combine": "mean"}, ValueError, ("combine is 'mean'", "'sum'"))
    yield ErrorInput({"method": "qr"}, ValueError, ("method is 'qr'", "'newton'"))


PAPER: Any = {
    "paper": "arXiv:1802.09568; arXiv:2309.06497",
    "traits": frozenset({"matrices", "eigenvectors"}),
    "errors": _errors,
    "near": ("soap", "kl_shampoo", "muon"),
}


class ScaleByShampooState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[g]
    nu: PyTree  # like params where a leaf has no factor, E[|g|^2]; else a scalar
    left: PyTree  # for each block [m, m], packed: E[g g^H]
    right: PyTree  # [n, n], packed: E[g^H g]
    left_root: PyTree  # [m, m], packed: left^(-1/root)
    right_root: PyTree  # [n, n], packed


@transform(**PAPER, example=lambda: {"precondition_frequency": 2})
def scale_by_shampoo(
    b1: Decay = 0.9,
    b2: Decay = 0.99,
    eps: Hyper = 1e-6,
    precondition_frequency: int = 10,
    *,
    root: int = 4,
    sums: bool = False,
    block_size: int | None = 1024,
    max_precond_dim: int | None = None,
    sides: Sides = "both",
    method: Literal["eigh", "newton"] = "eigh",
    combine: Combine = "product",
):
    """Multiply gradients by inverse roots of their second moments, L on the left and R on the right.

    L = b2 L + (1 - b2) g g^H;  R = b2 R + (1 - b2) g^H g;  m = b1 m + (1 - b1) g
    u = L'^(-1/root) m' R'^(-1/root),  x' = x / (1 - b^t); the roots are those of (L' + eps |L'|_2 I)
    sums: L = L + g g^H, R = R + g^H g, as in arXiv:1802.09568. The roots are renewed each
    precondition_frequency steps, before the update. With sides="short" root=2 is that of one-sided Shampoo.
    combine="sum": CASPR, x = (L^(-1/root) m' + m' R^(-1/root)) / 2 and u the same of x, arXiv:2311.10085.
    A vector has u = m' / (sqrt(v') + eps), v its mean or sum of squares: the diagonal of its one matrix.
    State of a square matrix in float32: 12 bytes a parameter.
    """
    if root < 1:
        raise ValueError(f"scale_by_shampoo: root is {root}; expected at least 1")

    def more(old, x):
        return old + x if sums else ema(old, x, b2)

    def mean(x, t):
        return x if sums else debias(x, b2, t)

    def accumulate(g, s):
        if s.nu is not None:
            return s._replace(nu=more(s.nu, abs2(g)))
        left = known(lambda a: more(a, times(g, adjoint(g))), s.left)
        right = known(lambda a: more(a, times(adjoint(g), g)), s.right)
        return s._replace(left=left, right=right)

    def summed(s, x):
        both = known(lambda a: times(a, x), s.left_root), known(lambda a: times(x, a), s.right_root)
        there = [y for y in both if y is not None]
        return sum(there) / len(there)

    def renew(s):
        roots = (
            known(lambda a: inverse_root(mean(a, s.count), root, eps, method), a) for a in (s.left, s.right)
        )
        left, right = roots
        return s._replace(left_root=left, right_root=right)

    def update(g, s):
        mu = ema(s.mu, g, b1)
        m = debias(mu, b1, s.count)
        if s.nu is not None:
            u = over_root(m, mean(s.nu, s.count), eps)
        elif combine == "sum":
            u = summed(s, summed(s, m))
        else:
            u = times(s.left_root, m, s.right_root)
        return u, s._replace(mu=mu)

    return preconditioned(
        ScaleByShampooState,
        update,
        renew,
        accumulate=accumulate,
        factors=Factors(block_size, max_precond_dim, sides),
        who="scale_by_shampoo",
        every=precondition_frequency,
        mu=zeros,
        nu=Otherwise(squares),
        left=Factor(0),
        right=Factor(1),
        left_root=Factor(0),
        right_root=Factor(1),
    )
