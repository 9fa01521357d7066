"""Steps along the matrices of one spectral norm: the spectral sphere optimizer, SSO."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from gradchain.core import tree
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType, Precision, whole
from gradchain.core.link import treewise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import norm, real, safe_divide
from gradchain.matrices.linalg import adjoint
from gradchain.matrices.per_matrix import per_matrix
from gradchain.rules.matrix import coefficients
from gradchain.rules.matrix.coefficients import Coefficients
from gradchain.rules.matrix.groups import Groups, adam_links, stepping
from gradchain.rules.matrix.muon import polar
from gradchain.rules.parts.averaging import ema
from gradchain.rules.parts.basic import ScaleByLearningRateState

MATRIX = (-2, -1)
Steps = Annotated[int, whole(1, 100)]


def _errors():
    yield from coefficients.errors()
    yield ErrorInput({"power_steps": 0}, ValueError, ("power_steps is 0", "at least 1"))
    yield ErrorInput({"search_steps": 101}, ValueError, ("search_steps is 101", "at most 100"))


PAPER: Any = {
    "paper": "arXiv:2601.08393",
    "traits": frozenset({"matrices"}),
    "near": ("step_on_sphere", "step_on_stiefel", "muonh", "scion"),
    "errors": _errors,
}


def _unit(x: Array) -> Array:
    return x * safe_divide(1, norm(x, MATRIX, keepdims=True))


def largest(p: Array, steps: int) -> tuple[Array, Array]:
    """The largest singular value of matrices, [k, 1, 1], and the product u v^H of its vectors, [k, m, n]."""
    start = jax.random.normal(jax.random.key(0), (p.shape[2], 1), p.dtype)  # the same wherever a matrix is
    start = jnp.broadcast_to(start, (p.shape[0], *start.shape))
    v = lax.fori_loop(0, steps, lambda _, v: _unit(adjoint(p) @ (p @ v)), start)
    u = p @ v  # [k, m, 1]
    size = norm(u, MATRIX, keepdims=True)
    return size, u * safe_divide(1, size) @ adjoint(v)


@transform(**PAPER, record=("learning_rate",), example=lambda: {"learning_rate": 0.1})
def step_on_spectral_sphere(
    learning_rate: Hyper,
    radius: Hyper = 1.0,
    ns_coeffs: Coefficients = "polar_express",
    ns_steps: int = 8,
    eps: Hyper = 1e-8,
    *,
    power_steps: Steps = 10,
    search_steps: Steps = 20,
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
):
    """Descend along the matrices of one spectral norm: the last link of a chain.

    s, t = the largest singular value of p and u v^T of its vectors;  r = radius * sqrt(columns / rows)
    d = msign(g / |g| + c t), c such that <t, d> = 0;  p + u = r * (p / s - learning_rate * d)
    msign is `newton_schulz`, s and t come from power_steps steps of power iteration from fixed noise. c is
    found by bisection from -2 to 2 roots of the shorter side: search_steps times the products of one msign.
    A gradient of zeros only scales p; p = 0 is moved as by `orthogonalize`.
    """
    sign = polar(ns_coeffs, ns_steps, eps, precision, who="step_on_spectral_sphere", ns_dtype=ns_dtype)

    def moved(g, p, rate, radius):  # [k, m, n] twice
        m, n = p.shape[-2:]
        size, t = largest(p, power_steps)
        g, rate, radius = _unit(g), rate.astype(size.dtype), radius.astype(size.dtype)

        def halve(_, ends):
            low, high = ends
            middle = (low + high) / 2
            inner = jnp.sum((t.conj() * sign(g + middle * t)).real, MATRIX, keepdims=True)
            return jnp.where(inner < 0, middle, low), jnp.where(inner < 0, high, middle)

        end = jnp.full_like(size, 2 * min(m, n) ** 0.5)
        low, high = lax.fori_loop(0, search_steps, halve, (-end, end))
        d = jnp.where(norm(g, MATRIX, keepdims=True) == 0, 0, sign(g + (low + high) / 2 * t))
        return ((p * safe_divide(1, size) - rate * d) * (radius * (n / m) ** 0.5),)

    def update(updates, s, params, *, leaves: list[Leaf]):
        old, treedef = jax.tree.flatten(jax.tree.map(tree.wide, params))
        grads = jax.tree.leaves(jax.tree.map(tree.wide, updates))
        shared = tuple(real(jnp.asarray(x)) for x in (learning_rate, radius))
        pairs, own = list(zip(grads, old, strict=True)), [(leaf, leaf) for leaf in leaves]
        new = [x for (x,) in per_matrix(moved, pairs, own, shared=shared)]
        return treedef.unflatten([q - p for q, p in zip(new, old, strict=True)]), s

    return treewise(ScaleByLearningRateState, update, params=True)


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.02})
def spectral_sphere(
    learning_rate: Hyper,
    beta: Decay = 0.9,
    radius: Hyper = 1.0,
    eps: Hyper = 1e-8,
    mu_dtype: DType | None = None,
    *,
    ns_coeffs: Coefficients = "polar_express",
    ns_steps: int = 8,
    power_steps: Steps = 10,
    search_steps: Steps = 20,
    adam_b1: Decay = 0.9,
    adam_b2: Decay = 0.999,
    adam_weight_decay: Hyper = 0.0,
    adam_learning_rate: Hyper | None = None,
    mask: Selection = None,
    muon_mask: Selection = None,
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
):
    """SSO: a running mean of gradients, and `step_on_spectral_sphere`; AdamW for all other leaves.

    The learning rate is relative to the spectral norm of the weights, which the first step makes `radius`
    times sqrt(columns / rows). `muon_mask` selects the matrices; None: all but embeddings and heads, by their
    paths. An approximation that keeps the norm of all singular values together is `muonh`.
    """
    matrices = (
        ema(beta, debias=False, accumulator_dtype=mu_dtype),
        step_on_spectral_sphere(
            *(learning_rate, radius, ns_coeffs, ns_steps, eps),
            power_steps=power_steps,
            search_steps=search_steps,
            precision=precision,
            ns_dtype=ns_dtype,
        ),
    )
    others = adam_links(adam_b1, adam_b2, eps, adam_weight_decay, mask)
    rate = learning_rate if adam_learning_rate is None else adam_learning_rate
    return stepping(matrices, others, rate, Groups(muon_mask))
