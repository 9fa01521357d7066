"""Muown: lengths and directions of each output's weights are optimised apart, by Adam and by Muon."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType, Precision
from gradchain.core.link import treewise
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, drop, typed, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, debias, ema, norm, over_root, safe_divide
from gradchain.matrices.linalg import QUINTIC, Kernel
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


def _over(leaf: Leaf) -> tuple[int, ...]:
    """The axes of one output's weights; a vector is of one output."""
    return leaf.axes.rows or leaf.axes.cols


def _moment(leaf: Leaf) -> Slot:
    return dataclasses.replace(drop(leaf, _over(leaf)), positive=False)


def _length(leaf: Leaf) -> Slot:
    fill = jax.jit(lambda p: norm(tree.wide(p), _over(leaf)))
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
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
    ns_kernel: Kernel = "xla",
):
    """Descend in p = r v / |v| of each output's weights: in their lengths r by Adam, in v by Muon.

    d = p / r;  g_r = <g, d>;  g_v = r / |v| (g - g_r d);  r = r - lr * adam(g_r)
    v = v - lr * consistent_rms * sqrt(max(rows, columns)) * newton_schulz(momentum of g_v)
    r and v begin with the norms and the weights. Weights of zero have no direction, and stay. It takes
    gradients: the only link. On a mesh the sums for each output, small arrays, cross the devices.
    """
    f = polar(
        ns_coeffs, ns_steps, eps, precision, who="step_by_outputs", ns_dtype=ns_dtype, ns_kernel=ns_kernel
    )

    @functools.partial(jax.jit, static_argnums=3)
    def before(g, p, s, leaf: Leaf):
        g, p = tree.wide(g), tree.wide(p)
        size, scale = (jnp.expand_dims(x, _over(leaf)) for x in (s.size, s.scale))
        d = p * safe_divide(1, size)
        along = jnp.sum((g * d.conj()).real, _over(leaf), keepdims=True)
        by_v = safe_divide(size, scale) * (g - along * d)
        mu = ema(s.mu.astype(g.dtype), by_v, beta)
        m = ema(mu, by_v, beta) if nesterov else mu
        return m.astype(g.dtype), s._replace(mu=mu), jnp.squeeze(along, _over(leaf)), d * scale

    @functools.partial(jax.jit, static_argnums=6)
    def after(u, v, p, along, s, old, leaf: Leaf):
        _, rows, cols = sides(leaf.shape, leaf.axes)
        mu, nu = ema(s.size_mu, along, b1), ema(s.size_nu, abs2(along), b2)
        size = s.size - learning_rate * over_root(debias(mu, b1, s.count), debias(nu, b2, s.count), eps)
        v = v - learning_rate * (consistent_rms * math.sqrt(max(rows, cols))) * u
        scale = norm(v, _over(leaf))
        change = v * jnp.expand_dims(safe_divide(size, scale), _over(leaf)) - tree.wide(p)
        s = s._replace(size=size, scale=scale, size_mu=mu, size_nu=nu)
        return change.astype(u.dtype), jax.tree.map(lambda x, o: x.astype(o.dtype), s, old)

    def update(updates, s, params, *, leaves: list[Leaf], counts: list[Array]):
        columns = [jax.tree.leaves(x) for x in s[1:6]]
        old = [StepByOutputsState(t, *row) for t, *row in zip(counts, *columns, strict=True)]
        bare = [leaf.bare() for leaf in leaves]
        rows = zip(jax.tree.leaves(updates), jax.tree.leaves(params), old, bare, strict=True)
        means, states, along, v = zip(*[before(*row) for row in rows], strict=True) if old else [()] * 4
        out = per_matrix(f, means, leaves, padding=True, turning=True)
        rows = zip(out, v, jax.tree.leaves(params), along, states, old, bare, strict=True)
        done = [after(*row) for row in rows]
        new = {
            name: jax.tree.structure(getattr(s, name)).unflatten([getattr(x, name) for _, x in done])
            for name in StepByOutputsState._fields[1:]
        }
        return jax.tree.structure(updates).unflatten([u for u, _ in done]), s._replace(**new)

    small = dict.fromkeys(("size", "scale"), _length) | {"size_mu": _moment}
    nu = lambda leaf: drop(leaf, _over(leaf))  # noqa: E731
    return treewise(StepByOutputsState, update, params=True, mu=typed(zeros, mu_dtype), **small, size_nu=nu)


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
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
    ns_kernel: Kernel = "xla",
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
        ns_dtype=ns_dtype,
        ns_kernel=ns_kernel,
    )
    return stepping(
        (outputs,), adam_links(b1, b2, eps, adam_weight_decay, mask), learning_rate, Groups(muon_mask)
    )
