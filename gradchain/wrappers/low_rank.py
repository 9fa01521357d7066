"""Fira and APOLLO: steps of full rank, whose lengths come from a transformation of projected gradients."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Hyper, Period
from gradchain.core.kinds import Key
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, absent
from gradchain.core.transform import Transform, optimizer, wrapper
from gradchain.math import numerics, rounding
from gradchain.math.numerics import norm, safe_divide
from gradchain.matrices import subspace
from gradchain.matrices.per_matrix import leaf_of, stack_of
from gradchain.matrices.subspace import Shape
from gradchain.rules.adaptive.adam import scale_by_adam
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay
from gradchain.rules.parts.history import growth_factor, one_each
from gradchain.wrappers.projected import Numbers, Projected

PyTree = Any


def _base(base_optimizer: Any, who: str) -> Transform:
    """What is run on projected gradients."""
    return scale_by_adam(eps=1e-6) if base_optimizer is None else as_transform(base_optimizer, who)


class Rescaled(Projected):
    """A wrapper that multiplies gradients by the ratio of norms of projected updates and gradients."""

    per_leaf = ("projector", "norm")
    by: Literal["channel", "tensor"] = "channel"
    gamma: Any = 1.01
    residual: bool = False  # multiply what the projection leaves out, and add the projected update

    def kept(self, field: str, leaf: Leaf, shape: Shape) -> Slot:
        """The slot of a field: of a norm one number a matrix."""
        if field == "norm":
            return one_each(dataclasses.replace(leaf, axes=shape.axes))
        return super().kept(field, leaf, shape)

    def back(self, u: Array, r: Array, g: Array, basis: Array, shape: Shape, kept: dict[str, Array]):
        """The ratio of |u| and |r| times g, its norm bounded by that of the last step."""
        static = (shape, self.by, self.residual)
        out, size = _rescaled(u, r, g, basis, kept["norm"], self.gamma, self.scale, *static)
        return out, {**kept, "norm": size}


@functools.partial(jax.jit, static_argnames=("shape", "by", "residual"))
def _rescaled(u, r, g, basis, last, gamma, scale, shape: Shape, by: str, residual: bool):
    axis = -2 if shape.along_rows else -1  # the projected one
    axes = (axis,) if by == "channel" else (-2, -1)
    ratio = safe_divide(norm(u, axes, True), norm(r, axes, True))
    left = g - subspace.up(r, basis, g.shape, shape) if residual else g
    x = stack_of(left, shape.axes, turned=False) * ratio.reshape(-1, *ratio.shape[-2:])  # [k, rows, cols]
    size = norm(x, (1, 2)).reshape(last.shape)  # [*batch]
    factor = jnp.ones_like(size) if gamma is None else growth_factor(size, last, gamma, 1e-8)
    out = leaf_of(x * factor.reshape(-1, 1, 1), g.shape, shape.axes, turned=False)
    out = out + subspace.up(u, basis, g.shape, shape) if residual else out
    return scale * out, (size * factor).astype(last.dtype)


class Random(Rescaled):
    """Projections made of noise, drawn anew in each step from the seed and so kept nowhere."""

    seed: int = 0

    def kept(self, field: str, leaf: Leaf, shape: Shape) -> Slot:
        """The slot of a field; none for the projection."""
        return absent(leaf) if field == "projector" else super().kept(field, leaf, shape)

    def bases(self, old, chosen, count):
        """Normal numbers of variance 1 / rank from (seed, number of the projection, path)."""
        del old
        turn = (count - 1) // self.period(count)
        return [self.drawn(turn, leaf, shape) for _, leaf, shape in chosen]

    def drawn(self, turn: Array, leaf: Leaf, shape: Shape) -> Array:
        """The random projection of a leaf, [*batch, side, rank]."""
        dtype = jnp.finfo(numerics.wide_dtype(leaf.dtype)).dtype
        size = self.basis_shape(leaf.shape, shape)
        return _drawn(turn, rounding.word(leaf.path), self.seed, size, dtype)

    def remembered(self, basis: Array) -> dict[str, Array]:
        """Nothing."""
        return {}


@functools.partial(jax.jit, static_argnames=("seed", "size", "dtype"))
def _drawn(turn: Array, salt: Array, seed: int, size: tuple[int, ...], dtype: Any) -> Array:
    like: Any = jax.ShapeDtypeStruct(size, dtype)
    return numerics.normal(seed, turn, salt, like) / size[-1] ** 0.5


class ScaleByFiraState(NamedTuple):
    count: Array  # [] int32, steps taken
    projector: PyTree  # [*batch, side, rank], orthonormal columns of each matrix's short side; else a scalar
    norm: PyTree  # [*batch] of what was added beside the projected update; a scalar for what is no matrix


def _errors():
    yield ErrorInput({"rank": 0}, ValueError, ("rank is 0", "at least 1"))


FIRA: Any = {
    "family": "factored",
    "paper": "arXiv:2410.01623",
    "traits": frozenset({"matrices"}),
    "errors": _errors,
    "near": ("galore", "apollo", "limit_norm_growth"),
}


@wrapper(**FIRA, example=lambda: {"rank": 3, "update_proj_gap": 2})
def scale_by_fira(
    rank: int = 128,
    update_proj_gap: Period = 200,
    scale: Hyper = 1.0,
    base_optimizer: Any = None,
    weight_dimension_numbers: Numbers = None,
    *,
    gamma: Hyper | None = 1.01,
):
    """GaLore, and what its projection leaves out of a gradient, scaled as the rest of its column was.

    every update_proj_gap steps U S V^T = g;  P = U[:, :rank] for rows <= cols;  r = P^T g;  u = base(r)
    f = (g - P r) |u_j| / |r_j| in column j, its norm at most gamma times the last (`limit_norm_growth`)
    the update is scale (P u + f). Where rows > cols the roles of rows and columns are exchanged.
    The base (None: scale_by_adam(eps=1e-6)) corrects its bias first; the authors' code does so after the
    limit. gamma=None is without it. What is no matrix goes to the base; decay belongs outside.
    State for m <= n: the base's of [rank, n], 4 m rank bytes, 4 a matrix.
    """
    who = "scale_by_fira"
    base, numbers = _base(base_optimizer, who), weight_dimension_numbers
    made = Rescaled(who, ScaleByFiraState, base, rank, update_proj_gap, scale, numbers, "short")
    made.gamma, made.residual = gamma, True
    return made


@optimizer(**FIRA, example=lambda: {"learning_rate": 0.1, "rank": 3, "update_proj_gap": 2})
def fira(
    learning_rate: Hyper,
    rank: int = 128,
    update_proj_gap: Period = 200,
    scale: Hyper = 1.0,
    base_optimizer: Any = None,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    weight_dimension_numbers: Numbers = None,
    *,
    gamma: Hyper | None = 1.01,
):
    """Fira: p = p - lr * (u + weight_decay * p), see `scale_by_fira`."""
    return chain(
        scale_by_fira(rank, update_proj_gap, scale, base_optimizer, weight_dimension_numbers, gamma=gamma),
        *optional_decay(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


class ScaleByApolloState(NamedTuple):
    count: Array  # [] int32, steps taken
    projector: PyTree  # a scalar; with projection="svd" [*batch, side, rank] for matrices
    norm: PyTree  # [*batch] of the last update of a matrix, after the limit; a scalar for what is no matrix


APOLLO: Any = {
    "family": "factored",
    "paper": "arXiv:2412.05270",
    "traits": frozenset({"matrices", "random"}),
    "errors": _errors,
    "near": ("fira", "galore", "adam", "limit_norm_growth"),
}


@wrapper(**APOLLO, example=lambda: {"rank": 3, "update_proj_gap": 2})
def scale_by_apollo(
    rank: int = 256,
    update_proj_gap: Period = 200,
    scale: Hyper = 1.0,
    base_optimizer: Any = None,
    weight_dimension_numbers: Numbers = None,
    *,
    scale_type: Literal["channel", "tensor"] = "channel",
    gamma: Hyper | None = 1.01,
    projection: Literal["random", "svd"] = "random",
    seed: Key = 0,
):
    """Gradients whose columns have the lengths that Adam would give them, as seen in a random projection.

    P [rank, rows] normal of variance 1 / rank, new after update_proj_gap steps;  r = P g;  u = base(r)
    f = g |u_j| / |r_j| in column j, for "tensor" g |u| / |r|;  the norm of f is at most gamma times the last
    the update is scale f, for rows <= cols; else rows and columns are exchanged.
    P is drawn from (seed, number, path) in every step and kept nowhere; projection="svd" is GaLore's. The
    base (None: scale_by_adam(eps=1e-6)) corrects its bias first; the authors' code does so after the limit,
    and its `scale` is the square of this one. What is no matrix goes to the base; decay belongs outside.
    State for m <= n: the base's of [rank, n], 4 bytes a matrix.
    """
    who, cls = "scale_by_apollo", Random if projection == "random" else Rescaled
    base, numbers = _base(base_optimizer, who), weight_dimension_numbers
    made = cls(who, ScaleByApolloState, base, rank, update_proj_gap, scale, numbers, "short")
    made.gamma, made.by = gamma, scale_type
    if isinstance(made, Random):
        made.seed = seed
    return made


@optimizer(**APOLLO, example=lambda: {"learning_rate": 0.1, "rank": 3, "update_proj_gap": 2})
def apollo(
    learning_rate: Hyper,
    rank: int = 256,
    update_proj_gap: Period = 200,
    scale: Hyper = 1.0,
    base_optimizer: Any = None,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    weight_dimension_numbers: Numbers = None,
    *,
    scale_type: Literal["channel", "tensor"] = "channel",
    gamma: Hyper | None = 1.01,
    projection: Literal["random", "svd"] = "random",
    seed: Key = 0,
):
    """APOLLO: p = p - lr * (u + weight_decay * p), see `scale_by_apollo`."""
    scaled = scale_by_apollo(
        rank,
        update_proj_gap,
        scale,
        base_optimizer,
        weight_dimension_numbers,
        scale_type=scale_type,
        gamma=gamma,
        projection=projection,
        seed=seed,
    )
    return chain(scaled, *optional_decay(weight_decay, mask), scale_by_learning_rate(learning_rate))


@optimizer(**{**APOLLO, "errors": tuple}, example=lambda: {"learning_rate": 0.1, "update_proj_gap": 2})
def apollo_mini(
    learning_rate: Hyper,
    update_proj_gap: Period = 200,
    scale: Hyper = 128**0.5,
    base_optimizer: Any = None,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    weight_dimension_numbers: Numbers = None,
    *,
    seed: Key = 0,
):
    """APOLLO-Mini: `apollo` of rank 1 with one factor for each matrix; its state is nearly that of SGD."""
    numbers, decay = weight_dimension_numbers, weight_decay
    return apollo(
        learning_rate,
        1,
        update_proj_gap,
        scale,
        base_optimizer,
        decay,
        mask,
        numbers,
        scale_type="tensor",
        seed=seed,
    )
