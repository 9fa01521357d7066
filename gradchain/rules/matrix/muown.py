"""Muown: lengths and directions of each output's weights are optimised apart, by Adam and by Muon."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType
from gradchain.core.link import treewise
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, drop, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, norm, over_root, real_dtype, safe_divide
from gradchain.matrices.linalg import QUINTIC
from gradchain.matrices.per_matrix import per_matrix, sides
from gradchain.rules.matrix import coefficients
from gradchain.rules.matrix.coefficients import Coefficients
from gradchain.rules.matrix.groups import Groups, adam_links, stepping
from gradchain.rules.matrix.muon import polar

PyTree = Any
PAPER: Any = {"paper": "arXiv:2605.10797", "traits": frozenset({"matrices"})}


class StepByOutputsState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu: PyTree  # like params, E[gradient by the directions]
    size: PyTree  # for each output, [*stack, outputs]: the length of its weights, r
    scale: PyTree  # as size: the length of v, whose direction they have
    size_mu: PyTree  # as size, E[gradient by r]
    size_nu: PyTree  # as size, E[its square]


def _moment(leaf: Leaf) -> Slot:
    return dataclasses.replace(drop(leaf, leaf.axes.rows), positive=False)


def _length(leaf: Leaf) -> Slot:
    fill = lambda p: norm(tree.wide(p), leaf.axes.rows)  # noqa: E731
    return dataclasses.replace(_moment(leaf), fill=fill, exact=True)


@transform(
    **PAPER,
    record=("learning_rate",),
    example=lambda: {"learning_rate": 0.02},
    errors=coefficients.errors,
    near=("scale_by_muon", "step_on_sphere", "muown"),
)
def step_by_outputs(
    learning_rate: Hyper,
    beta: Decay = 0.95,
    b1: Decay = 0.9,
    b2: Decay = 0.95,
    eps: Hyper = 1e-8,
    mu_dtype: DType | None = None,
    *,
    ns_coeffs: Coefficients = QUINTIC,
    ns_steps: int = 5,
    nesterov: bool = True,
    consistent_rms: Hyper = 0.2,
    precision: str | None = None,
):
    """Descend in p = r v / |v| of each output's weights: in their lengths r by Adam, in v by Muon.

    d = p / r;  g_r = <g, d>;  g_v = r / |v| (g - g_r d);  r = r - lr * adam(g_r)
    v = v - lr * consistent_rms * sqrt(max(rows, columns)) * newton_schulz(momentum of g_v)
    r and v begin with the norms and the weights. Weights of zero have no direction, and stay. It takes
    gradients: the only link. On a mesh the sums for each output, small arrays, cross the devices.
    """
    f = polar(ns_coeffs, ns_steps, eps, precision, who="step_by_outputs")

    def gradients(g, p, s, axes):
        size, scale = (jnp.expand_dims(x, axes) for x in (s.size, s.scale))
        d = p * safe_divide(1, size)
        along = jnp.sum((g * d.conj()).real, axes, keepdims=True)
        return safe_divide(size, scale) * (g - along * d), jnp.squeeze(along, axes), d * scale

    def step(u, v, p, along, s, t, leaf: Leaf):
        axes, (_, rows, cols) = leaf.axes.rows, sides(leaf.shape, leaf.axes)
        lr = jnp.asarray(learning_rate, real_dtype(p))
        mu, nu = ema(s.size_mu, along, b1), ema(s.size_nu, abs2(along), b2)
        size = s.size - lr * over_root(debias(mu, b1, t), debias(nu, b2, t), eps)
        v = v - lr * (consistent_rms * math.sqrt(max(rows, cols))) * u
        scale = norm(v, axes)
        new = v * jnp.expand_dims(safe_divide(size, scale), axes)
        return new - p, s._replace(size=size, scale=scale, size_mu=mu, size_nu=nu)

    def update(updates, s, params, *, leaves: list[Leaf], counts: list[Array]):
        flat = lambda x: jax.tree.leaves(jax.tree.map(tree.wide, x))  # noqa: E731
        grads, old = flat(updates), flat(params)
        fields = StepByOutputsState._fields[1:]
        columns = [jax.tree.leaves(getattr(s, name)) for name in fields]
        states = [
            StepByOutputsState(t, *(x.astype(_dtype(x, g)) for x in row))
            for t, g, row in zip(counts, grads, zip(*columns, strict=True), strict=True)
        ]
        made = [
            gradients(g, p, x, leaf.axes.rows)
            for g, p, x, leaf in zip(grads, old, states, leaves, strict=True)
        ]
        states = [x._replace(mu=ema(x.mu, g, beta)) for x, (g, _, _) in zip(states, made, strict=True)]
        means = [
            (ema(x.mu, g, beta) if nesterov else x.mu).astype(g.dtype)
            for x, (g, _, _) in zip(states, made, strict=True)
        ]
        out = per_matrix(f, means, leaves, padding=True)
        rows = zip(out, made, old, states, counts, leaves, strict=True)
        done = [step(u, v, p, along, x, t, leaf) for u, (_, along, v), p, x, t, leaf in rows]
        treedef = jax.tree.structure(updates)
        new = {
            name: jax.tree.structure(getattr(s, name)).unflatten(
                [getattr(x, name).astype(o.dtype) for (_, x), o in zip(done, column, strict=True)]
            )
            for name, column in zip(fields, columns, strict=True)
        }
        return treedef.unflatten([u for u, _ in done]), s._replace(**new)

    small = dict.fromkeys(("size", "scale"), _length) | {"size_mu": _moment}
    nu = lambda leaf: drop(leaf, leaf.axes.rows)  # noqa: E731
    return treewise(StepByOutputsState, update, params=True, mu=typed(zeros, mu_dtype), **small, size_nu=nu)


def _dtype(x: Array, g: Array):
    """What a field is computed in: as wide as the gradient, real where it is real."""
    return g.dtype if jnp.iscomplexobj(x) or x.shape == g.shape else real_dtype(g)


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.02}, near=("muon", "normuon", "muonh"))
def muown(
    learning_rate: Hyper,
    beta: Decay = 0.95,
    b1: Decay = 0.9,
    b2: Decay = 0.95,
    eps: Hyper = 1e-8,
    mu_dtype: DType | None = None,
    *,
    ns_coeffs: Coefficients = QUINTIC,
    ns_steps: int = 5,
    nesterov: bool = True,
    consistent_rms: Hyper = 0.2,
    adam_weight_decay: Hyper = 0.0,
    mask: Selection = None,
    muon_mask: Selection = None,
    precision: str | None = None,
):
    """Muown: Muon on the directions of each output's weights, Adam on their lengths, see `step_by_outputs`.

    Other leaves: AdamW, with b1, b2 and the same learning rate. The paper's needs no weight decay.
    """
    outputs = step_by_outputs(
        learning_rate,
        beta,
        b1,
        b2,
        eps,
        mu_dtype,
        ns_coeffs=ns_coeffs,
        ns_steps=ns_steps,
        nesterov=nesterov,
        consistent_rms=consistent_rms,
        precision=precision,
    )
    return stepping(
        (outputs,), adam_links(b1, b2, eps, adam_weight_decay, mask), learning_rate, Groups(muon_mask)
    )
