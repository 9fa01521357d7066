"""PSGD with Kronecker factors: the momentum whitened by triangular factors that are fitted to it."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree, words
from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.kinds import DType, Key
from gradchain.core.link import treewise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, absent, shared, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import bounded, debias, ema, normal, real
from gradchain.matrices.kron import (
    Diagonal,
    apart,
    balanced,
    closed,
    factors_of,
    fitted,
    opened,
    pairs_of,
    per_kron,
    refitted,
    through,
    unsolved,
    whitened,
)
from gradchain.matrices.linalg import transposed
from gradchain.matrices.ring import Step, fraction
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.clipping import clip_by_block_rms
from gradchain.rules.parts.decay import optional_decay

PyTree = Any


def _errors():
    yield ErrorInput({"diagonal": "longes"}, ValueError, ("diagonal is 'longes'", "'longest'"))


def _all_errors():
    yield ErrorInput({"init_scale": -1.0}, ValueError, ("init_scale=-1.0", "above 0"))
    yield ErrorInput({"max_size": -1}, ValueError, ("max_size=-1", "at least 0"))
    yield from _errors()


PAPER: Any = {
    "paper": "arXiv:1512.04202; arXiv:2402.11858",
    "traits": frozenset({"matrices", "random"}),
    "near": ("shampoo", "soap", "muon", "psgd_lra"),
}


class ScaleByPsgdState(NamedTuple):
    count: Array  # [] int32, steps taken
    turn: Array  # [] uint32, how far the fitting has come round all matrices, in 2^-32 of a turn
    mu: PyTree  # like params, E[g]
    left: PyTree  # [*stack, m, m] triangular, packed, or its diagonal [*stack, m]; none for vectors
    right: PyTree  # [*stack, n, n], packed, or [*stack, n]


def annealed(t: Array) -> Array:
    """The share of steps in which factors are fitted: all of 500, then fewer."""
    return jnp.clip(jnp.exp((500 - real(t - 1)) / 1000), 0.03, 1)


@transform(**PAPER, errors=_all_errors)
def scale_by_psgd(
    b1: Decay = 0.9,
    precond_learning_rate: Hyper = 0.1,
    update_probability: Fraction | None = None,
    max_size: int = 8192,
    mu_dtype: DType | None = None,
    *,
    diagonal: Diagonal = "none",
    init_scale: float = 1.0,
    damping: Hyper = 2**-11.5,
    seed: Key = 0,
):
    """Whiten the momentum by Kronecker factors: u = P m, P = Q^H Q, Q = left (x) right, E[u u^H] = 1.

    m = E[g], its bias corrected;  v = normal noise;  a = Q (m + damping mean(|m|) v);  b = Q^-H v
    left = left - precond_learning_rate triu(a a^H - b b^H) / |a a^H + b b^H| left, right in the same way
    Sides longer than max_size have a diagonal factor, the longest or all where `diagonal` says so, vectors
    one alone. Each matrix is fitted in a share of the steps, update_probability, those of a shape in turn.
    None: in each of 500 steps, from then on max(exp(-(t - 500) / 1000), 0.03). Both factors have the same
    largest element. Noise is made of (seed, step, path), derivatives take factors for constants.
    """
    if max_size < 0:
        raise ValueError(f"scale_by_psgd: max_size={max_size}; expected at least 0")
    if not 0 < init_scale < math.inf:
        raise ValueError(
            f"scale_by_psgd: init_scale={words.show(init_scale)}; expected a finite number above 0"
        )

    def slots(leaf: Leaf) -> tuple[Slot | None, Slot]:
        return factors_of(leaf, max_size, diagonal, init_scale)

    @jax.jit
    def averages(g, m, t):
        m = ema(m.astype(g.dtype), g, b1).astype(g.dtype)
        return m, debias(m, b1, t)

    @jax.jit
    def fit(m, words, *rest):  # [k, m, n], [k, 1, 1], factors as they are kept, []
        *kept, t = rest
        left, right = opened(kept, m)
        v = jax.vmap(functools.partial(normal, seed, t))(words.ravel(), m)
        size = jnp.mean(jnp.abs(m), (-2, -1), keepdims=True)
        a, b = through(left, right, m + (damping * size).astype(m.dtype) * v), unsolved(left, right, v)
        right = fitted(right, transposed(a), transposed(b), precond_learning_rate)
        if left is not None:
            left, right = balanced(fitted(left, a, b, precond_learning_rate), right)
        return tuple(q.astype(m.dtype) for q in closed(left, right))

    @jax.jit
    def whiten(m, *kept):
        return (whitened(m, *kept),)

    def update(updates, s, params, *, leaves: list[Leaf], counts: list[Array]):
        grads, treedef = jax.tree.flatten(jax.tree.map(lambda g: bounded(tree.wide(g)), updates))
        old = jax.tree.leaves(s.mu)
        moved = [averages(g, m, t) for g, m, t in zip(grads, old, counts, strict=True)]
        means = [m for _, m in moved]
        own = [[slot for slot in slots(leaf) if slot is not None] for leaf in leaves]
        step = Step.of(s.turn, annealed(s.count) if update_probability is None else update_probability)
        factors = refitted(fit, means, pairs_of(s.left, s.right, means, own), leaves, own, step, s.count)
        out = per_kron(whiten, means, factors, leaves, own)
        mu = [m.astype(x.dtype) for (m, _), x in zip(moved, old, strict=True)]
        left, right = apart(factors, s.left, s.right)
        new = {"turn": step.end, "mu": jax.tree.structure(s.mu).unflatten(mu), "left": left, "right": right}
        return treedef.unflatten(out), s._replace(**new)

    return treewise(
        ScaleByPsgdState,
        update,
        turn=shared(fraction),
        mu=typed(zeros, mu_dtype),
        left=lambda leaf: slots(leaf)[0] or absent(leaf),
        right=lambda leaf: slots(leaf)[1],
    )


@optimizer(**PAPER, errors=_errors, example=lambda: {"learning_rate": 0.01})
def psgd_kron(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    precond_learning_rate: Hyper = 0.1,
    update_probability: Fraction | None = None,
    max_size: int = 8192,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    mu_dtype: DType | None = None,
    *,
    diagonal: Diagonal = "none",
    init_scale: float = 1.0,
    damping: Hyper = 2**-11.5,
    clip_threshold: Hyper | None = 1.1,
    seed: Key = 0,
):
    """PSGD Kron: p = p - lr * (u + weight_decay * p), u of `scale_by_psgd`, its root mean square bounded."""
    return chain(
        scale_by_psgd(
            b1,
            precond_learning_rate,
            update_probability,
            max_size,
            mu_dtype,
            diagonal=diagonal,
            init_scale=init_scale,
            damping=damping,
            seed=seed,
        ),
        *([] if clip_threshold is None else [clip_by_block_rms(clip_threshold)]),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
