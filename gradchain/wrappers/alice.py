"""Alice: Adam in a tracked and partly random eigenbasis of few columns, and what the basis leaves out."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import place
from gradchain.core.compose import chain
from gradchain.core.control import when
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Decay, Hyper, Period
from gradchain.core.kinds import Key
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Axes, Leaf, Slot, absent, drop
from gradchain.core.transform import optimizer, wrapper
from gradchain.math import numerics, rounding
from gradchain.math.numerics import abs2, bounded, ema, norm, over_root
from gradchain.matrices import subspace
from gradchain.matrices.linalg import adjoint
from gradchain.matrices.per_matrix import leaf_of, per_matrix, stack_of
from gradchain.matrices.preconditioners import times
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
    leading: int = 40
    b1: Any = 0.9
    b3: Any = 0.999
    compensation: Any = 0.4
    gamma: Any = 1.01
    eps: Any = 1e-8
    seed: int = 0

    def kept(self, field: str, leaf: Leaf, shape: Shape) -> Slot:
        """The slot of a field, for a leaf that is projected."""
        own = dataclasses.replace(leaf, axes=shape.axes)
        if field == "projector":
            return super().kept(field, leaf, shape)
        if field == "tracked":
            return absent(leaf) if self.b3 is None else _square(own, (shape.rank, shape.rank))
        if self.compensation is None:
            return absent(leaf)
        short = shape.axes.rows if shape.along_rows else shape.axes.cols
        return one_each(own) if field == "norm" else drop(own, short)

    def bases(self, old, chosen, count):
        """Singular vectors in the first step, later ones by iteration, some of them drawn from the rest."""
        turn = (count - 1) // self.period(count)
        due = (count - 1) % self.period(count) == 0
        first = lambda bases, *xs: self.renewed(bases, xs, chosen, turn, first=True)  # noqa: E731
        later = lambda bases, *xs: self.renewed(bases, xs, chosen, turn, first=False)  # noqa: E731
        grads = [bounded(g) for g, _, _ in chosen]
        found = when(count == 1, first, old["projector"], *grads, *old["tracked"])
        return when(due & (count > 1), later, found, *grads, *old["tracked"])

    def renewed(self, bases, xs, chosen, turn: Array, first: bool) -> list[Array]:
        """The bases of a step in which they are renewed; their derivative is 0."""
        bases, (grads, tracked) = jax.lax.stop_gradient((bases, (xs[: len(chosen)], xs[len(chosen) :])))
        out: list[Any] = [None] * len(chosen)
        groups: dict[Any, list[int]] = {}
        for i, (_, _, shape) in enumerate(chosen):
            groups.setdefault((shape.along_rows, shape.rank > self.leading), []).append(i)
        for (along_rows, drawn), at in groups.items():
            rows, leaves = [], []
            for i in at:
                _, leaf, shape = chosen[i]
                own = dataclasses.replace(leaf, axes=shape.axes)
                slots = [self.kept("projector", leaf, shape), self.kept("tracked", leaf, shape)]
                arrays = [grads[i], bases[i], tracked[i]][: 2 + (self.b3 is not None)]
                if drawn:
                    slots.append(_square(own, (shape.side(leaf.shape), shape.rank - self.leading)))
                    salt = rounding.word(leaf.path)
                    arrays.append(_drawn(turn, salt, self.seed, slots[-1].shape, grads[i].dtype))
                slots = [slot for slot in slots if not slot.nothing]
                rows.append(tuple(x.astype(grads[i].dtype) for x in arrays))
                leaves.append((own, *(_described(slot, len(shape.axes.batch)) for slot in slots)))
            tracks = self.b3 is not None
            shared = (jnp.asarray(self.b3),) if tracks else ()
            f = functools.partial(_renewed, along_rows=along_rows, tracks=tracks, drawn=drawn, first=first)
            for i, (y,) in zip(at, per_matrix(f, rows, leaves, results=(1,), shared=shared), strict=True):
                out[i] = y.astype(bases[i].dtype)
        return out

    def back(self, u: Array, r: Array, g: Array, basis: Array, shape: Shape, kept: dict[str, Array]):
        """The update for g: of the basis, and what compensates for the rest."""
        static = (shape, self.compensation is not None)
        hypers = (self.scale, self.b1, self.b3, self.compensation, self.gamma, self.eps)
        return _back(u, r, g, basis, kept, hypers, *static)


def _square(own: Leaf, ends: tuple[int, int]) -> Slot:
    """[*batch, a, b] for each matrix, along no axis of the leaf."""
    batch = own.axes.batch
    shape = (*(own.shape[i] for i in batch), *ends)
    return Slot(shape, numerics.wide_dtype(own.dtype), (*batch, None, None), leaf=own, exact=True)


def _described(slot: Slot, k: int) -> Leaf:
    """A slot [*batch, a, b] as a leaf of its own."""
    owner: Any = slot.leaf
    axes = Axes(tuple(range(k)), (k,), (k + 1,))
    return Leaf(owner.path, slot.shape, slot.dtype, axes, None, slot.sharding)


@functools.partial(jax.jit, static_argnames=("seed", "size", "dtype"))
def _drawn(turn: Array, salt: Array, seed: int, size: tuple[int, ...], dtype: Any) -> Array:
    like: Any = jax.ShapeDtypeStruct(size, jnp.finfo(dtype).dtype)
    return numerics.normal(seed, turn, salt, like)


@functools.partial(jax.jit, static_argnames=("along_rows", "tracks", "drawn", "first"))
def _renewed(g: Array, basis: Array, *rest: Array, along_rows: bool, tracks: bool, drawn: bool, first: bool):
    """New bases [k, side, rank] for gradients [k, m, n]."""
    more = list(rest)
    b3 = more.pop() if tracks else None
    noise = more.pop() if drawn else None
    tracked = more.pop() if tracks else None
    g = g if along_rows else jnp.swapaxes(g, 1, 2)  # [k, side, n]
    rank, side = basis.shape[-1], basis.shape[-2]
    if first:
        found = jnp.linalg.svd(g, full_matrices=False)[0][..., :rank]
    else:
        found = _iterated(g, basis, tracked, b3)
    if noise is None:
        return (found,)
    leading = found[..., : rank - noise.shape[-1]]
    enough = side - rank >= noise.shape[-1]
    apart = found if enough else leading
    q = jnp.linalg.qr(jnp.concatenate([apart, noise.astype(g.dtype)], -1))[0]
    return (jnp.concatenate([leading, q[..., apart.shape[-1] :]], -1),)


def _iterated(g: Array, basis: Array, tracked: Array | None, b3: Array | None) -> Array:
    """The eigenvectors of Q = b3 U tracked U^H + (1 - b3) g g^H, U the basis, by one step of iteration."""

    def product(x: Array) -> Array:  # Q x, without Q
        new = times(g, times(adjoint(g), x))
        return new if tracked is None else ema(times(basis, tracked, times(adjoint(basis), x)), new, b3)

    q = jnp.linalg.qr(product(basis))[0]
    return times(q, jnp.linalg.eigh(times(adjoint(q), product(q)))[1][..., ::-1])


@functools.partial(jax.jit, static_argnames=("shape", "compensated"))
def _back(u, r, g, basis, kept, hypers, shape: Shape, compensated: bool):
    scale, b1, b3, compensation, gamma, eps = hypers
    new = dict(kept)
    if b3 is not None:
        x = bounded(r).reshape(-1, *r.shape[-2:])
        x = place.whole_along(x if shape.along_rows else jnp.swapaxes(x, 1, 2), 2)  # [k, rank, n]
        now = times(x, adjoint(x)).reshape(kept["tracked"].shape)
        new["tracked"] = ema(kept["tracked"], now, b3)
    out = subspace.up(u, basis, g.shape, shape)
    if compensated:
        side = shape.side(g.shape)
        rest = stack_of(g - subspace.up(r, basis, g.shape, shape), shape.axes, not shape.along_rows)
        square = jnp.sum(abs2(bounded(rest)), 1)  # [k, n]
        new["left_out"] = ema(kept["left_out"], square.reshape(kept["left_out"].shape), b1)
        mean = new["left_out"].reshape(square.shape)[:, None, :]
        c = (side - shape.rank) ** 0.5 * over_root(rest, mean, eps)
        size = norm(c, (1, 2))  # [k]
        last = kept["norm"].reshape(size.shape)
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
    made.leading, made.b1, made.b3, made.compensation = leading, b1, b3, compensation
    made.gamma, made.eps, made.seed = gamma, eps, seed
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
