"""Dion: the momentum's low-rank factors, orthonormal by a step of power iteration; AdamW for the rest."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp

from gradchain.core import tree, words
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType, Key, whole
from gradchain.core.link import treewise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math import numerics, rounding
from gradchain.math.numerics import norm, safe_divide
from gradchain.matrices.linalg import transposed
from gradchain.matrices.low_rank import factor, per_factor, product, scaled
from gradchain.matrices.per_matrix import sides
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.matrix.groups import Groups, with_others
from gradchain.rules.matrix.muon import scale_by_shape
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
START = 0  # the step that the first basis is drawn in
ROUNDING = 32  # units of rounding, of the largest column: a column below that is none


def _errors():
    yield ErrorInput({"rank_fraction": 0.0}, ValueError, ("rank_fraction=0.0", "above 0 and at most 1"))
    yield ErrorInput({"rank_fraction": 1.5}, ValueError, ("rank_fraction=1.5", "above 0 and at most 1"))
    yield ErrorInput({"power_steps": 0}, ValueError, ("power_steps is 0", "at least 1"))


PAPER: Any = {
    "paper": "arXiv:2504.05295",
    "traits": frozenset({"matrices", "random"}),
    "errors": _errors,
    "near": ("muon", "dion2", "galore"),
}


class ScaleByDionState(NamedTuple):
    mu: PyTree  # like params, what of sum g has not been applied yet
    basis: PyTree  # [*stack, *rows, rank], the right factor of the last update, columns of norm 1


@transform(**PAPER)
def scale_by_dion(
    rank_fraction: float = 0.25,
    beta: Decay = 0.95,
    eps: Hyper = 1e-8,
    mu_dtype: DType | None = None,
    *,
    power_steps: Annotated[int, whole(1)] = 1,
    seed: Key = 0,
):
    """Of the momentum's best low-rank approximation make all singular values one, nearly; keep the rest.

    b = m + g;  p = qr(b^T q);  r = b p;  q = r / (|r| + eps), by column
    m = b - (1 - beta) r p^T;  u = q p^T
    The rank is rank_fraction of a matrix's shorter side, rounded up; at 1 and with many power_steps u is
    what Muon makes of m without Nesterov. Columns of r that are rounding errors move nothing and keep q.
    The first q is normal noise of (seed, path). Derivatives take p for a constant.
    A mesh brings each device whole matrices b and takes back factors alone, see `matrices.low_rank`.
    """
    if not 0 < rank_fraction <= 1:
        raise ValueError(
            f"scale_by_dion: rank_fraction={words.show(rank_fraction)}; expected above 0 and at most 1"
        )

    def basis(leaf: Leaf) -> Slot:
        _, rows, cols = sides(leaf.shape, leaf.axes)
        slot = factor(leaf, leaf.axes.rows, max(1, math.ceil(rank_fraction * min(rows, cols))))
        like: Any = jax.ShapeDtypeStruct(slot.shape[len(leaf.axes.batch) :], jnp.float32)  # of all layers
        salt: Any = rounding.word(leaf.path)
        return dataclasses.replace(
            slot, fill=lambda _: numerics.normal(seed, jnp.int32(START), salt, like).astype(slot.dtype)
        )

    def iterate(b, q):  # [k, m, n], [k, m, rank]
        times = lambda x, y: jnp.matmul(x, y, precision="highest")  # noqa: E731
        p = jax.lax.stop_gradient(jnp.linalg.qr(times(transposed(b).conj(), q))[0])
        r = times(b, p)
        size = norm(r, (-2,), keepdims=True)  # [k, 1, rank]
        tiny = ROUNDING * jnp.finfo(size.dtype).eps * jnp.max(size, -1, keepdims=True, initial=0)
        found = size > tiny
        size = jnp.where(found, (size + eps).astype(size.dtype), 0)
        return jnp.where(found, safe_divide(r, size), q), p.conj(), size.astype(q.dtype)

    def factors(b, q):
        if power_steps > 1:
            q = jax.lax.fori_loop(1, power_steps, lambda _, q: iterate(b, q)[0], q)
        return iterate(b, q)

    @functools.partial(jax.jit, static_argnames="leaf")
    def apply(b, q, p, size, *, leaf):
        out = product(q, scaled(p, jnp.where(size == 0, 0, 1).astype(p.dtype), leaf), leaf)
        return out, (b - (1 - beta) * product(q, scaled(p, size, leaf), leaf)).astype(b.dtype)

    def update(updates, s, params, *, leaves: list[Leaf]):
        grads, treedef = jax.tree.flatten(jax.tree.map(tree.wide, updates))
        old, before = jax.tree.leaves(s.mu), jax.tree.leaves(s.basis)
        sums = [g + m.astype(g.dtype) for g, m in zip(grads, old, strict=True)]
        pairs = [(b, q.astype(b.dtype)) for b, q in zip(sums, before, strict=True)]
        own = [[basis(leaf)] for leaf in leaves]
        more = [
            [factor(leaf, axes, q.shape[-1]) for axes in (leaf.axes.cols, ())]
            for leaf, (q,) in zip(leaves, own, strict=True)
        ]
        found = per_factor(jax.jit(factors), pairs, leaves, own, more)
        made = [apply(b, *ys, leaf=p.bare()) for b, ys, p in zip(sums, found, leaves, strict=True)]
        mu = [m.astype(x.dtype) for (_, m), x in zip(made, old, strict=True)]
        q = [q.astype(x.dtype) for (q, *_), x in zip(found, before, strict=True)]
        mu, q = jax.tree.structure(s.mu).unflatten(mu), jax.tree.structure(s.basis).unflatten(q)
        return treedef.unflatten([u for u, _ in made]), s._replace(mu=mu, basis=q)

    return treewise(ScaleByDionState, update, mu=typed(zeros, mu_dtype), basis=basis)


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.02})
def dion(
    learning_rate: Hyper,
    rank_fraction: float = 0.25,
    beta: Decay = 0.95,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    mu_dtype: DType | None = None,
    *,
    power_steps: Annotated[int, whole(1)] = 1,
    seed: Key = 0,
    adam_b1: Decay = 0.9,
    adam_b2: Decay = 0.999,
    adam_weight_decay: Hyper = 0.0,
    adam_learning_rate: Hyper | None = None,
    adam_mask: Selection = None,
    dion_mask: Selection = None,
):
    """Dion: p = p - lr * (sqrt(columns / rows) * u + weight_decay * p) for matrices, `adamw` for the others.

    u is that of `scale_by_dion`. Which leaves are matrices, and what the others take, is as in `muon`.
    """
    matrices = (
        scale_by_dion(rank_fraction, beta, eps, mu_dtype, power_steps=power_steps, seed=seed),
        scale_by_shape(at_least_one=False),
        *optional_decay(weight_decay, mask),
    )
    others = (
        scale_by_adam(adam_b1, adam_b2, eps, mu_dtype=mu_dtype),
        *optional_decay(adam_weight_decay, mask if adam_mask is None else adam_mask),
    )
    groups = Groups(dion_mask, label="dion")
    return with_others(matrices, others, learning_rate, adam_learning_rate, groups)
