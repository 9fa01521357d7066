"""primal_averaging: an optimizer on z, gradients at y and an average x, by two constants (GPA)."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import words
from gradchain.core.compose import chain
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.kinds import DType
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import copy, counter, filled, scalar, shared, typed
from gradchain.core.transform import example, optimizer, wrapper
from gradchain.math.numerics import increment, safe_divide
from gradchain.rules.adaptive.adam import adamw
from gradchain.wrappers.base import wrap
from gradchain.wrappers.schedule_free import interpolated

PyTree = Any
PAPER: Any = {"paper": "arXiv:2512.17131"}


class PrimalAveragingState(NamedTuple):
    count: Array  # [] int32, steps taken
    mu_y: Array  # [] of the last step
    z: PyTree  # like params, where the wrapped optimizer has gone

    eval_field = "z"

    def eval_leaf(self, y: Array) -> Array:
        """x, the average, of the parameter y and its z."""
        return (y - (1 - self.mu_y) * self.z) / self.mu_y


@wrapper(
    near=("schedule_free", "average", "lookahead", "gpa_adamw"),
    errors=lambda: [ErrorInput({"mu_y": 0.0}, ValueError, ("mu_y is 0.0", "above 0"))],
    example=lambda: {"base_optimizer": example("sgd"), "mu_x": 0.9},
    **PAPER,
)
def primal_averaging(
    base_optimizer: Any, mu_x: Fraction = 0.9967, mu_y: Fraction = 0.7, state_dtype: DType | None = None
):
    """Run an optimizer on z; the parameters are y, between z and its running average x.

    z = z + u(gradient at y, z);  x = mu_x x + (1 - mu_x) z;  y = mu_y x + (1 - mu_y) z
    `eval_params(tx, state, params)` is x, which is not kept: (y - (1 - mu_y) z) / mu_y. Weight decay within
    the base is of z. mu_x = 0 is the base alone, mu_y = 1 averages where gradients are taken (primal
    averaging), mu_x = 1 - 1 / t is `schedule_free`. About 0.9^(1 / k) for mu_x follows DiLoCo of k steps.
    """
    if isinstance(mu_y, int | float) and mu_y == 0:
        raise ValueError(
            f"primal_averaging: mu_y is {words.show(mu_y)}; expected a number above 0, at most 1"
        )

    def step(inner, g, s, state, params):
        treedef = jax.tree.structure(params)
        u, state = inner.updates(g, state, treedef.unflatten(jax.tree.leaves(s.z)))
        now, keep = jnp.asarray(mu_y, s.mu_y.dtype), jnp.asarray(mu_x, s.mu_y.dtype)
        ratio = safe_divide(now, s.mu_y, otherwise=1)  # 1, unless mu_y changes
        pull, push = ratio * (1 - keep) + (1 - ratio), 1 - now * keep
        rows = [
            interpolated(y, z, x, pull, push)
            for y, z, x in zip(*map(jax.tree.leaves, (params, s.z, u)), strict=True)
        ]
        z = jax.tree.structure(s.z).unflatten([z for _, z in rows])
        s = s._replace(count=increment(s.count), mu_y=now, z=z)
        return inner.given(treedef.unflatten([u for u, _ in rows]), params), s, state

    return wrap(
        PrimalAveragingState,
        as_transform(base_optimizer, "primal_averaging"),
        step,
        params=True,
        fields={
            "count": shared(counter),
            "mu_y": shared(filled(scalar, mu_y)),
            "z": typed(copy, state_dtype),
        },
    )


@optimizer(
    near=("adamw", "schedule_free_adamw", "primal_averaging"),
    example=lambda: {"learning_rate": 0.1},
    **PAPER,
)
def gpa_adamw(
    learning_rate: Hyper,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    mu_x: Fraction = 0.9967,
    mu_y: Fraction = 0.7,
    state_dtype: DType | None = None,
):
    """GPA-AdamW: AdamW within `primal_averaging`; the rate may follow a schedule as for AdamW.

    x averages about 1 / (1 - mu_x) steps, 300: a run that is not many times longer wants a smaller mu_x.
    """
    base = adamw(learning_rate, b1, b2, eps, weight_decay=weight_decay, mask=mask)
    return chain(primal_averaging(base, mu_x, mu_y, state_dtype))
