"""Dion2: some rows or columns of the momentum, orthonormal, and only these decay; AdamW for the rest."""

from __future__ import annotations

import functools
import math
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from gradchain.core import tree, words
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType, Key, Precision
from gradchain.core.link import treewise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math import numerics, rounding
from gradchain.matrices.linalg import Kernel, newton_schulz, transposed
from gradchain.matrices.low_rank import broadcast, described, factor
from gradchain.matrices.per_matrix import per_matrix, sides
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.matrix.coefficients import Coefficients, steps_of
from gradchain.rules.matrix.groups import Groups, with_others
from gradchain.rules.matrix.muon import scale_by_shape
from gradchain.rules.parts.decay import optional_decay

PyTree = Any
Selected = Literal["largest", "random"]


def _errors():
    yield ErrorInput({"fraction": 0.0}, ValueError, ("fraction=0.0", "above 0 and at most 1"))
    yield ErrorInput({"fraction": 1.5}, ValueError, ("fraction=1.5", "above 0 and at most 1"))
    yield ErrorInput(
        {"selection": "larges"}, ValueError, ("selection is 'larges'", "did you mean 'largest'?")
    )
    yield ErrorInput({"ns_coeffs": []}, ValueError, ("scale_by_dion2: ", "ns_coeffs=[]"))


PAPER: Any = {
    "paper": "arXiv:2512.16928",
    "traits": frozenset({"matrices"}),
    "errors": _errors,
    "near": ("dion", "muon"),
}


class ScaleByDion2State(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, sum of g, of which a row or column decays when it is applied


@transform(**PAPER)
def scale_by_dion2(
    fraction: float = 0.25,
    beta: Decay = 0.95,
    eps: Hyper = 1e-8,
    mu_dtype: DType | None = None,
    *,
    ns_coeffs: Coefficients = "dion",
    ns_steps: int = 5,
    selection: Selected = "largest",
    seed: Key = 0,
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
    ns_kernel: Kernel = "xla",
):
    """Orthogonalise the largest rows or columns of the momentum; these decay, the others wait.

    m = m + g;  K: the share `fraction` of the shorter side with the largest sum of |m|, or a random one
    u = newton_schulz(m[K]) in K and 0 elsewhere;  m[K] = beta m[K]
    As many as fraction of the shorter side, rounded up; of a square matrix columns. K is that of the whole
    matrix, also on a mesh, where the authors' code chooses on each device by itself. See `scale_by_muon`.
    """
    coefficients = steps_of(ns_coeffs, ns_steps, "scale_by_dion2")
    short = None if ns_dtype is None else jnp.dtype(ns_dtype)
    if not 0 < fraction <= 1:
        raise ValueError(f"scale_by_dion2: fraction={words.show(fraction)}; expected above 0 and at most 1")

    def axes_of(leaf: Leaf) -> tuple[int, ...]:
        _, rows, cols = sides(leaf.shape, leaf.axes)
        return leaf.axes.rows if rows < cols else leaf.axes.cols

    @jax.jit
    def chosen(x, noise):  # [k, m, n], [k, min(m, n), 1]
        turned = x.shape[-2] >= x.shape[-1]
        x = transposed(x) if turned else x
        scores = noise[..., 0] if selection == "random" else jnp.sum(jnp.abs(x), -1)
        _, at = lax.top_k(lax.stop_gradient(scores.real), math.ceil(fraction * x.shape[-2]))  # [k, some]
        part = jnp.take_along_axis(x, at[..., None], -2)
        part = newton_schulz(part, coefficients, eps, precision, ns_dtype=short, ns_kernel=ns_kernel)
        on = jax.nn.one_hot(at, x.shape[-2], dtype=x.dtype)  # [k, some, m]
        u = jnp.einsum("ksm,ksn->kmn", on, part, precision="highest")
        return transposed(u) if turned else u, jnp.sum(on, -2)[..., None]

    @functools.partial(jax.jit, static_argnames="leaf")
    def decayed(m, on, *, leaf):
        return (m * (1 - (1 - beta) * broadcast(on, axes_of(leaf), leaf))).astype(m.dtype)

    def update(updates, s, params, *, leaves: list[Leaf], counts: list[Array]):
        grads, treedef = jax.tree.flatten(jax.tree.map(tree.wide, updates))
        old = jax.tree.leaves(s.mu)
        sums = [g + m.astype(g.dtype) for g, m in zip(grads, old, strict=True)]
        slots = [factor(leaf, axes_of(leaf), 1) for leaf in leaves]

        def noise(slot: Slot, path: str, x: Array, t: Array) -> Array:
            if selection != "random":
                return jnp.zeros(slot.shape, x.dtype, device=slot.sharding)
            salt: Any = rounding.word(path)
            return numerics.normal(seed, t, salt, jnp.zeros(slot.shape, jnp.float32)).astype(x.dtype)

        columns = zip(slots, leaves, sums, counts, strict=True)
        rows = [(x, noise(slot, leaf.path, x, t)) for slot, leaf, x, t in columns]
        places = [(leaf, described(slot)) for leaf, slot in zip(leaves, slots, strict=True)]
        found = per_matrix(chosen, rows, places, results=(0, 1)) if rows else []
        mu = [
            decayed(m, on, leaf=leaf.bare()).astype(x.dtype)
            for m, (_, on), leaf, x in zip(sums, found, leaves, old, strict=True)
        ]
        s = s._replace(mu=jax.tree.structure(s.mu).unflatten(mu))
        return treedef.unflatten([u for u, _ in found]), s

    return treewise(ScaleByDion2State, update, mu=typed(zeros, mu_dtype))


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.02})
def dion2(
    learning_rate: Hyper,
    fraction: float = 0.25,
    beta: Decay = 0.95,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    mu_dtype: DType | None = None,
    *,
    ns_coeffs: Coefficients = "dion",
    ns_steps: int = 5,
    selection: Selected = "largest",
    seed: Key = 0,
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
    ns_kernel: Kernel = "xla",
    adam_b1: Decay = 0.9,
    adam_b2: Decay = 0.999,
    adam_weight_decay: Hyper = 0.0,
    adam_learning_rate: Hyper | None = None,
    adam_mask: Selection = None,
    dion_mask: Selection = None,
):
    """Dion2: p = p - lr * (sqrt(columns / rows) * u + weight_decay * p) for matrices, `adamw` for the others.

    u is that of `scale_by_dion2`. Which leaves are matrices, and what the others take, is as in `muon`.
    """
    scale = scale_by_dion2(
        fraction,
        beta,
        eps,
        mu_dtype,
        ns_coeffs=ns_coeffs,
        ns_steps=ns_steps,
        selection=selection,
        seed=seed,
        precision=precision,
        ns_dtype=ns_dtype,
        ns_kernel=ns_kernel,
    )
    matrices = (scale, scale_by_shape(at_least_one=False), *optional_decay(weight_decay, mask))
    others = (
        scale_by_adam(adam_b1, adam_b2, eps, mu_dtype=mu_dtype),
        *optional_decay(adam_weight_decay, mask if adam_mask is None else adam_mask),
    )
    groups = Groups(dion_mask, label="dion2")
    return with_others(matrices, others, learning_rate, adam_learning_rate, groups)
