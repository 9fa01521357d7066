"""PSGD-LRA: all parameters whitened as one vector, by a diagonal and a matrix of low rank."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree, words
from gradchain.core.compose import chain
from gradchain.core.control import when
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.kinds import DType, Key, whole
from gradchain.core.link import treewise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, scalar, shared, stack, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math import rounding
from gradchain.math.numerics import bounded, debias, ema, normal
from gradchain.matrices.lra import fitted, scaled, total, whitened, whitened_twice
from gradchain.matrices.ring import Step, fraction
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
PAPER: Any = {
    "paper": "arXiv:2211.04422; arXiv:2402.11858",
    "traits": frozenset({"matrices", "random", "real"}),
    "near": ("psgd_kron", "lbfgs", "adam"),
}


class ScaleByPsgdLraState(NamedTuple):
    count: Array  # [] int32, steps taken
    turn: Array  # [] uint32, how far it is to where the preconditioner is fitted, in 2^-32
    mu: PyTree  # like params, E[g]
    left: PyTree  # [rank, *shape]
    right: PyTree  # [rank, *shape]
    diagonal: PyTree  # like params
    sizes: Array  # [3], of steps of left, right and diagonal: the largest of late


def _noise(leaf: Leaf, rank: int, seed: int, side: int) -> Slot:
    """The first U or V: `rank` arrays like the leaf of noise of (seed, path), of norm 1 together."""
    made: Any = stack(rank, zeros(leaf))
    salt: Any = rounding.word(f"{leaf.path}/{side}")
    like: Any = jax.ShapeDtypeStruct(made.shape, made.dtype)
    scale = 1 / math.sqrt(max(math.prod(made.shape), 1))
    fill = lambda _: scale * normal(seed, jnp.int32(0), salt, like)  # noqa: E731
    return dataclasses.replace(made, fill=fill, exact=True)


def _errors():
    yield ErrorInput({"init_scale": -1.0}, ValueError, ("init_scale=-1.0", "above 0"))
    yield ErrorInput({"rank": 0}, ValueError, ("rank is 0", "at least 1"))


@transform(**PAPER, errors=_errors, example=lambda: {"rank": 3})
def scale_by_psgd_lra(
    rank: Annotated[int, whole(1, 65536)] = 10,
    b1: Decay = 0.9,
    precond_learning_rate: Hyper = 0.1,
    update_probability: Fraction = 1.0,
    mu_dtype: DType | None = None,
    *,
    init_scale: float = 1.0,
    seed: Key = 0,
):
    """Whiten the momentum of all parameters as one vector: u = Q^T Q m, Q = (1 + U V^T) diag(d).

    a = Q m;  b = Q^-T v, v normal noise;  U (or V, by a coin), then d are fitted so that E[a a^T] = E[b b^T]
    U = U - rate (a a^T - b b^T) V (1 + V^T U);  V = V - rate (1 + V U^T)(a a^T - b b^T) U
    s = 1 - rate (a^2 - b^2);  d = s d;  U = s U;  V = V / s;  rate = precond_learning_rate / size, which
    is the largest of late. u is of the factors before this step. It is fitted in a share of the steps,
    update_probability. U and V start as noise of (seed, path), of norm 1 in each leaf.
    """
    if not 0 < init_scale < math.inf:
        raise ValueError(
            f"scale_by_psgd_lra: init_scale={words.show(init_scale)}; expected a finite number above 0"
        )

    noise = jax.jit(functools.partial(normal, seed))

    @jax.jit
    def averages(m, g, t):
        m = ema(m, g, b1).astype(g.dtype)
        return m, debias(m, b1, t)

    def update(updates, s, params, *, leaves: list[Leaf], counts: list[Array]):
        grads, treedef = jax.tree.flatten(jax.tree.map(lambda g: bounded(tree.wide(g)), updates))
        if not grads:
            return updates, s
        fields = (s.mu, s.left, s.right, s.diagonal)
        old = [jax.tree.leaves(x) for x in fields]
        mu, u, w, d = ([x.astype(g.dtype) for x, g in zip(xs, grads, strict=True)] for xs in old)
        moved = [averages(m, g, t) for m, g, t in zip(mu, grads, counts, strict=True)]
        mu, means = [m for m, _ in moved], [m for _, m in moved]
        c = total([scaled(*x) for x in zip(w, d, means, strict=True)])
        found = [whitened(*x, c) for x in zip(u, d, means, strict=True)]
        qh, e = [x for x, _ in found], total([x for _, x in found])
        out = [whitened_twice(*x, e) for x in zip(w, d, qh, strict=True)]

        def renew(carry, *qh):
            salts: Any = [rounding.word(leaf.path) for leaf in leaves]
            drawn = [noise(s.count, salt, x) for salt, x in zip(salts, qh, strict=True)]
            coin = normal(seed, s.count, rounding.word("/coin"), jnp.zeros(())) > 0  # type: ignore
            u, w, d, sizes = carry
            new = fitted(u, w, d, sizes, list(qh), drawn, coin, precond_learning_rate)
            return jax.tree.map(lambda x, y: x.astype(y.dtype), new, carry)

        step = Step.of(s.turn, update_probability)
        first, end = step.due(1)
        *new, sizes = when(end > first, renew, (u, w, d, s.sizes), *map(jax.lax.stop_gradient, qh))
        made = [
            jax.tree.structure(was).unflatten([x.astype(y.dtype) for x, y in zip(xs, ys, strict=True)])
            for was, xs, ys in zip(fields, (mu, *new), old, strict=True)
        ]
        named = dict(zip(("mu", "left", "right", "diagonal"), made, strict=True))
        return treedef.unflatten(out), s._replace(turn=step.end, sizes=sizes, **named)

    return treewise(
        ScaleByPsgdLraState,
        update,
        turn=shared(fraction),
        mu=typed(zeros, mu_dtype),
        left=lambda leaf: _noise(leaf, rank, seed, 0),
        right=lambda leaf: _noise(leaf, rank, seed, 1),
        diagonal=lambda leaf: dataclasses.replace(zeros(leaf), fill=init_scale, exact=True),
        sizes=shared(lambda _: dataclasses.replace(scalar(), shape=(3,), axes=(None,))),
    )


@optimizer(**PAPER, errors=_errors, example=lambda: {"learning_rate": 0.01, "rank": 3})
def psgd_lra(
    learning_rate: Hyper,
    rank: Annotated[int, whole(1, 65536)] = 10,
    b1: Decay = 0.9,
    precond_learning_rate: Hyper = 0.1,
    update_probability: Fraction = 1.0,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    mu_dtype: DType | None = None,
    *,
    init_scale: float = 1.0,
    seed: Key = 0,
):
    """PSGD-LRA: p = p - lr * (u + weight_decay * p), u of `scale_by_psgd_lra`."""
    return chain(
        scale_by_psgd_lra(
            rank,
            b1,
            precond_learning_rate,
            update_probability,
            mu_dtype,
            init_scale=init_scale,
            seed=seed,
        ),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
