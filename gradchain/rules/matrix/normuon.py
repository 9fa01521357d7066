"""NorMuon and AdaMuon: a second moment of the orthogonal update, for each neuron or for each number."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax.numpy as jnp

from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType, Precision
from gradchain.core.leafwise import leafwise
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, drop
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, ema, norm, over_root, safe_divide
from gradchain.matrices.linalg import QUINTIC, Kernel
from gradchain.matrices.per_matrix import sides
from gradchain.rules.matrix.balance import Sides, optional_balance
from gradchain.rules.matrix.coefficients import Coefficients
from gradchain.rules.matrix.groups import Groups, adam_links, with_others
from gradchain.rules.matrix.muon import scale_by_muon, scale_by_shape
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
MATRICES = frozenset({"matrices"})


class ScaleByNormuonState(NamedTuple):
    nu: PyTree  # for each output, [*stack, outputs], E[mean |g|^2 over the inputs]; elementwise like params


@transform(paper="arXiv:2510.05491, arXiv:2507.11005", traits=MATRICES, near=("scale_by_muon", "balance"))
def scale_by_normuon(
    b2: Decay = 0.95,
    eps: Hyper = 1e-8,
    consistent_rms: Hyper | None = None,
    *,
    elementwise: bool = False,
):
    """Divide what each output's weights get by a running root mean square: a link after `scale_by_muon`.

    v = b2 v + (1 - b2) mean over inputs of |g|^2;  u = g / (sqrt(v) + eps);  u = u * |g| / |u|
    The matrix keeps the norm that it had, as in the authors' code, and `scale_by_shape` may follow.
    consistent_rms: it gets this root mean square instead, the paper's 0.2, whatever its shape.
    elementwise: v = b2 v + (1 - b2) |g|^2, of each number, as in AdaMuon. A bias correction of v is a
    factor that the last step takes out. On a mesh v and the norms, small arrays, are summed over devices.
    """

    def over(leaf: Leaf) -> tuple[int, ...]:
        return () if elementwise else leaf.axes.rows

    def step(g, s, *, leaf):
        axes = over(leaf)
        _, rows, cols = sides(leaf.shape, leaf.axes)
        count = math.prod(leaf.shape[i] for i in axes)
        nu = ema(s.nu, jnp.sum(abs2(g), axes) / max(count, 1), b2)
        u = over_root(g, jnp.expand_dims(nu, axes), eps)
        old, new = (norm(x, leaf.axes.matrix, keepdims=True) for x in (g, u))
        wanted = old if consistent_rms is None else consistent_rms * math.sqrt(rows * cols)
        return u * safe_divide(wanted, new), ScaleByNormuonState(nu)

    return leafwise(ScaleByNormuonState, step, nu=lambda leaf: drop(leaf, over(leaf)))


@optimizer(
    paper="arXiv:2510.05491",
    traits=MATRICES,
    example=lambda: {"learning_rate": 0.02},
    near=("muon", "adamuon", "adamw"),
)
def normuon(
    learning_rate: Hyper,
    beta: Decay = 0.95,
    b2: Decay = 0.95,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    mu_dtype: DType | None = None,
    *,
    ns_coeffs: Coefficients = QUINTIC,
    ns_steps: int = 5,
    nesterov: bool = True,
    equilibrate: Sides | None = None,
    renormalize: Sides | None = None,
    consistent_rms: Hyper | None = 0.2,
    adam_b1: Decay = 0.9,
    adam_b2: Decay = 0.999,
    adam_weight_decay: Hyper = 0.0,
    adam_learning_rate: Hyper | None = None,
    muon_mask: Selection = None,
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
    ns_kernel: Kernel = "xla",
):
    """NorMuon: `muon` with `scale_by_normuon`, a second moment for each output, after orthogonalisation.

    Updates have the root mean square consistent_rms, as in the paper; None: the norm of the orthogonal
    update times the factor of `scale_by_shape`, as in the authors' code. The momentum is Nesterov's as
    there; nesterov=False is the paper's. Other leaves: AdamW. equilibrate and renormalize as in `muon`.
    """
    scaled = optional_scale(consistent_rms)
    matrices = (
        scale_by_muon(
            *(ns_coeffs, ns_steps, beta, eps, mu_dtype),
            nesterov=nesterov,
            precision=precision,
            ns_dtype=ns_dtype,
            ns_kernel=ns_kernel,
            equilibrate=equilibrate,
        ),
        *optional_balance(renormalize),
        scale_by_normuon(b2, eps, consistent_rms),
        *scaled,
        *optional_decay(weight_decay, mask),
    )
    others = adam_links(adam_b1, adam_b2, eps, adam_weight_decay, mask)
    return with_others(matrices, others, learning_rate, adam_learning_rate, Groups(muon_mask))


def optional_scale(consistent_rms) -> tuple:
    """`scale_by_shape` where updates have not been given their root mean square."""
    return (scale_by_shape(),) if consistent_rms is None else ()


@optimizer(
    paper="arXiv:2507.11005",
    traits=MATRICES,
    example=lambda: {"learning_rate": 0.02},
    near=("muon", "normuon", "adamw"),
)
def adamuon(
    learning_rate: Hyper,
    beta: Decay = 0.95,
    b2: Decay = 0.95,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    mu_dtype: DType | None = None,
    *,
    ns_coeffs: Coefficients = QUINTIC,
    ns_steps: int = 5,
    nesterov: bool = False,
    equilibrate: Sides | None = "elements",
    consistent_rms: Hyper | None = 0.2,
    adam_b1: Decay = 0.9,
    adam_b2: Decay = 0.999,
    adam_weight_decay: Hyper = 0.0,
    adam_learning_rate: Hyper | None = None,
    muon_mask: Selection = None,
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
    ns_kernel: Kernel = "xla",
):
    """AdaMuon: the signs of the momentum made orthogonal, divided by a second moment of each number.

    u = newton_schulz(sign(m));  v = b2 v + (1 - b2) u^2;  u = u / (sqrt(v) + eps), then of root mean square
    consistent_rms; the paper has b2 = beta. Its first version, and the authors' code, take no signs
    (equilibrate=None), nesterov=True and b2=0.999. Other leaves: AdamW.
    """
    orthogonal = scale_by_muon(
        *(ns_coeffs, ns_steps, beta, eps, mu_dtype),
        nesterov=nesterov,
        precision=precision,
        ns_dtype=ns_dtype,
        ns_kernel=ns_kernel,
        equilibrate=equilibrate,
    )
    moment = scale_by_normuon(b2, eps, consistent_rms, elementwise=True)
    matrices = (orthogonal, moment, *optional_scale(consistent_rms), *optional_decay(weight_decay, mask))
    others = adam_links(adam_b1, adam_b2, eps, adam_weight_decay, mask)
    return with_others(matrices, others, learning_rate, adam_learning_rate, Groups(muon_mask))
