"""Alice: Adam in a tracked and partly random eigenbasis of few columns, and what the basis leaves out."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.control import when
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Decay, Hyper, Period
from gradchain.core.kinds import Key
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, absent, drop
from gradchain.core.transform import optimizer, wrapper
from gradchain.math.numerics import abs2, bounded, ema, norm, over_root
from gradchain.matrices import subspace
from gradchain.matrices.per_matrix import leaf_of, stack_of
from gradchain.matrices.subspace import Shape
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay
from gradchain.rules.parts.history import growth_factor, one_each
from gradchain.wrappers.projected import Numbers, Projected

PyTree = Any


class ScaleByAliceState(NamedTuple):
    count: Array  # [] int32, steps taken
    projector: PyTree  # [*batch, side, rank], orthonormal columns of each matrix's short side; else a scalar
    tracked: PyTree  # [*batch, rank, rank] mean of r r^H, r the projected gradient; else a scalar
    left_out: PyTree  # [*batch, *long side] mean of the squares that the projection leaves out; else a scalar
    norm: PyTree  # [*batch] of the compensation, after the limit; a scalar for what is no matrix


class Tracked(Projected):
    """A wrapper whose bases follow the mean of g g^H, some of their columns drawn anew."""

    per_leaf = ("projector", "tracked", "left_out", "norm")
    leading: int
    seed: int
    hypers: tuple[Any, ...]  # b1, b3, compensation, gamma, eps

    def kept(self, field: str, leaf: Leaf, shape: Shape) -> Slot:
        """The slot of a field, for a leaf that is projected."""
        (_, b3, compensation, *_), own = self.hypers, dataclasses.replace(leaf, axes=shape.axes)
        if field == "projector":
            return shape.basis(leaf)
        if (b3 if field == "tracked" else compensation) is None:
            return absent(leaf)
        if field == "tracked":
            return shape.slot(leaf, (shape.rank, shape.rank))
        return one_each(own) if field == "norm" else drop(own, shape.short)

    def bases(self, old, chosen, count):
        """Singular vectors in the first step, later ones by iteration, some of them drawn from the rest."""
        turn, tracks = (count - 1) // self.period(count), self.hypers[1] is not None

        def fit(first: bool, bases, *xs):  # the gradients, then what is tracked
            rows = []
            for (_, leaf, shape), basis, g, t in zip(chosen, bases, xs[::2], xs[1::2], strict=True):
                more = [(basis, shape.basis(leaf)), *[(t, self.kept("tracked", leaf, shape))] * tracks]
                if shape.rank > self.leading:
                    slot = shape.slot(leaf, (shape.side(leaf.shape), shape.rank - self.leading))
                    more.append((subspace.noise(self.seed, turn, leaf.path, slot.shape, g.dtype), slot))
                rows.append((g, leaf, shape, more))
            f = functools.partial(_fitted, tracks=tracks, first=first)
            return subspace.renewed(f, rows, [jnp.asarray(b3) for b3 in self.hypers[1:2] if tracks])

        given = [x for (g, _, _), t in zip(chosen, old["tracked"], strict=True) for x in (bounded(g), t)]
        found = when(count == 1, functools.partial(fit, True), old["projector"], *given)
        due = (count - 1) % self.period(count) == 0
        return when(due & (count > 1), functools.partial(fit, False), found, *given)

    def back(self, u: Array, r: Array, g: Array, basis: Array, shape: Shape, kept: dict[str, Array]):
        """The update for g: of the basis, and what compensates for the rest."""
        return _back(u, r, g, basis, kept, self.scale, self.hypers, shape, self.hypers[2] is not None)


@functools.partial(jax.jit, static_argnames=("tracks", "first"))
def _fitted(g: Array, basis: Array, *more: Array, tracks: bool, first: bool) -> Array:
    """New bases [k, side, rank] for gradients [k, side, n]; more: what is tracked, the noise, b3."""
    tracked, *noise, b3 = more if tracks else (None, *more, None)
    found = subspace.singular(g, basis.shape[-1]) if first else subspace.iterated(g, basis, tracked, b3)
    return subspace.completed(found, *noise) if noise else found


@functools.partial(jax.jit, static_argnames=("shape", "compensated"))
def _back(u, r, g, basis, kept, scale, hypers, shape: Shape, compensated: bool):
    (b1, b3, compensation, gamma, eps), new = hypers, dict(kept)
    if b3 is not None:
        new["tracked"] = ema(kept["tracked"], subspace.squared(r, shape), b3)
    out = subspace.up(u, basis, g.shape, shape)
    if compensated:
        rest = stack_of(g - subspace.up(r, basis, g.shape, shape), shape.axes, not shape.along_rows)
        square = jnp.sum(abs2(bounded(rest)), 1)  # [k, n]
        new["left_out"] = ema(kept["left_out"], square.reshape(kept["left_out"].shape), b1)
        c = over_root(rest, new["left_out"].reshape(square.shape)[:, None], eps)
        c = (shape.side(g.shape) - shape.rank) ** 0.5 * c
        size, last = norm(c, (1, 2)), kept["norm"].reshape(-1)  # [k]
        factor = jnp.ones_like(size) if gamma is None else growth_factor(size, last, gamma, 0.0)
        new["norm"] = (size * factor).reshape(kept["norm"].shape)
        c = leaf_of(c * factor[:, None, None], g.shape, shape.axes, not shape.along_rows)
        out = out + compensation * c
    return scale * out, {f: x.astype(kept[f].dtype) for f, x in new.items()}


def _errors():
    yield ErrorInput({"rank": 0}, ValueError, ("rank is 0", "at least 1"))
    yield ErrorInput({"leading": -1}, ValueError, ("leading is -1", "0 or more"))


PAPER: Any = {
    "family": "factored",
    "paper": "arXiv:2502.07752",
    "traits": frozenset({"matrices", "random"}),
    "errors": _errors,
    "near": ("racs", "galore", "fira", "soap"),
}


@wrapper(**PAPER, example=lambda: {"rank": 3, "update_proj_gap": 2, "leading": 2})
def scale_by_alice(
    rank: int = 128,
    update_proj_gap: Period = 200,
    scale: Hyper = 0.3,
    base_optimizer: Any = None,
    weight_dimension_numbers: Numbers = None,
    *,
    leading: int = 40,
    b1: Decay = 0.9,
    b3: Decay | None = 0.999,
    compensation: Hyper | None = 0.4,
    gamma: Hyper | None = 1.01,
    eps: Hyper = 1e-8,
    seed: Key = 0,
):
    """Adam in `rank` eigenvectors U of the mean of g g^H, and the rest of g scaled column by column.

    r = U^H g;  T = b3 T + (1 - b3) r r^H;  u = base(r);  rows <= cols, else rows and columns are exchanged
    p = b1 p + (1 - b1) sum over rows of |g - U r|^2;  c = sqrt(rows - rank) (g - U r) / (sqrt(p) + eps)
    the update is scale (U u + compensation c), the norm of c at most gamma times the last
    every update_proj_gap steps: one step of iteration to the eigenvectors of b3 U T U^H + (1 - b3) g g^H; the
    first `leading` stay, the others are drawn from the complement of all, or of these where that is small.
    The first U is made of singular vectors of g. T and the base's moments are not turned to a new U, as in
    the paper. b3=None: no tracking, Alice-0. compensation=None: without.
    The base (None: scale_by_adam(0.9, 0.9, bias_correction=False)) also takes what is no matrix.
    State for m <= n: the base's of [rank, n], 4 (m rank + rank^2 + n) bytes, 4 a matrix.
    """
    who = "scale_by_alice"
    if leading < 0:
        raise ValueError(f"{who}: leading is {leading}; expected 0 or more")
    base = scale_by_adam(0.9, 0.9, bias_correction=False) if base_optimizer is None else base_optimizer
    tx, numbers = as_transform(base, who), weight_dimension_numbers
    made = Tracked(who, ScaleByAliceState, tx, rank, update_proj_gap, scale, numbers, "short")
    made.leading, made.seed, made.hypers = leading, seed, (b1, b3, compensation, gamma, eps)
    return made


@optimizer(**PAPER, example=lambda: {"learning_rate": 0.1, "rank": 3, "update_proj_gap": 2, "leading": 2})
def alice(
    learning_rate: Hyper,
    rank: int = 128,
    update_proj_gap: Period = 200,
    scale: Hyper = 0.3,
    base_optimizer: Any = None,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    weight_dimension_numbers: Numbers = None,
    *,
    leading: int = 40,
    b1: Decay = 0.9,
    b3: Decay | None = 0.999,
    compensation: Hyper | None = 0.4,
    gamma: Hyper | None = 1.01,
    eps: Hyper = 1e-8,
    seed: Key = 0,
):
    """Alice: p = p - lr * (u + weight_decay * p), see `scale_by_alice`; with b3=None Alice-0."""
    scaled = scale_by_alice(
        rank,
        update_proj_gap,
        scale,
        base_optimizer,
        weight_dimension_numbers,
        leading=leading,
        b1=b1,
        b3=b3,
        compensation=compensation,
        gamma=gamma,
        eps=eps,
        seed=seed,
    )
    return chain(scaled, *optional_decay(weight_decay, mask), scale_by_learning_rate(learning_rate))
