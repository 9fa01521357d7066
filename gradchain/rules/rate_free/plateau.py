"""reduce_on_plateau: shorter steps where the loss has stopped falling."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree, words
from gradchain.core.link import treewise
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import counter, scalar, shared
from gradchain.core.transform import transform
from gradchain.rules.parts.basic import loss_of, scaled


class ReduceLROnPlateauState(NamedTuple):
    scale: Array  # [] what updates are multiplied with
    best_value: Array  # [] the smallest mean so far that was an improvement
    plateau_count: Array  # [] int32, means in a row without one
    cooldown_count: Array  # [] int32, means to come that do not count
    count: Array  # [] int32, values in the mean that is being made, starting again at 0
    avg_value: Array  # [] their mean

    metrics = (("plateau_scale", "scale"),)


def _errors():
    yield ErrorInput({"factor": 1.0}, ValueError, ("factor is 1.0", "above 0 and below 1"))
    yield ErrorInput({"rtol": 1.0}, ValueError, ("rtol is 1.0", "at least 0 and below 1"))
    yield ErrorInput({"atol": -0.1}, ValueError, ("atol is -0.1", "at least 0"))
    yield ErrorInput({"patience": 0}, ValueError, ("patience is 0", "at least 1"))
    yield ErrorInput({"cooldown": -1}, ValueError, ("cooldown is -1", "at least 0"))
    yield ErrorInput({"accumulation_size": 0}, ValueError, ("accumulation_size is 0", "at least 1"))
    yield ErrorInput({"min_scale": 2.0}, ValueError, ("min_scale is 2.0", "at least 0 and at most 1"))


@transform(errors=_errors)
def reduce_on_plateau(
    factor: float = 0.1,
    patience: int = 10,
    rtol: float = 1e-4,
    atol: float = 0.0,
    cooldown: int = 0,
    accumulation_size: int = 1,
    min_scale: float = 0.0,
):
    """Multiply updates by a scale that falls where the extra argument `value`, the loss, does not.

    Every accumulation_size values are averaged. A mean below (1 - rtol) * best - atol is an improvement.
    After `patience` means in a row without one, scale = max(scale * factor, min_scale), and the next
    `cooldown` means without one are not counted.
    A patience of n is n - 1 in torch's ReduceLROnPlateau. The last link of a chain; a schedule in the same
    chain multiplies too. `metrics` reports plateau_scale.
    """
    _check(factor, patience, rtol, atol, cooldown, accumulation_size, min_scale)

    def update(updates, s, params, *, value):
        del params
        value = loss_of(value, s.avg_value.dtype, "reduce_on_plateau")
        n = s.count.astype(value.dtype)  # with this value
        mean = ((n - 1) * s.avg_value + value) / n
        better = mean < (1 - rtol) * s.best_value - atol
        cooling = s.cooldown_count > 0
        waited = jnp.where(better | cooling, 0, s.plateau_count + 1)
        falls = waited >= patience
        new = s._replace(
            scale=jnp.where(falls, jnp.maximum(s.scale * factor, min_scale), s.scale),
            best_value=jnp.where(better, mean, s.best_value),
            plateau_count=jnp.where(falls, 0, waited),
            cooldown_count=jnp.where(cooling, s.cooldown_count - 1, jnp.where(falls, cooldown, 0)),
            count=jnp.zeros_like(s.count),
            avg_value=jnp.zeros_like(mean),
        )
        s = tree.where(s.count >= accumulation_size, new, s._replace(avg_value=mean))
        return jax.tree.map(lambda g: scaled(g, s.scale), updates), s

    return treewise(
        ReduceLROnPlateauState,
        update,
        scale=shared(lambda p: dataclasses.replace(scalar(p), fill=1)),
        best_value=shared(lambda p: dataclasses.replace(scalar(p), fill=math.inf)),
        plateau_count=shared(counter),
        cooldown_count=shared(counter),
        avg_value=shared(scalar),
    )


def _check(factor, patience, rtol, atol, cooldown, accumulation_size, min_scale) -> None:
    for name, value, fine, expected in (
        ("factor", factor, 0 < factor < 1, "a number above 0 and below 1"),
        ("patience", patience, 1 <= patience < 2**31, "a whole number of at least 1, below 2**31"),
        ("rtol", rtol, 0 <= rtol < 1, "a number of at least 0 and below 1"),
        ("atol", atol, 0 <= atol < math.inf, "a finite number of at least 0"),
        ("cooldown", cooldown, 0 <= cooldown < 2**31, "a whole number of at least 0, below 2**31"),
        (
            "accumulation_size",
            accumulation_size,
            1 <= accumulation_size < 2**31,
            "a whole number of at least 1, below 2**31",
        ),
        ("min_scale", min_scale, 0 <= min_scale <= 1, "a number of at least 0 and at most 1"),
    ):
        if not fine:
            raise ValueError(f"reduce_on_plateau: {name} is {words.show(value)}; expected {expected}")
