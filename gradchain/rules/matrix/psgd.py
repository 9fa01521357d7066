"""PSGD with Kronecker factors: the momentum whitened by triangular factors that are fitted to it."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.compose import chain
from gradchain.core.control import when
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.kinds import DType, Key
from gradchain.core.link import treewise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, absent, counter, shared, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math import rounding
from gradchain.math.numerics import debias, ema, normal, real
from gradchain.matrices.kron import (
    Diagonal,
    balanced,
    factors_of,
    fitted,
    per_kron,
    through,
    turned,
    unsolved,
)
from gradchain.matrices.linalg import transposed
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.clipping import clip_by_block_rms
from gradchain.rules.parts.decay import optional_decay

PyTree = Any


def _errors():
    yield ErrorInput({"max_size": -1}, ValueError, ("max_size=-1", "at least 0"))
    yield ErrorInput({"diagonal": "longes"}, ValueError, ("diagonal is 'longes'", "did you mean 'longest'?"))


PAPER: Any = {
    "paper": "arXiv:1512.04202; arXiv:2402.11858",
    "traits": frozenset({"matrices", "random"}),
    "errors": _errors,
    "near": ("shampoo", "soap", "muon"),
}


class ScaleByPsgdState(NamedTuple):
    count: Array  # [] int32, steps taken
    since: Array  # [] int32, steps since the factors were fitted
    mu: PyTree  # like params, E[g]
    left: PyTree  # [*stack, m, m] upper triangular, or its diagonal [*stack, m]; none for vectors
    right: PyTree  # [*stack, n, n], or [*stack, n]


@transform(**PAPER)
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
    one alone. Factors are fitted when update_probability times the steps since then is 1; None: in each of
    500 steps, from then on max(exp(-(t - 500) / 1000), 0.03). Both factors have the same largest element.
    Noise is made of (seed, step, path), derivatives take factors for constants.
    """
    if max_size < 0:
        raise ValueError(f"scale_by_psgd: max_size={max_size}; expected at least 0")

    def slots(leaf: Leaf) -> tuple[Slot | None, Slot]:
        return factors_of(leaf, max_size, diagonal, init_scale)

    def share(t):  # of the steps, in which factors are fitted
        if update_probability is not None:
            return jnp.asarray(update_probability, jnp.result_type(float))
        return jnp.clip(jnp.exp((500 - real(t - 1)) / 1000), 0.03, 1)

    def fit(m, v, *qs):  # [k, m, n], [k, m, n], factors
        left, right = (None, *qs)[-2:]
        size = jnp.mean(jnp.abs(m), (-2, -1), keepdims=True)
        a, b = through(left, right, m + (damping * size).astype(m.dtype) * v), unsolved(left, right, v)
        right = fitted(right, transposed(a), transposed(b), precond_learning_rate)
        if left is None:
            return (right,)
        return balanced(fitted(left, a, b, precond_learning_rate), right)

    def whiten(m, *qs):
        left, right = (None, *qs)[-2:]
        return (through(turned(left), turned(right), through(left, right, m)),)

    def update(updates, s, params, *, leaves: list[Leaf], counts: list[Array]):
        grads, treedef = jax.tree.flatten(jax.tree.map(tree.wide, updates))
        old = [jax.tree.leaves(x) for x in (s.mu, s.left, s.right)]
        mu = [ema(m.astype(g.dtype), g, b1).astype(g.dtype) for g, m in zip(grads, old[0], strict=True)]
        means = [debias(m, b1, t) for m, t in zip(mu, counts, strict=True)]
        own = [[slot for slot in slots(leaf) if slot is not None] for leaf in leaves]
        pairs = [
            tuple(q.astype(m.dtype) for q in pair[-len(on) :])
            for *pair, m, on in zip(*old[1:], means, own, strict=True)
        ]

        def renew(pairs, *means):
            salts = [rounding.word(leaf.path) for leaf in leaves]
            drawn = [normal(seed, s.count, salt, m) for salt, m in zip(salts, means, strict=True)]
            found = per_kron(fit, list(zip(means, drawn, strict=True)), pairs, leaves, own, True)
            return [tuple(q.astype(m.dtype) for q in pair) for pair, m in zip(found, means, strict=True)]

        due = s.since + 1 >= 1 / share(s.count)
        pairs = when(due, renew, pairs, *jax.lax.stop_gradient(means))
        out = per_kron(whiten, [(m,) for m in means], pairs, leaves, own, False)
        left = [q[0] if len(q) == 2 else x for q, x in zip(pairs, old[1], strict=True)]
        made = [
            jax.tree.structure(was).unflatten([x.astype(y.dtype) for x, y in zip(xs, ys, strict=True)])
            for was, xs, ys in zip(s[2:5], [mu, left, [q[-1] for q in pairs]], old, strict=True)
        ]
        since = jnp.where(due, 0, s.since + 1)
        return treedef.unflatten([u for (u,) in out]), s._replace(
            since=since, mu=made[0], left=made[1], right=made[2]
        )

    return treewise(
        ScaleByPsgdState,
        update,
        since=shared(counter),
        mu=typed(zeros, mu_dtype),
        left=lambda leaf: slots(leaf)[0] or absent(leaf),
        right=lambda leaf: slots(leaf)[1],
    )


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.01})
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
    clip_threshold: Hyper = 1.1,
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
        clip_by_block_rms(clip_threshold),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
