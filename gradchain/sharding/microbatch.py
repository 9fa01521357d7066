"""Gradients over microbatches and over devices, summed in float32 and reduced once."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import AxisType, PartitionSpec

from gradchain.core import place, tree
from gradchain.core.place import Split, varies, varying
from gradchain.core.transform import Transform
from gradchain.sharding.mesh import data_axes
from gradchain.sharding.scatter import scatter, summed
from gradchain.sharding.split import ShardingWarning
from gradchain.sharding.zero import gather_params, zeros_of

PyTree = Any


@dataclasses.dataclass(frozen=True)
class Job:
    """What `microbatch_grad` was asked for."""

    loss: Callable
    n: int
    optimizer: Transform | None
    axis: str | tuple[str, ...]
    has_aux: bool
    weight: Callable | None
    dtype: Any
    gather_dtype: Any

    def __call__(self, params: PyTree, batch: PyTree, *args: Any, steps: Any = None) -> tuple[Any, PyTree]:
        """The mean loss (with has_aux: and the mean of what comes with it) and the gradients."""
        zero = next(iter(zeros_of(self.optimizer)), None) if self.optimizer is not None else None
        axis = self.axis if zero is None else zero.rule.axis
        homes = [x for x in map(place.of, jax.tree.leaves(params)) if x is not None]
        named = data_axes(homes[0].mesh, axis, "microbatch_grad") if homes else ()
        names = tuple(n for n in named if homes[0].mesh.shape[n] > 1)  # XLA refuses sums over one device
        if zero is not None and zero.stage == 3:
            assert self.optimizer is not None
            params = gather_params(self.optimizer, params, self.gather_dtype)
        ways = [
            _way(zero, path, x) for path, x in zip(tree.paths(params), jax.tree.leaves(params), strict=True)
        ]
        inside = _Inside(self, names, ways, zero is not None and zero.stage > 1, tree.paths(params))
        mesh = homes[0].mesh if homes else None
        batch = jax.tree.map(lambda x: self._divided(x, mesh, names), batch)
        if not names:
            return inside(params, batch, args, steps)
        self._warn(mesh, names, params)
        whole, parts = PartitionSpec(), PartitionSpec(names)
        ends = jax.tree.structure(params).unflatten([_manual(way, names) for way in ways])
        run = jax.shard_map(
            inside,
            mesh=mesh,
            in_specs=(whole, parts, whole, whole),
            out_specs=(whole, ends),
            axis_names=set(names),
        )
        value, grads = run(params, batch, args, steps)
        return value, jax.tree.map(place.arrived, grads)

    def _warn(self, mesh: Any, names: Sequence[str], params: PyTree) -> None:
        """Warn of parameters that JAX gathers where a shard_map leaves explicit axes to their types."""
        for path, x in zip(tree.paths(params), jax.tree.leaves(params), strict=True):
            home = place.of(x)
            if home is None or AxisType.Explicit not in mesh.axis_types:
                continue
            if any(n not in names for here in place.split_of(home.spec, x.ndim) for n in here):
                warnings.warn(
                    f"microbatch_grad: {path!r} is split as {place.text_of(home.spec)} on a mesh with "
                    "explicit axes, and JAX gathers it: use automatic axes, with specs for zero",
                    ShardingWarning,
                    stacklevel=3,
                )
                return

    def _divided(self, x: Any, mesh: Any, names: Sequence[str]) -> Any:
        """A part of the batch, with its first axis over the data axes."""
        devices, shape = 1, jnp.shape(x)
        for name in names:
            devices *= mesh.shape[name]
        if not shape or shape[0] % (devices * self.n):
            raise ValueError(
                f"microbatch_grad: an array of the batch has shape {list(shape)}; its first axis must be a "
                f"multiple of {devices} devices x {self.n} microbatches: change their number or the batch"
            )
        if not names or place.of(x) is None or place.is_blind(x):
            return x
        return place.put(x, place.at(mesh, (tuple(names), *((),) * (len(shape) - 1))))


def _way(zero: Any, path: str, x: Any) -> tuple[Split, Split]:
    """How a gradient is split before and after its reduction."""
    here = place.of(x)
    if here is None or zero is None:
        split = place.split_of(() if here is None or place.is_blind(x) else here.spec, x.ndim)
        return split, split
    whole, target = zero.rule.whole(path, x), zero.rule.target(path, x)
    return place.split_of(whole.spec, x.ndim), place.split_of(target.spec, x.ndim)


def _manual(way: tuple[Split, Split], names: Sequence[str]) -> PartitionSpec:
    return place.spec_of([[n for n in here if n in names] for here in way[1]])


@dataclasses.dataclass(frozen=True)
class _Inside:
    """What each device does with its part of the batch."""

    job: Job
    names: tuple[str, ...]  # data axes, manual here
    ways: Sequence[tuple[Split, Split]]
    early: bool  # reduce after each microbatch, so that the sums are split
    paths: Sequence[str]

    def __call__(self, params, batch, args, steps):
        job, names = self.job, self.names
        params = jax.tree.map(lambda x: varying(x, names), params)
        if job.n == 1 and steps is None:
            weight, value, grads = self.one(params, batch, args)
        else:
            cut = jax.tree.map(lambda x: x.reshape(job.n, x.shape[0] // job.n, *x.shape[1:]), batch)
            first = jax.tree.map(lambda x: x[0], cut)
            shapes = jax.eval_shape(self.one, params, first, args)

            def body(i, sums):
                now = jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, i, keepdims=False), cut)
                return jax.tree.map(jnp.add, sums, self.one(params, now, args))

            start = jax.tree.map(lambda x: _zeros(x, names), shapes)
            weight, value, grads = jax.lax.fori_loop(0, job.n if steps is None else steps, body, start)
        total = summed(weight, names)
        leaves, treedef = jax.tree.flatten(grads)
        if not self.early:
            leaves = self.reduced(leaves)
        else:
            leaves = [
                g if end != start else summed(g, names)
                for g, (start, end) in zip(leaves, self.ways, strict=True)
            ]
        value = jax.tree.map(lambda x: summed(x, names) / total, value)
        return value, treedef.unflatten([g / total.astype(g.dtype) for g in leaves])

    def one(self, params, batch, args):
        """Weight, weighted loss and weighted gradients of one microbatch on this device."""
        job = self.job
        value, grads = jax.value_and_grad(job.loss, has_aux=job.has_aux)(params, batch, *args)
        mean = value[0] if job.has_aux else value
        self._check(mean, grads)
        weight = jnp.asarray(1.0 if job.weight is None else job.weight(batch), jnp.float32)
        weight = varying(weight, self.names)

        def weighted(x: Any, dtype: Any) -> Array:
            x = jnp.asarray(x).astype(dtype)
            if job.weight is not None:  # a microbatch of padding only: its mean is 0/0
                x = jnp.where(weight > 0, weight.astype(dtype) * x, jnp.zeros_like(x))
            return varying(x, self.names)

        value = jax.tree.map(lambda x: weighted(x, jnp.float32), value)
        leaves, treedef = jax.tree.flatten(grads)
        leaves = [weighted(g, job.dtype) for g in leaves]
        if self.early:
            leaves = [
                scatter(g, *way, self.names) if way[0] != way[1] else g
                for g, way in zip(leaves, self.ways, strict=True)
            ]
        return weight, value, treedef.unflatten(leaves)

    def reduced(self, leaves: Sequence[Array]) -> list[Array]:
        """The gradients summed over the data axes, and split as they are needed."""
        return [
            scatter(g, start, end, self.names) if start != end else summed(g, self.names)
            for g, (start, end) in zip(leaves, self.ways, strict=True)
        ]

    def _check(self, mean: Array, grads: PyTree) -> None:
        """Raise where something has been summed over the devices already: once for each microbatch, then."""
        if jnp.shape(mean):
            raise ValueError(
                f"microbatch_grad: the loss has shape {list(jnp.shape(mean))}; expected a number"
            )
        for name in self.names:
            if name not in varies(mean):
                raise ValueError(
                    f"microbatch_grad: the loss does not differ from device to device along {name!r}: it is "
                    "reduced already (psum, pmean), or does not depend on the batch. Return the mean over "
                    "the device's own part of the batch: the one reduction comes after the last microbatch"
                )
            for path, g in zip(self.paths, jax.tree.leaves(grads), strict=True):
                if name not in varies(g):
                    raise ValueError(
                        f"microbatch_grad: the gradient of {path!r} is summed over {name!r} within each "
                        "microbatch, so that the one reduction after the last is lost: use the parameters "
                        "that the loss is given, none from outside"
                    )


def _zeros(x: Any, names: Sequence[str]) -> Array:
    typed = AxisType.Explicit in x.sharding.mesh.axis_types if x.sharding is not None else False
    return varying(jnp.zeros(x.shape, x.dtype, device=x.sharding if typed else None), names)


def microbatch_value_and_grad(
    loss: Callable,
    n: int = 1,
    *,
    optimizer: Transform | None = None,
    axis: str | Sequence[str] = "data",
    has_aux: bool = False,
    weight: Callable | None = None,
    accumulator_dtype: Any = jnp.float32,
    gather_dtype: Any = None,
) -> Callable:
    """f(params, batch, *args, steps=None) -> (loss, grads): over n microbatches a device, reduced once.

    `loss(params, batch, *args)` is the mean over the part of the batch that it is given, with has_aux beside
    numbers that are averaged alike; `weight(batch)` is what a microbatch counts (its tokens; default 1):
    sum w_i loss_i / sum w_i, and its gradient. The first axis of `batch` is divided over the data axes and
    n; `steps`, an array, runs only so many microbatches of it without compiling again. With `optimizer`,
    gradients arrive as its `zero` wants them, reduce-scattered one mesh axis after the other (stage 2: after
    each microbatch), and parameters of stage 3 are gathered first, in `gather_dtype`. Within, the data axes
    are manual: layers see a part of the batch. Raises ValueError where the one reduction was lost.
    """
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"microbatch_grad: n is {n!r}; expected a whole number, 1 or more")
    names = axis if isinstance(axis, str) else tuple(axis)
    return Job(loss, n, optimizer, names, has_aux, weight, jnp.dtype(accumulator_dtype), gather_dtype)


def microbatch_grad(loss: Callable, n: int = 1, **options: Any) -> Callable:
    """f(params, batch, *args, steps=None) -> grads, or with has_aux (grads, aux).

    As `microbatch_value_and_grad`, with the same options, without the loss.
    """
    job = microbatch_value_and_grad(loss, n, **options)

    def grad(params: PyTree, batch: PyTree, *args: Any, steps: Any = None) -> Any:
        value, grads = job(params, batch, *args, steps=steps)
        return (grads, value[1]) if options.get("has_aux") else grads

    return grad
