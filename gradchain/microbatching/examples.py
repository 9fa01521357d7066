"""A function of one example evaluated on a large batch: jax.vmap and gradients in microbatches."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jax import Array

from gradchain.core import words
from gradchain.microbatching.accumulators import (
    AccumulationType,
    Accumulator,
    Accumulators,
    aggregated,
    split,
)
from gradchain.microbatching.loop import as_tuple, axes_of, looped

PyTree = Any


class Aux(NamedTuple):
    """What `micro_grad` returns beside gradients, for each example."""

    values: Any  # [batch], of the function
    metrics: Any  # of the gradients
    aux: Any  # what the function returned beside its value


def micro_vmap(
    fun: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    *,
    microbatch_size: int | None = None,
    vmap_fn: Callable[..., Any] = jax.vmap,
    accumulator: Accumulators = AccumulationType.CONCAT,
    num_real_microbatches: int | Array | None = None,
) -> Callable[..., Any]:
    """jax.vmap over microbatch_size examples at a time; None is all of them.

    in_axes as in jax.vmap; arguments by name have the batch on axis 0. `accumulator`, as in `microbatch`:
    CONCAT gives what jax.vmap gives, SUM and MEAN reduce over the examples.
    """
    return _vmapped(
        fun, in_axes, out_axes, microbatch_size, vmap_fn, accumulator, num_real_microbatches, "micro_vmap"
    )


def _vmapped(fun, in_axes, out_axes, size, vmap_fn, accumulator, real, who) -> Callable[..., Any]:
    if out_axes != 0:
        raise ValueError(f"{who}: out_axes is {words.show(out_axes)}; expected 0: move it by jnp.moveaxis")
    in_axes = tuple(in_axes) if isinstance(in_axes, list) else in_axes

    def batch(*args: Any, **kwargs: Any) -> Any:
        values = vmap_fn(fun, in_axes, 0)(*args, **kwargs)
        ones, parts, outer = split(accumulator, values, who)
        kinds = [
            one.aggregate if isinstance(one, Accumulator) else functools.partial(aggregated, one)
            for one in ones
        ]
        return outer.unflatten([f(part) for f, part in zip(kinds, parts, strict=True)])

    @functools.wraps(fun)
    def run(*args: Any, **kwargs: Any) -> Any:
        here = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(args)
        axes = axes_of(
            (here, dict.fromkeys(kwargs, 0)), (args, kwargs), who, f"in_axes is {words.show(in_axes)}"
        )
        return looped(batch, (args, kwargs), axes, size, accumulator, real, who)

    return run


def micro_grad(
    fun: Callable[..., Any],
    has_aux: bool = False,
    argnums: int | Sequence[int] = 0,
    *,
    batch_argnums: int | Sequence[int] = 1,
    keep_batch_dim: bool = True,
    microbatch_size: int | None = None,
    accumulator: Accumulators = AccumulationType.SUM,
    transform_fn: Callable[[PyTree], PyTree] = lambda grads: grads,
    metrics_fn: Callable[[PyTree], PyTree] = lambda grads: None,
    num_real_microbatches: int | Array | None = None,
) -> Callable[..., tuple[Any, Aux]]:
    """Gradients of each example, transformed and put together: returns (result, Aux(values, metrics, aux)).

    transform_fn (clipping, squares, ...) acts on the gradients of one example, and `accumulator` puts its
    results together; metrics_fn gives numbers of the gradients as they were. What Aux holds has an axis of
    examples. With keep_batch_dim the function sees batches of one example, else the example alone.
    Source: arXiv:2510.00236.
    """
    numbers = as_tuple(batch_argnums)

    def example(*args: Any, **kwargs: Any) -> tuple[Any, Aux]:
        if keep_batch_dim:
            at = {number % len(args) for number in numbers}
            args = tuple(jax.tree.map(lambda x: x[None], a) if i in at else a for i, a in enumerate(args))
        value, grads = jax.value_and_grad(fun, argnums, has_aux=has_aux)(*args, **kwargs)
        value, aux = value if has_aux else (value, None)
        return transform_fn(grads), Aux(value, metrics_fn(grads), aux)

    @functools.wraps(fun)
    def run(*args: Any, **kwargs: Any) -> tuple[Any, Aux]:
        for number in numbers:
            if not -len(args) <= number < len(args):
                raise TypeError(
                    f"micro_grad: batch_argnums has {number}, but the call has {len(args)} arguments by "
                    "position"
                )
        in_axes: list[int | None] = [None] * len(args)
        for number in numbers:
            in_axes[number] = 0
        together = (accumulator, AccumulationType.CONCAT)
        size, real = microbatch_size, num_real_microbatches
        vmapped = _vmapped(example, tuple(in_axes), 0, size, jax.vmap, together, real, "micro_grad")
        return vmapped(*args, **kwargs)

    return run
