"""Parameters drawn to a grid of few values while training: straight-through rounding, and PARQ's map."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core.compose import chain
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Fraction
from gradchain.core.kinds import whole
from gradchain.core.leafwise import leafwise
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf, Slot, absent, copy
from gradchain.core.transform import example, optimizer, transform
from gradchain.math.numerics import safe_divide
from gradchain.schedules import sigmoid_schedule

PyTree = Any
Per = Literal["matrix", "output"]
Size = Literal["mean", "max"]


class QuantizeParamsState(NamedTuple):
    latent: PyTree  # like params, at least float32: what the parameters are rounded from


def grid_step(x: Array, levels: Annotated[int, whole(2, 2**24)], size: Size, axes: tuple[int, ...]) -> Array:
    """The distance of two neighbours of the grid."""
    largest = jnp.max(jnp.abs(x), axis=axes, keepdims=True, initial=0)
    if size == "mean":
        mean = jnp.mean(jnp.abs(x), axis=axes, keepdims=True) if x.size else largest
        largest = jnp.minimum(math.log2(levels) * mean, largest)
    return largest * (2 / (levels - 1))


def to_grid(x: Array, step: Array, levels: Annotated[int, whole(2, 2**24)], inverse_slope) -> Array:
    """PARQ's map of x on the levels that are `step` apart around 0: affine between them, flat at them."""
    t = safe_divide(x, step + jnp.zeros_like(x)) + (levels - 1) / 2  # levels are at 0, 1, ...
    top = levels - 1
    hard = jnp.clip(jnp.floor(t + 0.5), 0, top)
    low, high = jnp.clip(jnp.ceil(t) - 1, 0, top), jnp.clip(jnp.ceil(t), 0, top)
    centre, inverse_slope = (low + high) / 2, jnp.asarray(inverse_slope, x.dtype)
    soft = jnp.clip(centre + safe_divide(t - centre, inverse_slope + jnp.zeros_like(t)), low, high)
    drawn = (jnp.where(inverse_slope > 0, soft, hard) - top / 2) * step
    return jnp.where(inverse_slope < 1, drawn, x)


def _latent(p: Leaf) -> Slot:
    return copy(p) if p.axes.rows else absent(p)


PAPER = "arXiv:2503.15748"
NO_ROW = ErrorInput({"per": "row"}, TypeError, ("per is 'row'", "'matrix' or 'output'"))


@transform(
    paper=PAPER,
    traits=frozenset({"last", "sets", "matrices", "real"}),
    example=lambda: {"levels": 4},
    errors=lambda: [ErrorInput({"levels": 1}, ValueError, ("levels is 1", "at least 2")), NO_ROW],
)
def quantize_params(
    levels: Annotated[int, whole(2, 2**24)],
    inverse_slope: Fraction = 0.0,
    *,
    per: Per = "output",
    size: Size = "mean",
    mask: Selection = None,
):
    """Draw matrices to a grid of `levels` values around 0: 2 (binary), 3 (ternary), 2^bits.

    z = z + u;  p = map(z), z being the state
    inverse_slope = 0: the nearest level, gradients straight through (BinaryConnect, arXiv:1511.00363);
    between 0 and 1 PARQ's map, affine of that inverse slope halfway between two levels; 1: p = z. `parq` goes
    from 1 to 0. The outermost level is max |z|, or for size="mean" min(log2(levels) * mean |z|, max |z|),
    over the inputs of each output, or over the matrix (per="matrix"). Odd numbers of levels have exact zeros.
    The last link of a chain. z is float32 at least: parameters of 16 bits lose nothing. Vectors stay.
    """

    def step(g, s, p, *, leaf):
        if not leaf.axes.rows:
            return g, s
        z = s.latent + g
        axes = leaf.axes.rows if per == "output" else leaf.axes.matrix
        return to_grid(z, grid_step(z, levels, size, axes), levels, inverse_slope) - p, s._replace(latent=z)

    return leafwise(QuantizeParamsState, step, where=mask, latent=_latent)


@optimizer(
    paper=PAPER,
    example=lambda: {"tx": example("adamw"), "levels": 4, "steps": 2},
    errors=lambda: [NO_ROW, ErrorInput({"steps": 2**31}, ValueError, ("steps is 2147483648", "at most"))],
)
def parq(
    tx: Any,
    levels: Annotated[int, whole(2, 2**24)],
    steps: Annotated[int, whole(1)],
    begin: Annotated[int, whole(0)] = 0,
    steepness: float = 10.0,
    *,
    per: Per = "output",
    size: Size = "mean",
    mask: Selection = None,
):
    """An optimizer whose matrices end on a grid of `levels` values: parq(adamw(1e-3), 4, steps=10_000).

    The inverse slope of `quantize_params` falls from 1 at step `begin` to 0, along a sigmoid, in `steps`.
    """
    slope = sigmoid_schedule(1.0, 0.0, steps, begin, steepness)
    return chain(as_transform(tx, "parq"), quantize_params(levels, slope, per=per, size=size, mask=mask))
