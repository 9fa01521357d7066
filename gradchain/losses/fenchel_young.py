"""Losses made of a maximum."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from gradchain.losses.operands import (
    broadcast,
    common_shape,
    floating,
    real,
    result_dtype,
    seen,
    weighted,
    wide,
)


def make_fenchel_young_loss(max_fun: Callable[..., Any]) -> Callable[..., Array]:
    """The Fenchel-Young loss of a function max_fun(scores) = max over y of <scores, y> - Omega(y).

    loss(scores, targets, *args, **kwargs) = max_fun(scores, *args, **kwargs) - <scores, targets>

    The gradient is argmax - target. Scores and targets are [..., n], the losses [...]: max_fun is called for
    vectors, and gets the further arguments as they are. With logsumexp it is the cross entropy.

    arXiv:1901.02324.
    """
    if not callable(max_fun):
        raise TypeError(f"make_fenchel_young_loss: max_fun is {max_fun!r}; expected a function of a vector")

    def fenchel_young_loss(scores: ArrayLike, targets: ArrayLike, *args: Any, **kwargs: Any) -> Array:
        who = "fenchel_young_loss"
        (x,), (y,) = floating(who, scores=scores), real(who, targets=targets)
        shape = common_shape(who, scores=x, targets=y)
        if min(x.ndim, y.ndim) < 1 or x.shape[-1] != y.shape[-1]:
            raise ValueError(
                f"{who}: scores is {seen(x)} and targets {seen(y)}; expected both [..., n], with one n"
            )
        dtype = result_dtype(x, y)
        x, y = broadcast(shape, *wide(x, y))
        rows = x.reshape(math.prod(shape[:-1]), shape[-1])
        highest = jax.vmap(lambda row: max_fun(row, *args, **kwargs))(rows)
        if highest.shape != rows.shape[:1]:
            raise ValueError(
                f"{who}: max_fun gave an array of shape {list(highest.shape[1:])} for a vector; "
                f"expected a number"
            )
        product = jnp.sum(weighted(y, x), axis=-1)
        return (highest.reshape(shape[:-1]).astype(x.dtype) - product).astype(dtype)

    return fenchel_young_loss
