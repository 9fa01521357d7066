"""Optimizers fed with the gradient of each example: averages over examples and microbatches, variances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain import tree
from gradchain.core import words
from gradchain.core.compose import chain
from gradchain.experimental.process import (
    AggregatedUpdates,
    Aggregator,
    AggregatorUpdateFn,
    MaybeAxis,
    PerElementUpdates,
    ProcessState,
    empty,
    passed,
    process,
)
from gradchain.math import numerics
from gradchain.types import EmptyState, GradientTransformationExtraArgs, OptState, Params

__all__ = [
    "AccumulateAvgUpdatesState",
    "AggregatedUpdates",
    "Aggregator",
    "AggregatorUpdateFn",
    "MaybeAxis",
    "PerElementMeanAndSumSqDiffGradsState",
    "PerElementMeanAndVarianceEMAState",
    "PerElementUpdates",
    "ProcessState",
    "accumulate_avg_updates",
    "add_mean_variance_to_opt",
    "average_incrementally_updates",
    "average_per_element_updates",
    "get_batch_size_from_per_elt_updates",
    "get_per_element_mean_and_sum_sq_diff_grads",
    "get_unbiased_mean_and_variance_ema",
    "process",
    "track_per_element_mean_and_variance_with_ema",
]


class AccumulateAvgUpdatesState(NamedTuple):
    """The average of the microbatches since the last step."""

    micro_step: Array  # [] int32
    ready: Array  # [] bool, whether the last update was a step
    avg_grad: Any


class PerElementMeanAndSumSqDiffGradsState(NamedTuple):
    """Mean and squared deviations of the examples since the last step."""

    micro_step: Array  # [] int32
    ready: Array  # [] bool, whether the last update was a step
    mean_grads: Any
    sum_sq_diff_grads: Any


class PerElementMeanAndVarianceEMAState(NamedTuple):
    """Averages over steps of the gradients' mean and variance over examples."""

    count: Array  # [] int32, steps
    ema_decay: Array  # []
    mean_grads_ema: Any
    variance_grads_ema: Any


def _axes(per_elt_axis: int | Sequence[int]) -> tuple[int, ...]:
    return (per_elt_axis,) if isinstance(per_elt_axis, int) else tuple(per_elt_axis)


def average_per_element_updates(per_elt_axis: int | Sequence[int] = 0) -> Aggregator:
    """The mean over the examples."""
    axes = _axes(per_elt_axis)

    def update(per_elt_updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        return jax.tree.map(lambda g: jnp.mean(g, axes), per_elt_updates), state

    return Aggregator(empty, update)


def _steps(accumulation_steps: int, who: str) -> int:
    if (
        isinstance(accumulation_steps, bool)
        or not isinstance(accumulation_steps, int)
        or accumulation_steps < 1
    ):
        raise ValueError(
            f"{who}: accumulation_steps is {words.show(accumulation_steps)}; expected at least 1"
        )
    return accumulation_steps


def _kept(keep: Array, values: Any) -> Any:
    """The values where `keep` holds, else zeros."""
    return jax.tree.map(lambda x: jnp.where(keep, x, jnp.zeros_like(x)), values)


def accumulate_avg_updates(accumulation_steps: int) -> GradientTransformationExtraArgs:
    """The mean of so many updates in a row, zeros in between; within `process` nothing follows on those."""
    n = _steps(accumulation_steps, "accumulate_avg_updates")

    def init(params: Params) -> AccumulateAvgUpdatesState:
        return AccumulateAvgUpdatesState(jnp.int32(0), jnp.array(False), tree.zeros_like(params))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        i = state.micro_step
        mean = lambda a, g: a + (g - a) / (i + 1).astype(a.dtype)  # noqa: E731
        average = jax.tree.map(mean, state.avg_grad, updates)
        ready = i + 1 == n
        rest = AccumulateAvgUpdatesState(jnp.where(ready, 0, i + 1), ready, _kept(~ready, average))
        return _kept(ready, average), rest

    return GradientTransformationExtraArgs(init, update)


def average_incrementally_updates(per_elt_axis: MaybeAxis, accumulation_steps: int) -> Any:
    """The mean over the examples (with axis None over none), then over so many microbatches in a row."""
    n = _steps(accumulation_steps, "average_incrementally_updates")
    later = accumulate_avg_updates(n) if n > 1 else GradientTransformationExtraArgs(empty, passed)
    if per_elt_axis is None:
        return later
    first = average_per_element_updates(per_elt_axis)

    def update(per_elt_updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        mean, before = first.update(per_elt_updates, state[0], params)
        mean, after = later.update(mean, state[1], params)
        return mean, (before, after)

    return Aggregator(lambda params: (first.init(params), later.init(params)), update)


def get_batch_size_from_per_elt_updates(
    per_elt_updates: PerElementUpdates, per_elt_axis: int | Sequence[int]
) -> int:
    """How many examples the gradients are of; an error where leaves differ."""
    axes = _axes(per_elt_axis)
    sizes: dict[int, str] = {}
    for path, g in zip(tree.paths(per_elt_updates), jax.tree.leaves(per_elt_updates), strict=True):
        n = 1
        for axis in axes:
            n *= g.shape[axis]
        sizes.setdefault(n, path)
    if len(sizes) != 1:
        found = ", ".join(f"{path!r} has {n}" for n, path in sizes.items()) or "there are no leaves"
        raise ValueError(f"gradients of examples: expected one number of examples along {axes}; {found}")
    return next(iter(sizes))


def get_per_element_mean_and_sum_sq_diff_grads(
    per_elt_axis: int | Sequence[int] = 0, accumulation_steps: int = 1
) -> Aggregator:
    """The mean over examples and microbatches, and {sum_sq_diff_grads, sample_size}: sum |g - mean|^2, of n.

    Microbatches are joined by M = M_a + M_b + d^2 n_a n_b / (n_a + n_b), d = mean_b - mean_a.
    Source: Chan, Golub & LeVeque 1983.
    """
    n, axes = _steps(accumulation_steps, "get_per_element_mean_and_sum_sq_diff_grads"), _axes(per_elt_axis)

    def init(params: Params) -> Any:
        if n == 1:
            return EmptyState()
        zeros = tree.zeros_like(params)
        return PerElementMeanAndSumSqDiffGradsState(jnp.int32(0), jnp.array(False), zeros, tree.real(zeros))

    def update(per_elt_updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        size = get_batch_size_from_per_elt_updates(per_elt_updates, axes)
        mean = jax.tree.map(lambda g: jnp.mean(g, axes), per_elt_updates)
        squares = jax.tree.map(
            lambda g: jnp.sum(numerics.abs2(g - jnp.mean(g, axes, keepdims=True)), axes), per_elt_updates
        )
        if n == 1:
            return (mean, {"sum_sq_diff_grads": squares, "sample_size": size}), state
        i = state.micro_step
        off = tree.sub(mean, state.mean_grads)
        mean = jax.tree.map(lambda m, d: m + d / (i + 1).astype(d.dtype), state.mean_grads, off)
        squares = jax.tree.map(
            lambda a, b, d: a + b + numerics.abs2(d) * ((size * i).astype(a.dtype) / (i + 1).astype(a.dtype)),
            state.sum_sq_diff_grads, squares, off,
        )  # fmt: skip
        ready = i + 1 == n
        rest = PerElementMeanAndSumSqDiffGradsState(
            jnp.where(ready, 0, i + 1), ready, _kept(~ready, mean), _kept(~ready, squares)
        )
        seen = jnp.where(ready, n * size, 0)
        return (_kept(ready, mean), {"sum_sq_diff_grads": _kept(ready, squares), "sample_size": seen}), rest

    return Aggregator(init, update)


def track_per_element_mean_and_variance_with_ema(ema_decay: Any = 0.9) -> GradientTransformationExtraArgs:
    """Averages over steps of mean and variance over examples, from what the aggregator above hands on.

    The updates stay as they are; the variance is sum_sq_diff_grads / (sample_size - 1).
    """

    def init(params: Params) -> PerElementMeanAndVarianceEMAState:
        zeros = tree.zeros_like(params)
        return PerElementMeanAndVarianceEMAState(
            jnp.int32(0), jnp.asarray(ema_decay), zeros, tree.real(zeros)
        )

    def update(
        updates: Any,
        state: Any,
        params: Any = None,
        *,
        sum_sq_diff_grads: Any,
        sample_size: Any,
        **extra: Any,
    ) -> tuple[Any, Any]:
        free = jnp.maximum(sample_size - 1, 1)
        variance = jax.tree.map(lambda m: m / free.astype(m.dtype), sum_sq_diff_grads)
        mean_ema, variance_ema = (
            tree.update_moment(new, old, ema_decay, 1)
            for new, old in ((updates, state.mean_grads_ema), (variance, state.variance_grads_ema))
        )
        count = numerics.increment(state.count)
        return updates, PerElementMeanAndVarianceEMAState(count, state.ema_decay, mean_ema, variance_ema)

    run: Any = update
    return GradientTransformationExtraArgs(init, run)


def get_unbiased_mean_and_variance_ema(state: OptState) -> tuple[Any, Any]:
    """(mean, variance) of a state that tracks them, without the pull to their start at 0; 0 before a step."""
    found = tree.get(state, "PerElementMeanAndVarianceEMAState")
    if found is None:
        raise ValueError(
            "get_unbiased_mean_and_variance_ema: the state tracks no variance; expected that of "
            "add_mean_variance_to_opt(opt, ...)"
        )
    count = jnp.maximum(found.count, 1)
    mean, variance = (
        tree.bias_correction(x, found.ema_decay, count)
        for x in (found.mean_grads_ema, found.variance_grads_ema)
    )
    return mean, variance


def add_mean_variance_to_opt(
    opt: Any, ema_decay: Any = 0.9, per_elt_axis: int | Sequence[int] = 0, accumulation_steps: int = 1
) -> Any:
    """An optimizer of gradients of examples that tracks their mean and variance on its way."""
    return process(
        GradientTransformationExtraArgs(empty, passed),
        get_per_element_mean_and_sum_sq_diff_grads(per_elt_axis, accumulation_steps),
        chain(track_per_element_mean_and_variance_with_ema(ema_decay), opt),
        aggregator_has_aux=True,
    )
