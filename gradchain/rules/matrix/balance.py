"""Rows and columns of a matrix brought to one norm: what is done before and after orthogonalisation."""

from __future__ import annotations

from typing import Any, Literal

import jax.numpy as jnp
from jax import Array

from gradchain.core.leafwise import leafwise
from gradchain.core.slots import Axes
from gradchain.core.transform import Transform, transform
from gradchain.math.numerics import norm, safe_divide

Sides = Literal["outputs", "inputs", "both", "elements"]


def balanced(x: Array, axes: Axes, sides: Sides) -> Array:
    """A leaf with each of its vectors divided by their norms, see `balance`."""
    if sides == "elements":
        return jnp.sign(x)
    over = {"outputs": [axes.rows], "inputs": [axes.cols], "both": [axes.rows, axes.cols]}[sides]
    factors = [safe_divide(1, norm(x, group, keepdims=True)) for group in over]
    for factor in factors:
        x = x * factor
    return x


@transform(
    paper="arXiv:2603.28254, arXiv:2602.21545",
    traits=frozenset({"matrices"}),
    near=("scale_by_muon", "scale_by_normuon", "centralize"),
)
def balance(sides: Sides = "outputs"):
    """Divide the vectors of a matrix by their norms; vectors of zeros stay.

    outputs: those of each output, a column of a kernel [in, out]: u = g / |g|, norms over the inputs
    inputs:  those of each input, a row of it;  both: divided by both norms, of g itself
    elements: u = g / |g| for each number, its sign
    Papers write weights as [out, in]: their rows are the outputs. Before `orthogonalize` this is MuonEq
    (R: outputs), after it Muon+; two links, inputs and then outputs, are its "col_row". A vector is a
    matrix with one input. On a mesh the norms, a number for each vector, are summed over the devices.
    """
    return leafwise(None, lambda g, *, leaf: balanced(g, leaf.axes, sides))


def optional_balance(sides: Any) -> tuple[Transform, ...]:
    """`balance` for a chain, or no link for None."""
    return () if sides is None else (balance(sides),)
