"""Scion: steps to the nearest corner of a ball, whose norm is chosen layer by layer."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any, Literal

import jax
import jax.numpy as jnp

from gradchain.core import select, tree
from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType, Precision
from gradchain.core.leafwise import leafwise
from gradchain.core.masks import partition
from gradchain.core.select import Selection
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import abs2, over_root
from gradchain.matrices.linalg import QUINTIC, Kernel
from gradchain.matrices.per_matrix import sides
from gradchain.rules.matrix.coefficients import Coefficients
from gradchain.rules.matrix.groups import LOOKED_UP, axes_of_leaves
from gradchain.rules.matrix.muon import orthogonalize, scale_by_shape
from gradchain.rules.parts.averaging import ema
from gradchain.rules.parts.basic import scale, scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay

PAPER: Any = {"paper": "arXiv:2502.07529", "traits": frozenset({"matrices"})}
TOKENS = re.compile(r"embed|(^|/)(wte|wpe)(/|$)")  # their inputs choose one row each


@transform(**PAPER, near=("balance", "scale_by_sign", "orthogonalize", "scale_by_shape"))
def scale_by_lmo(
    norm: Literal["sign", "inputs", "outputs", "rms"] = "sign",
    radius: Hyper = 1.0,
    eps: Hyper = 1e-8,
):
    """The point of a ball of a norm where g is largest: the update of Scion, a link after the momentum.

    sign:    u = radius / inputs * sign(g), for the last layer
    inputs:  u = radius * g / rms of each input's weights (the paper's ColNorm), for embeddings
    outputs: u = radius / inputs * g / rms of each output's weights (RowNorm)
    rms:     u = radius * g / rms, for biases
    eps is added to each root mean square; kernels are [inputs, outputs]. The spectral norm's, for hidden
    layers: chain(orthogonalize(), scale_by_shape(at_least_one=False), scale(radius)).
    """

    def step(g, *, leaf):
        axes = leaf.axes
        _, rows, _ = sides(leaf.shape, axes)
        inputs = max(rows, 1)
        if norm == "sign":
            return jnp.sign(g) * (radius / inputs)
        over = {"inputs": axes.cols, "outputs": axes.rows, "rms": axes.matrix}[norm]
        count = max(math.prod(leaf.shape[i] for i in over), 1)
        square = jnp.sum(abs2(g), over, keepdims=True) / count
        return over_root(g, square, eps) * (radius / inputs if norm == "outputs" else radius)

    return leafwise(None, step)


@dataclasses.dataclass(frozen=True)
class _Layers:
    """Labels: "hidden" matrices, "input" and "output" ones by the names of embeddings and heads, "vector"."""

    hidden: Selection

    def __call__(self, params) -> Any:
        paths, axes = tree.paths(params), axes_of_leaves(params)
        given = (False,) * len(paths) if self.hidden is None else select.chosen(self.hidden, params, "scion")

        def label(path: str, on: bool) -> str:
            if on or not LOOKED_UP.search(path):
                return "hidden"
            return "input" if TOKENS.search(path) else "output"

        labels = [
            label(path.lower(), on) if a.rows and a.cols else "vector"
            for path, a, on in zip(paths, axes, given, strict=True)
        ]
        return jax.tree.structure(params).unflatten(labels)


@optimizer(
    **PAPER,
    example=lambda: {"learning_rate": 0.02},
    near=("muon", "lion", "sign_sgd", "fromage"),
)
def scion(
    learning_rate: Hyper,
    beta: Decay = 0.9,
    radius: Hyper = 50.0,
    eps: Hyper = 1e-8,
    mu_dtype: DType | None = None,
    *,
    input_radius: Hyper = 1.0,
    output_radius: Hyper = 3000.0,
    constrained: bool = True,
    ns_coeffs: Coefficients = QUINTIC,
    ns_steps: int = 5,
    muon_mask: Selection = None,
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
    ns_kernel: Kernel = "xla",
):
    """Scion: p = (1 - lr) p - lr * lmo(m), m the mean of gradients, so that weights stay within a ball.

    lmo(m) is sqrt(columns / rows) * newton_schulz(m) for matrices and, see `scale_by_lmo`, "rms" for vectors,
    both times `radius`; "inputs" for embeddings and "sign" for heads, by the names in their paths. The
    muon_mask selects matrices that are hidden layers whatever their names.
    constrained=False: p = p - lr * lmo(m). The default radii are the paper's for language models.
    """
    polar = orthogonalize(
        ns_coeffs, ns_steps, eps, precision=precision, ns_dtype=ns_dtype, ns_kernel=ns_kernel
    )
    groups = {
        "hidden": chain(polar, scale_by_shape(at_least_one=False), scale(radius)),
        "input": scale_by_lmo("inputs", input_radius, eps),
        "output": scale_by_lmo("sign", output_radius),
        "vector": scale_by_lmo("rms", radius, eps),
    }
    return chain(
        ema(beta, debias=False, accumulator_dtype=mu_dtype),
        partition(groups, _Layers(muon_mask)),
        *optional_decay(1.0 if constrained else 0.0),
        scale_by_learning_rate(learning_rate),
    )
